"""How spans of time are written on the command line."""

import re

from equipoise.errors import InputError

__all__ = ["in_words", "seconds_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds_of(budget: str) -> float:
    """Return a budget such as "90s", "20m" or "1h30m" in seconds.

    Raises
    ------
    InputError
        If it is not written so, or is zero.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", budget.strip())
    whole = "".join(number + unit for number, unit in parts) == budget.strip()
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not whole or not total:
        raise InputError(f"A budget is written 90s, 20m or 1h30m, but got {budget!r}.")
    return total


def in_words(seconds: float) -> str:
    """Return a time as budgets are written, rounded up to what one would type."""
    if seconds <= 90:
        return f"{max(1, int(-(-seconds // 1)))}s"
    minutes = int(-(-seconds // 60))
    if minutes <= 90:
        return f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes % 60 else f"{minutes // 60}h"
