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
    like another image beside them, a JPEG if there is one, and of a few grey levels or colours; and
    all of a class that is called masks where they are of a few, too.

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
    files = [_File.of(*both) for both in zip(names, labels, strict=True)]
    beside = defaultdict(list)
    photos = defaultdict(set)
    for file in files:
        beside[file.folder, file.stem].append(file)
        if not file.in_room:
            photos[file.label].add(file.stem)

    def is_named(file: _File) -> bool:
        named = _NAMED.fullmatch(file.stem)
        if named and (file.folder, named[1]) in beside:
            return True
        of = photos[file.label] if file.in_room else ()
        return file.stem in of or (named is not None and named[1] in of)

    masks = {file.path for file in files if is_named(file)}
    for label in filter(_FOLDER.fullmatch, photos):
        own = [file.path for file in files if file.label == label]
        if _are_masks(own, look):
            masks |= set(own)
    twins = {path for some in beside.values() if len(some) > 1 for path in _twins(some)} - masks
    if twins and _are_masks(sorted(twins), look):
        return sorted(masks | twins), []
    return sorted(masks), sorted(twins)


class _File(NamedTuple):
    """A path and its parts, the file's in lower case.

    `in_room` tells that it lies in a folder of masks within its class.
    """

    path: str
    label: str
    folder: str
    stem: str
    ending: str
    in_room: bool

    @classmethod
    def of(cls, path: str, label: str) -> "_File":
        folder, _, file = path.rpartition("/")
        stem, _, ending = file.lower().rpartition(".")
        room = folder.rpartition("/")[2]
        return cls(
            path, label, folder, stem, ending, room != label and bool(_FOLDER.fullmatch(room))
        )


def _twins(beside: Sequence[_File]) -> list[str]:
    """Return, of images in one folder with one name, all but the photo."""
    return [f.path for f in sorted(beside, key=lambda f: (f.ending not in _PHOTOS, f.path))[1:]]


def _are_masks(names: Sequence[str], look: Look) -> bool:
    """Whether images are masks, by some of them."""
    return all(map(_looks_like_one, map(look, _spread(names))))


def _spread(names: Sequence[str]) -> list[str]:
    return list(names[:: max(1, len(names) // _LOOKED_AT)][:_LOOKED_AT])


def _looks_like_one(pixels: NDArray[np.uint8] | None) -> bool:
    """Whether pixels have only a few different values."""
    if pixels is None:
        return False
    place = 256 ** np.arange(pixels.shape[-1])
    return len(np.unique(pixels.reshape(-1, pixels.shape[-1]) @ place)) <= _MOST_VALUES
