"""Names of images and classes as text: any bytes made UTF-8, and names that may mean one class."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import printable
from equipoise.readers.split_names import split_named

__all__ = ["alike", "as_text", "as_texts"]

_MISSING = frozenset(("nan", "null", "n/a", "<na>"))


def as_text(name: str) -> str:
    r"""Return a name that can be written as UTF-8: bytes that are none are escaped, as ``\xe9``.

    File systems and archives hold any bytes; Python has such ones as lone surrogates.
    """
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        pass
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return name.encode("utf-8", "backslashreplace").decode()


def as_texts(names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return many names as `as_text` does."""
    listed = names.tolist()
    found = list(map(as_text, listed))
    return names if found == listed else np.array(found)


def alike(classes: Sequence[str]) -> tuple[str, ...]:
    """Return what to tell of classes that are one in two ways, splits of one, or none, perhaps."""
    ways = defaultdict(list)
    for name in classes:
        ways[_plain(name)].append(printable(name))
    notes = [
        f"Classes written alike: {', '.join(map(repr, names))}. If they are one class, write them "
        "in one way"
        for names in ways.values()
        if len(names) > 1
    ]
    parts: dict[str, list[str]] = defaultdict(list)
    for plain, names in ways.items():
        for split, rest in (plain.partition(" ")[::2], plain.rpartition(" ")[::-2]):
            if rest and split_named(split):
                parts[rest] += names
    notes += [
        f"Classes that may be splits of one: {', '.join(map(repr, names))}. If they are, name "
        "their folders train/CLASS and test/CLASS"
        for names in parts.values()
        if len(names) > 1
    ]
    missing = [name for key, names in ways.items() if key in _MISSING for name in names]
    if missing:
        notes.append(
            f"Taken for a class: {missing[0]!r}. If it means that a label is missing, leave out "
            "these images"
        )
    return tuple(notes)


def _plain(name: str) -> str:
    """Return a name without case, blanks and marks, and a number as its value."""
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())
    try:
        number = float(plain)
    except ValueError:
        return plain.replace("-", " ")
    return plain if number != number else str(number)
