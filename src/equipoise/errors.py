"""The two ways a command can end badly, and the helpers that word them.

A message gives the rule, what was got, and what to do, on one line:
``0 < scale <= 1 must hold, but got scale=1.5.``
"""

import difflib
from collections.abc import Iterable
from operator import index
from unicodedata import category

__all__ = [
    "DamagedError",
    "InputError",
    "Remark",
    "WorkError",
    "escaped",
    "plural",
    "printable",
    "reason",
    "require",
    "shows",
    "unknown",
    "whole_seed",
]


class InputError(ValueError):
    """A user's mistake, found before any work started (exit code 2)."""


class DamagedError(InputError):
    """A file of ours that is not what was written: cut off, edited, or in another's place."""


class Remark(UserWarning):
    """What a user should know and need not do anything about; the command line prints it."""


class WorkError(RuntimeError):
    """A failure during the work, such as a full disk (exit code 1); what is done stays valid."""


def require(holds: bool, rule: str, remedy: str = "", **got: object) -> None:
    """Raise `InputError` unless `holds`, wording the rule, what was got and the remedy."""
    if holds:
        return
    values = ", ".join(f"{name}={value!r}" for name, value in got.items())
    raise InputError(f"{rule} must hold, but got {values}." + (f" {remedy}" if remedy else ""))


def whole_seed(seed: object) -> int:
    """Return a seed as an int; any whole number will do, also a negative one."""
    try:
        if not isinstance(seed, bool):
            return index(seed)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise InputError(f"A seed is a whole number, but got seed={seed!r}.")


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is in no catalogue, with the nearest one that is."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(known[:30]) + (f", … ({len(known)} in all)" if len(known) > 30 else "")
    return InputError(f"There is no {kind} {printable(repr(name))}.{guess} There is: {shown}.")


def escaped(text: str) -> str:
    """Return a text whose unprintable characters, such as a terminal's codes, are escaped."""
    if text.isprintable():
        return text
    return "".join(c if shows(c) else ascii(c)[1:-1] for c in text)


def shows(character: str) -> bool:
    """Return whether a terminal shows a character, or leaves a space, and obeys nothing."""
    return character.isprintable() or category(character) == "Zs"


def printable(text: object, limit: int = 120) -> str:
    """Return a name from someone's data fit for one line: what does not print is escaped."""
    shown = escaped(str(text))
    return shown if len(shown) <= limit else f"{shown[: limit // 2]}…{shown[-limit // 2 :]}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 file", "1,200 files"; `many` where an s will not do."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def reason(error: BaseException) -> str:
    """Return what a library's error says, fit for the middle of a line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(words.split())).rstrip(".")
