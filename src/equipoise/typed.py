"""What people type as text, such as `cat=4800,dog=1200`: read strictly, or refused in a line."""

import re
from collections.abc import Callable
from math import isfinite
from typing import TypeVar

from equipoise.errors import InputError, printable

__all__ = [
    "columns_of",
    "counts_of",
    "names_of",
    "number_of",
    "pairs_of",
    "shares_of",
    "shown",
    "size_of",
    "whole_of",
]

T = TypeVar("T")

# Python's own readers also take digits of other scripts, underscores, infinity and thousands of
# digits; its `isdigit` takes "²", which `int` does not.
_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def names_of(text: str) -> list[str]:
    """Return the names of a comma-separated list, without the space around them."""
    return [name for part in text.split(",") if (name := part.strip())]


def counts_of(option: str, text: str) -> dict[str, int]:
    """Return what an option such as `cat=4800,dog=1200` says, or say how it is written."""
    counts = pairs_of(text, whole_of)
    if not counts:
        raise InputError(
            f"{option} is written cat=4800,dog=1200 (each class once), but got {shown(text)}."
        )
    return counts


def columns_of(option: str, text: str) -> dict[str, str]:
    """Return what an option such as `path=file,label=breed` says, or say how it is written."""
    pairs = [part.partition("=") for part in names_of(text)]
    columns = {role.strip(): column.strip() for role, _, column in pairs}
    if not columns or not all(columns.values()) or len(columns) < len(pairs):
        raise InputError(f"{option} is written path=file,label=breed, but got {shown(text)}.")
    return columns


def size_of(option: str, text: str) -> int | str:
    """Return the side in pixels that an option says, or 'auto'."""
    size = whole_of(text)
    if size is None and text != "auto":
        raise InputError(f"{option} is a whole number or auto, but got {shown(text)}.")
    return "auto" if size is None else size


def shares_of(option: str, text: str) -> dict[str, float]:
    """Return what an option such as `dog=0.05,cat=0.95` says, or say how it is written."""
    shares = pairs_of(text, number_of)
    if not shares:
        raise InputError(
            f"{option} is written dog=0.05,cat=0.95 (each class once), but got {shown(text)}."
        )
    return shares


def shown(text: str) -> str:
    """Return what was typed for a message: in quotes, and not too long."""
    return printable(repr(text))


def pairs_of(text: str, value_of: Callable[[str], T | None]) -> dict[str, T] | None:
    """Return `name=value` pairs, or None where one is not written so or a name comes twice."""
    pairs: dict[str, T] = {}
    for part in names_of(text):
        name, _, written = part.rpartition("=")
        name, value = name.strip(), value_of(written.strip())
        if not name or value is None or name in pairs:
            return None
        pairs[name] = value
    return pairs


def whole_of(text: str) -> int | None:
    """Return a count, or None where the text is none."""
    return int(text) if _WHOLE.fullmatch(text) else None


def number_of(text: str) -> float | None:
    """Return a finite number in its usual notation, or None where the text is none."""
    found = float(text) if _NUMBER.fullmatch(text) else None
    return found if found is not None and isfinite(found) else None
