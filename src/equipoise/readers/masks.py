"""Masks beside photos: pictures that belong to others and are no images of a class."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_masks"]

_WORDS = "masks?|gt|ground[-_ ]?truth|segmentations?|seg|annotations?|labels?"
_NAMED = re.compile(rf"(.+?)[-_. ](?:{_WORDS})(?:[-_. ]?\d+)?")
_LIKELY = re.compile(rf"(?:{_WORDS})(?:[-_. ]?\d+)?(?:/|$)")
_ROOM = re.compile(_WORDS, re.IGNORECASE)
_PHOTOS = (".jpg", ".jpeg", ".jpe", ".jfif")
_LOOKED_AT = 6  # pictures that stand for all
_TRIED = 60  # of which some may be unreadable
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
    count = Counter(stems)
    likely = [row for row, stem in enumerate(stems) if _LIKELY.search(stem)]
    masks = {row for row in likely if _is_beside(stems[row], count)}
    masks |= _in_rooms(likely, stems, labels)
    for label in filter(_ROOM.fullmatch, set(labels)):
        own = [row for row in likely if labels[row] == label]
        masks |= set(own) if _are_masks([names[row] for row in own], look) else set()
    twins = {row for row in _twins(names, stems, count) if row not in masks}
    if twins and _are_masks([names[row] for row in sorted(twins)], look):
        masks, twins = masks | twins, set()
    return [names[row] for row in sorted(masks)], [names[row] for row in sorted(twins)]


def _is_beside(stem: str, there: Collection[str]) -> bool:
    """Whether a picture is called like another one in its folder and mask."""
    named = _NAMED.fullmatch(stem)
    return named is not None and named[1] in there


def _in_rooms(rows: Sequence[int], stems: Sequence[str], labels: Sequence[str]) -> set[int]:
    """Return the rows that lie in a folder of masks of their class, beside their photos."""
    inside = {row for row in rows if _is_in_room(stems[row], labels[row])}
    if not inside:
        return set()
    photos = {
        (label, stem.rpartition("/")[2])
        for row, (stem, label) in enumerate(zip(stems, labels, strict=True))
        if row not in inside
    }
    found = set()
    for row in inside:
        own = stems[row].rpartition("/")[2]
        named = _NAMED.fullmatch(own)
        if {(labels[row], own), (labels[row], named[1] if named else own)} & photos:
            found.add(row)
    return found


def _is_in_room(stem: str, label: str) -> bool:
    room = stem.rpartition("/")[0].rpartition("/")[2]
    return room != label.lower() and _ROOM.fullmatch(room) is not None


def _twins(names: Sequence[str], stems: Sequence[str], count: Counter[str]) -> list[int]:
    """Return, of pictures in one folder with one name, all but the photo."""
    if len(count) == len(stems):
        return []
    beside = defaultdict(list)
    for row, stem in enumerate(stems):
        if count[stem] > 1:
            beside[stem].append(row)
    first = {
        min(rows, key=lambda row: (not names[row].lower().endswith(_PHOTOS), names[row]))
        for rows in beside.values()
    }
    return [row for rows in beside.values() for row in rows if row not in first]


def _are_masks(names: Sequence[str], look: Look) -> bool:
    """Whether images are masks, by some of them: each has only a few different values."""
    some = names[:: max(1, len(names) // _TRIED)]
    readable = (pixels for pixels in map(look, some) if pixels is not None)
    seen = [_values(pixels) for pixels in islice(readable, _LOOKED_AT)]
    return bool(seen) and max(seen) <= _MOST_VALUES


def _values(pixels: NDArray[np.uint8]) -> int:
    place = 256 ** np.arange(pixels.shape[-1])
    return len(np.unique(pixels.reshape(-1, pixels.shape[-1]) @ place))
