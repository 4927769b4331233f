"""When this process began: a budget counts from there, with all that had to be imported."""

import os
import time
from pathlib import Path

__all__ = ["process_began"]

_IMPORTED = time.monotonic()
_LONG = 60.0  # seconds from the start of Python to this import; more than any machine takes


def process_began() -> float:
    """Return when this process began, by `time.monotonic`."""
    try:
        fields = Path("/proc/self/stat").read_text("latin-1").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, IndexError, ValueError):  # a system that does not tell
        return _IMPORTED
    began = time.monotonic() - age
    # Where the system's clocks do not go together, as in some containers, ours does.
    return began if _IMPORTED - _LONG < began < _IMPORTED else _IMPORTED
