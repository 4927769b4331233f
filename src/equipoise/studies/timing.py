"""Times as the command line writes them, and work that is repeated once a second."""

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from equipoise.errors import InputError, Remark, reason
from equipoise.typed import shown

__all__ = ["each_second", "in_words", "seconds_of"]

_UNITS = {"h": 3600, "m": 60, "s": 1}
_WRITTEN = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS))


def seconds_of(budget: str) -> float:
    """Return a budget such as "90s", "20m" or "1h30m" in seconds.

    Raises
    ------
    InputError
        If it is not written so, each unit once, or is zero.
    """
    parts = _WRITTEN.fullmatch(budget.strip())
    total = 0.0 if parts is None else sum(float(parts[unit] or 0) * _UNITS[unit] for unit in _UNITS)
    if not 0 < total < inf:
        raise InputError(f"A budget is written 90s, 20m or 1h30m, but got {shown(budget)}.")
    return total


def in_words(seconds: float) -> str:
    """Return a time as budgets are written, rounded up to what one would type."""
    if seconds <= 90:
        return f"{max(1, int(-(-seconds // 1)))}s"
    minutes = int(-(-seconds // 60))
    if minutes <= 90:
        return f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes % 60 else f"{minutes // 60}h"


@contextmanager
def each_second(do: Callable[[], None]) -> Iterator[None]:
    """Call `do` about once a second on another thread while the block lasts, and once at its end.

    What is shown does not decide about the work: where `do` fails, its next call comes all the
    same. The first failure is told as a warning.
    """
    stop, told = threading.Event(), False

    def once() -> None:
        nonlocal told
        try:
            do()
        except OSError:
            pass  # a file that came or went meanwhile; a full disk will be told of by the work
        except Exception as error:
            if not told:
                words = f"Progress: {type(error).__name__}: {reason(error)}"
                warnings.warn(Remark(words), stacklevel=2)
            told = True

    def watch() -> None:
        while not stop.wait(1.0):
            once()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        once()
