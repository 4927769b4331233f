"""Files that are read as maps and become shorter meanwhile.

Reading a page that is gone is a bus error, which no exception can tell of: the system ends the
process without a word. Here it ends with one.
"""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

__all__ = ["guard", "shrunk"]

_sizes: dict[Path, int] = {}  # of each file when it was mapped
_armed: list[Any] = []  # the handler, which must live as long as the process


def guard(path: Path) -> None:
    """Let a file that is now mapped be named, should reading it end the process."""
    _sizes[path] = path.stat().st_size
    if not _armed:
        _arm()


def shrunk() -> str | None:
    """Say which mapped file has become shorter than it was, if any has."""
    for path, size in _sizes.items():
        try:
            now = path.stat().st_size
        except OSError:
            continue  # a file that is only renamed or deleted can be read to its end
        if now < size:
            return f"{path} became shorter while it was read, by {size - now:,} bytes"
    return None


def _arm() -> None:
    # Python's own handlers run after the instruction, which for a bus error never ends.
    libc = ctypes.CDLL(None)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)

    def end(number: int) -> None:
        found = shrunk()
        if found is None:
            libc.signal(number, None)  # not ours: back to the instruction, and to the usual end
            return
        line = f"equipoise: {found}. Bring it back and give the same command again.\n"
        os.write(2, line.encode())
        os._exit(1)

    handler = kind(end)
    before = libc.signal(signal.SIGBUS, ctypes.cast(handler, ctypes.c_void_p))
    if before:
        libc.signal(signal.SIGBUS, before)  # another's, such as faulthandler's
    _armed.append(handler)
