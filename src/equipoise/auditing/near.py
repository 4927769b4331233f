"""Near duplicates and odd images of a data set, by their names."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.auditing.gathering import gather
from equipoise.images import ImageSet, Splits
from equipoise.near import Alike, find_alike, shares

__all__ = ["Near", "Nearness", "find_near"]

_TINY = 8  # pixels, or an eighth of what is usual in the set


@dataclass(frozen=True)
class Near:
    """Images that are nearly one picture: names, splits, classes.

    `distance` is the number of hash bits, 0 to 6, in which two of them differ at most.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    distance: int


@dataclass(frozen=True)
class Nearness:
    """What looking at every picture found: near duplicates, and the names of odd images."""

    near: tuple[Near, ...]
    blank: tuple[str, ...]
    tiny: tuple[str, ...]


def find_near(data: Splits) -> Nearness:
    """Look at every image of a data set.

    Exact duplicates count as one picture, and all of them are named with what is near to it.
    Blank images are near to none.
    """
    parts = [part for part in data.parts.values() if len(part)]
    digests = np.concatenate([part.digests for part in parts])
    found = find_alike([part.images for part in parts], digests)
    usual = max(_TINY, float(np.median(found.looks.short)) / 8)
    return Nearness(
        near=_groups(data, found),
        blank=_names(parts, found.looks.blank),
        tiny=_names(parts, found.looks.short < usual),
    )


def _names(parts: Iterable[ImageSet], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """The names of the images that a mask over all splits marks."""
    marked = shares(parts, np.flatnonzero(mask))
    return tuple(name for part, mine in marked for name in part.names[mine].tolist())


def _groups(data: Splits, found: Alike) -> tuple[Near, ...]:
    """Return what hangs together by near pairs, in the order of the first images."""
    group = found.groups
    touched = np.zeros(len(group), bool)
    touched[found.pairs] = True
    farthest = np.zeros(len(group), np.uint8)
    np.maximum.at(farthest, group[found.pairs[:, 0]], found.distances)
    rows = np.flatnonzero(touched[found.picture])
    groups = group[found.picture[rows]]
    return tuple(
        Near(*some, distance=int(farthest[number]))
        for number, some in gather(data, rows, groups).items()
    )
