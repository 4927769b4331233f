"""Sharing images out to training, validation and test: splits that are lacking are cut.

An image and its copies are never parted, and no copy is validated or tested on: copies of what is
held out are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, printable
from equipoise.images import ImageSet, LeftOut, leave_out
from equipoise.readers.keeping import LEFT
from equipoise.readers.splitting import Cut, cut, units
from equipoise.readers.taking import WITHHELD, long_tailed
from equipoise.selection import Selection

__all__ = ["Shared", "check_enough", "copies_of_held", "grouped", "share_out"]

_HELD = ("validation", "test")

Part = NDArray[np.str_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shared:
    """Where each image goes.

    Attributes
    ----------
    part : (N,) str
        'train', 'validation', 'test', `WITHHELD` or `LEFT`.
    given : tuple of str
        Which of 'validation' and 'test' the source brought along.
    withheld : (N,) bool
        Images of training that were not taken, and could be without giving anything away: none of
        them is a copy, or in one group with validation or test, or one of their pictures.
    left_out : tuple of LeftOut
    """

    part: Part
    given: tuple[str, ...]
    withheld: Mask
    left_out: tuple[LeftOut, ...]


def share_out(data: ImageSet, part: Part, lost: Mask, selection: Selection) -> Shared:
    """Cut the splits that are lacking, as a selection asks, and take from training.

    Parameters
    ----------
    data : ImageSet
    part : (N,) str
        The split that each image has in its source.
    lost : (N,) bool
        Copies whose source is not known.
    selection : Selection
    """
    unit = units(data.digests, data.groups)
    part = part.copy()
    holds = any(selection.share(name) is not None for name in _HELD)
    stray = (
        data.copies & np.isin(part, _HELD) if holds and data.copies is not None else lost & False
    )
    part[stray | (lost & holds)] = LEFT
    given = tuple(name for name in _HELD if (part == name).any())
    _cut(data, part, unit, "test", selection)
    _take(data, part, selection.take or _profile(data, part, selection.long_tail))
    _cut(data, part, unit, "validation", selection)
    if holds:
        _leave_copies(data, part, unit)
    held = np.isin(unit, unit[np.isin(part, _HELD)])
    return Shared(
        part=part,
        given=given,
        withheld=(part == WITHHELD) & ~held & data.originals & selection.cut,
        left_out=(
            *leave_out("copies whose original is not known", data.names[lost & holds].tolist()),
            *leave_out(
                "copies that stand in validation or test", data.names[stray & ~lost].tolist()
            ),
            *leave_out(
                "copies of validation and test images",
                data.names[(part == LEFT) & ~stray & ~lost].tolist(),
            ),
        ),
    )


def grouped(data: ImageSet, unit: NDArray[np.intp], rows: NDArray[np.intp]) -> bool:
    """Whether groups bind more of the images at `rows` together than equal pictures are."""
    pictures = len(np.unique(data.digests[rows]))
    return data.groups is not None and len(np.unique(unit[rows])) < pictures


def copies_of_held(data: ImageSet, unit: NDArray[np.intp], held: Mask) -> Mask:
    """Return which copies are of an image that is held out, or of its group."""
    if data.copies is None:
        return np.zeros(len(data), bool)
    return data.copies & np.isin(unit, unit[held])


def _cut(
    data: ImageSet, part: Part, unit: NDArray[np.intp], name: str, selection: Selection
) -> None:
    """Cut a split from training, unless there is one, and leave out copies of what it holds."""
    fraction = selection.share(name)
    if fraction is None:
        return
    if not (part == name).any():
        rows = np.flatnonzero((part == "train") & data.originals)
        later = name == "test" and selection.share("validation") and not (part == _HELD[0]).any()
        wanted = Cut(name, fraction, selection.seed, ("validation",) if later else ())
        how = grouped(data, unit, rows)
        chosen = cut(data.labels[rows], unit[rows], wanted, data.classes, grouped=how)
        part[rows[chosen]] = name
    _leave_copies(data, part, unit)


def _leave_copies(data: ImageSet, part: Part, unit: NDArray[np.intp]) -> None:
    part[(part == "train") & copies_of_held(data, unit, np.isin(part, _HELD))] = LEFT


def _take(data: ImageSet, part: Part, take: Mapping[str, int]) -> None:
    """Cut training down to the first so many of a class."""
    for name, count in take.items():
        if name not in data.classes:
            raise InputError(f"--take {printable(name)}={count}: the class is left out.")
        there = (part == "train") & (data.labels == data.classes.index(name))
        check_enough(name, count, there)
        part[np.flatnonzero(there)[count:]] = WITHHELD


def _profile(data: ImageSet, part: Part, long_tail: float | None) -> Mapping[str, int]:
    """Return how many training images of each class a long tail keeps; none where none is asked."""
    if long_tail is None:
        return {}
    counts = np.bincount(data.labels[part == "train"], minlength=len(data.classes))
    return dict(zip(data.classes, long_tailed(counts, long_tail).tolist(), strict=True))


def check_enough(name: str, count: int, there: Mask) -> None:
    """Refuse to take more images of a class than there are."""
    if count > there.sum():
        raise InputError(
            f"--take {printable(name)}={count}: the training split has only {there.sum():,}."
        )
