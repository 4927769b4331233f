"""Names of files and folders that are safe on every system and tell what they hold.

Whatever some file system does not take is written as ``%XX`` (the bytes of its UTF-8 form in
hexadecimal), so that `urllib.parse.unquote` gives the name back; a name that would be too long is
cut and ends in a hash. The manifest holds the true names in any case.

A copy is called ``SOURCE__TECHNIQUE__COPY.png``, so that its name says how it came about.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from equipoise.images import ImageSet
from equipoise.readers.split_names import split_named

__all__ = ["class_folders", "copy_name", "looks_like_split", "safe", "stems", "suffix"]

_SIMPLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_FORBIDDEN = frozenset('<>:"/\\|?*%')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_OURS = re.compile(r".+__.+__\d+_*")


def safe(name: str, longest: int = 100) -> str:
    """Return a name, of at most so many bytes, that is one visible file or folder everywhere."""
    if _SIMPLE.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    text = "".join(c if c.isprintable() and c not in _FORBIDDEN else _percent(c) for c in name)
    if text[:1] in ("", ".", " ") or _RESERVED.fullmatch(text):
        text = (_percent(text[0]) if text else "%") + text[1:]
    if text[-1] in (".", " "):
        text = text[:-1] + _percent(text[-1])
    if len(text.encode()) <= longest:
        return text
    start = text.encode()[: longest - 17].decode(errors="ignore")
    return f"{re.sub('%.?$', '', start)}~{blake2b(_bytes(name), digest_size=8).hexdigest()}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes(text))


def class_folders(classes: Sequence[str]) -> list[str]:
    """Return the folder of each class, all different even where case is ignored."""
    return _apart([safe(name) for name in classes], [str(i) for i in range(len(classes))])


def looks_like_split(folder: str) -> bool:
    """Whether a class folder at the top of a data set would be taken for a split."""
    return split_named(folder) is not None


def stems(part: ImageSet) -> list[str]:
    """Return each image's name without folders and suffix, unique within its class.

    Folders below the class folder become part of the name; an image whose name another one of its
    class has bears its id as well.
    """
    labels = part.labels.tolist()
    plain = [
        f"{label}/{_stem(name, part.classes[label])}"
        for name, label in zip(part.names.tolist(), labels, strict=True)
    ]
    marks = [f"{image:x}" for image in part.ids.tolist()]
    return [name.partition("/")[2] for name in _apart(plain, marks)]


def _stem(name: str, class_name: str) -> str:
    folders = name.split("/")
    for drop in (looks_like_split, class_name.__eq__):
        if len(folders) > 1 and drop(folders[0]):
            del folders[0]
    stem = safe("-".join([*folders[:-1], _split(folders[-1])[0]]), longest=150)
    # An original that is called as our copies are must not take the name of one.
    return f"{stem}_" if _OURS.fullmatch(stem) else stem


def suffix(name: str) -> str:
    """Return the ending of an image's file; PNG's where it has none of its own."""
    ending = _split(name.rpartition("/")[2])[1]
    return f".{ending}" if ending.isalnum() and ending.isascii() else ".png"


def _split(file: str) -> tuple[str, str]:
    stem, _, ending = file.rpartition(".")
    return (stem, ending) if stem else (file, "")


def copy_name(stem: str, technique: str, copy: int) -> str:
    """Return a copy's name without its suffix."""
    return f"{stem}__{_word(technique)}__{copy}"


@lru_cache(maxsize=256)
def _word(technique: str) -> str:
    return safe(technique, longest=40)


def _apart(names: list[str], marks: Sequence[str]) -> list[str]:
    """The names, with its mark added to each that equals another one where case is ignored."""
    while len(taken := Counter(map(_folded, names))) < len(names):
        names = [
            f"{name}~{mark}" if taken[_folded(name)] > 1 else name
            for name, mark in zip(names, marks, strict=True)
        ]
        marks = [str(i) for i in range(len(names))]  # in case even the marks are equal
    return names


def _folded(name: str) -> str:
    """What a file system that ignores case or normalises letters makes of a name."""
    return unicodedata.normalize("NFC", name).casefold()
