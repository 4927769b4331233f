"""Masks beside photos: pictures that belong to others and are no images of a class."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_masks"]

_WORDS = "masks?|gt|ground[-_ ]?truth|segmentations?|seg|annotations?|labels?"
_NAMED = re.compile(rf"(.+?)[-_. ](?:{_WORDS})(?:[-_. ]?\d+)?", re.IGNORECASE)
_ANY = re.compile(rf"(?:{_WORDS})(?:[-_. ]?\d+)?(?:/|$)")
_FOLDER = re.compile(_WORDS, re.IGNORECASE)
_PHOTOS = frozenset(("jpg", "jpeg", "jpe", "jfif"))
_LOOKED_AT = 6  # pictures that stand for all
_MOST_VALUES = 16  # different pixels of a mask

Look = Callable[[str], NDArray[np.uint8] | None]


def find_masks(
    names: Sequence[str], labels: Sequence[str], look: Look
) -> tuple[list[str], list[str]]:
    """Find the masks among the images of a source.

    They are those called like another image and ``mask`` (``x_mask.png`` by ``x.jpg``), those in a
    folder ``masks`` of a class and called like an image in another one, and those called just
    like another image beside them, a JPEG if there is one, and of a few grey levels or colours.

    Parameters
    ----------
    names : sequence of str
        Paths of the images.
    labels : sequence of str
        The class of each.
    look : callable
        Path to pixels, (H, W, C), or None where it cannot be read.

    Returns
    -------
    list of str, list of str
        The masks; and images that are called just like one beside them and are no masks.
    """
    stems = [name.rpartition(".")[0].lower() for name in names]
    if len(set(stems)) == len(stems) and not any(map(_ANY.search, stems)):
        return [], []  # a large set soon is through
    files = [_File.of(name) for name in names]
    beside = defaultdict(list)
    in_class = defaultdict(set)
    for row, (file, label) in enumerate(zip(files, labels, strict=True)):
        beside[file.folder, file.stem].append(row)
        if not _is_room(file.folder, label):
            in_class[label].add(file.stem)

    def is_mask(file: _File, label: str) -> bool:
        named = _NAMED.fullmatch(file.stem)
        if named and (file.folder, named[1]) in beside:
            return True
        of = in_class[label] if _is_room(file.folder, label) else ()
        return file.stem in of or (named is not None and named[1] in of)

    masks = [n for n, file, label in zip(names, files, labels, strict=True) if is_mask(file, label)]
    twins = [
        name for rows in beside.values() if len(rows) > 1 for name in _twins(rows, names, files)
    ]
    if twins and all(map(_looks_like_one, map(look, _spread(twins)))):
        return [*masks, *twins], []
    return masks, twins


class _File(NamedTuple):
    """Parts of a path, the file's in lower case."""

    folder: str
    stem: str
    ending: str

    @classmethod
    def of(cls, path: str) -> "_File":
        folder, _, file = path.rpartition("/")
        stem, _, ending = file.lower().rpartition(".")
        return cls(folder, stem, ending)


def _is_room(folder: str, label: str) -> bool:
    """Whether a folder of a class is one of masks."""
    name = folder.rpartition("/")[2]
    return name != label and _FOLDER.fullmatch(name) is not None


def _twins(rows: Sequence[int], names: Sequence[str], files: Sequence[_File]) -> list[str]:
    """Return, of images in one folder with one name, all but the photo."""
    rows = sorted(rows, key=lambda row: (files[row].ending not in _PHOTOS, names[row]))
    return [names[row] for row in rows[1:]]


def _spread(names: Sequence[str]) -> list[str]:
    step = max(1, len(names) // _LOOKED_AT)
    return list(names[::step][:_LOOKED_AT])


def _looks_like_one(pixels: NDArray[np.uint8] | None) -> bool:
    """Whether pixels have only a few different values."""
    if pixels is None:
        return False
    place = 256 ** np.arange(pixels.shape[-1])
    return len(np.unique(pixels.reshape(-1, pixels.shape[-1]) @ place)) <= _MOST_VALUES
