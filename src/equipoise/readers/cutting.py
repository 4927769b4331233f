"""Sharing images out to training, validation and test: splits that are lacking are cut.

An image and its copies are never parted, and no copy is validated or tested on: copies of what is
held out are left out. Images whose labels are wrong, as a list of them says, leave training last.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, plural, printable, require
from equipoise.images import ImageSet, LeftOut, leave_out
from equipoise.readers.keeping import LEFT
from equipoise.readers.lists import read_list
from equipoise.readers.splitting import Cut, cut, units
from equipoise.readers.table import Table
from equipoise.selection import Selection

__all__ = [
    "WITHHELD",
    "Shared",
    "check_enough",
    "copies_of_held",
    "grouped",
    "long_tailed",
    "share_out",
    "suspected",
]

WITHHELD = "withheld"  # the split of training images that a selection leaves out

_HELD = ("validation", "test")
_SUSPECTS = "--drop-suspects"
_TOLD = 3  # suspects in a line

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
    suspects, dropped : (N,) bool
        The images whose labels are wrong as a list says, and their copies; those of them that would
        have been trained on.
    notes : tuple of str
        Which suspects stay.
    """

    part: Part
    given: tuple[str, ...]
    withheld: Mask
    left_out: tuple[LeftOut, ...]
    suspects: Mask
    dropped: Mask
    notes: tuple[str, ...] = ()


def share_out(
    data: ImageSet, part: Part, lost: Mask, selection: Selection, suspects: Collection[str] = ()
) -> Shared:
    """Cut the splits that are lacking, as a selection asks, and take from training.

    Suspects leave training last, and their copies; those in validation and test stay.

    Parameters
    ----------
    data : ImageSet
    part : (N,) str
        The split that each image has in its source.
    lost : (N,) bool
        Copies whose source is not known.
    selection : Selection
    suspects : collection of str
        The names of images whose labels are wrong.

    Raises
    ------
    InputError
        Where classes are too small to be cut or taken from, or nothing would be left of one.
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
    shared = Shared(
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
        suspects=np.zeros(len(data), bool),
        dropped=np.zeros(len(data), bool),
    )
    return _drop(data, shared, suspects, selection) if suspects else shared


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


def long_tailed(counts: NDArray[np.int64], ratio: float) -> NDArray[np.int64]:
    """Return how many images of each class a long tail keeps.

    The exponential profile of Cui, Jia, Lin, Song and Belongie, "Class-balanced loss based on
    effective number of samples", CVPR 2019, and of Cao et al., NeurIPS 2019: class k of K keeps
    ``n · ratio^(-k/(K-1))``, rounded down. n is the largest number for which every class has
    enough: with classes of one size, that size.

    Parameters
    ----------
    counts : (K,) int64
        Training images of each class, the class with the most to keep first.
    ratio : float
        The imbalance ratio, largest to smallest class, at least 1.

    Raises
    ------
    InputError
        If the last class would be left without an image.
    """
    require(ratio >= 1, "long_tail >= 1", long_tail=ratio)
    shares = ratio ** (-np.arange(len(counts)) / (len(counts) - 1))
    most = (counts / shares).min()
    # Rounded first: 4,800 · 0.01 must not become 47 for want of the last bit.
    kept = np.floor(np.round(most * shares, 6)).astype(np.int64)
    if kept.min() < 1:
        raise InputError(
            f"--long-tail {ratio:g} leaves no image of the last class: "
            f"{plural(round(most), 'image')} divided by {ratio:g}. Give a smaller ratio."
        )
    return kept


def suspected(table: Table, selection: Selection, source: str) -> set[str]:
    """Return the names of a selection's suspects.

    Raises
    ------
    InputError
        Where the list names an image that there is not; images of classes that are not selected
        are no mistake.
    """
    path = selection.drop_suspects
    if path is None:
        return set()
    rows = read_list(path, _SUSPECTS, maybe=("class",))
    known = set(table.names.tolist()) | {one.name for one in table.broken}
    strange = [
        row
        for row in rows
        if row.name not in known
        and not (selection.classes and row.fields[0] not in (*table.classes, ""))
    ]
    if strange:
        first = strange[0]
        more = f", and {len(strange) - 1:,} more" if len(strange) > 1 else ""
        raise InputError(
            f"{_SUSPECTS} {printable(path)}, line {first.line}: {source} has no image "
            f"{printable(first.name)!r}{more}. Give the list of an audit of the same data."
        )
    return {row.name for row in rows}


def _drop(data: ImageSet, shared: Shared, names: Collection[str], selection: Selection) -> Shared:
    """Take suspects out of training, and their copies; those in validation and test stay."""
    listed = np.isin(data.names, list(names))
    if data.groups is not None:
        listed = listed | copies_of_held(data, units(data.groups), listed)
    part = shared.part.copy()
    dropped = listed & (part == "train")
    part[dropped] = LEFT
    had, left = (_counts(data, one == "train") for one in (shared.part, part))
    for label in np.flatnonzero((had > 0) & (left == 0)).tolist():
        raise InputError(
            f"{_SUSPECTS} {printable(selection.drop_suspects)}: lists "
            f"{plural(int(had[label]), 'training image')} of class "
            f"{printable(data.classes[label])!r}, and these are all. Delete the rows whose label "
            "is right."
        )
    of_class = [
        leave_out(
            f"training images of class {printable(name)!r} with suspected labels",
            data.names[dropped & (data.labels == label)].tolist(),
        )
        for label, name in enumerate(data.classes)
    ]
    return replace(
        shared,
        part=part,
        withheld=shared.withheld & ~listed,
        left_out=(*shared.left_out, *(one for some in of_class for one in some)),
        suspects=listed,
        dropped=dropped,
        notes=tuple(_staying(data, part, listed)),
    )


def _counts(data: ImageSet, rows: Mask) -> NDArray[np.intp]:
    return np.bincount(data.labels[rows & data.originals], minlength=len(data.classes))


def _staying(data: ImageSet, part: Part, listed: Mask) -> Iterator[str]:
    for name in ("validation", "test"):
        there = data.names[listed & (part == name)].tolist()
        if there:
            some = ", ".join(map(printable, there[:_TOLD]))
            such = f"such as {some}" if len(there) > _TOLD else some
            yield f"Suspects that stay in {name}: {len(there):,} ({such})"
