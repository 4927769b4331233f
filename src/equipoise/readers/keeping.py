"""What of the images that were read is kept: no unwanted conflicts, no small or empty class."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.images import ImageSet, LeftOut, leave_out
from equipoise.readers.decoded import Decoded
from equipoise.readers.splitting import units
from equipoise.readers.table import Table
from equipoise.selection import Selection

__all__ = ["LEFT", "Kept", "keep"]

LEFT = "left out"  # in the place of a split

Part = NDArray[np.str_]


@dataclass(frozen=True)
class Kept:
    """Images with the split of each, and what was left out before they were shared out.

    `rows` tells which of the images before they are.
    """

    data: ImageSet
    part: Part
    rows: NDArray[np.bool_]
    left_out: tuple[LeftOut, ...]


def keep(data: ImageSet, table: Table, decoded: Decoded, selection: Selection) -> Kept:
    """Leave out what a selection does not want, and classes without an image in training."""
    part = table.splits[decoded.rows].astype("U10")
    left_out: tuple[LeftOut, ...] = ()
    if selection.drop_conflicts:
        conflicts = _conflicts(data)
        part[conflicts] = LEFT
        left_out += leave_out("pictures under two classes", data.names[conflicts].tolist())
    least = selection.drop_classes_below
    small = np.zeros(len(data.classes), bool) if least is None else _small(data, part, least)
    counts = np.bincount(data.labels[part == "train"], minlength=len(data.classes))
    empty = (counts == 0) & ~small
    told = _of_classes(data, part, small) if small.any() else []
    part[(small | empty)[data.labels]] = LEFT
    left_out += (
        *leave_out(f"classes with fewer than {least} different images", told),
        *leave_out("classes without a training image", _why_empty(table, decoded, empty)),
        *leave_out(
            "images of classes without a training image", data.names[empty[data.labels]].tolist()
        ),
    )
    return Kept(*_with_classes(data, part, ~(small | empty)), left_out)


def _with_classes(
    data: ImageSet, part: Part, there: NDArray[np.bool_]
) -> tuple[ImageSet, Part, NDArray[np.bool_]]:
    """Return what is not left out, under the labels that remain, and which rows it was."""
    rows = part != LEFT
    if rows.all() and there.all():
        return data, part, rows
    data = data if rows.all() else data.select(rows)
    classes = tuple(name for name, one in zip(data.classes, there, strict=True) if one)
    labels = (np.cumsum(there) - 1)[data.labels]
    return replace(data, labels=labels, classes=classes), part[rows], rows


def _conflicts(data: ImageSet) -> NDArray[np.bool_]:
    """Which pictures stand under more than one class, and which are copies of such."""
    picture = units(data.digests)
    pairs = np.unique(np.stack([picture, data.labels]), axis=1)
    conflict = (np.bincount(pairs[0]) > 1)[picture]
    if data.copies is None:
        return conflict
    unit = units(data.digests, data.groups)
    return conflict | (data.copies & np.isin(unit, unit[conflict]))


def _small(data: ImageSet, part: Part, least: int) -> NDArray[np.bool_]:
    """Which classes have some images, but fewer than `least`."""
    counts = _different(data, part)
    return (counts > 0) & (counts < least)


def _different(data: ImageSet, part: Part) -> NDArray[np.intp]:
    """How many different images each class has, copies apart."""
    rows = (part != LEFT) & data.originals
    pairs = np.unique(np.stack([data.labels[rows], units(data.digests)[rows]]), axis=1)
    return np.bincount(pairs[0], minlength=len(data.classes))


def _of_classes(data: ImageSet, part: Part, which: NDArray[np.bool_]) -> list[str]:
    """Name classes with how many different images they have."""
    counts = _different(data, part)
    return [f"{data.classes[label]}: {counts[label]:,}" for label in np.flatnonzero(which).tolist()]


def _why_empty(table: Table, decoded: Decoded, empty: NDArray[np.bool_]) -> Iterator[str]:
    """Yield each empty class with what there is in the place of training images."""
    listed = np.bincount(table.labels, minlength=len(table.classes))
    read = np.bincount(table.labels[decoded.rows], minlength=len(table.classes))
    for label in np.flatnonzero(empty).tolist():
        name = table.classes[label]
        counts = {
            "unreadable": int(listed[label] - read[label]),
            "of other kinds": table.others.get(name, 0),
            "in other splits": int(read[label]),
        }
        words = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        yield f"{name}: {words}" if words else name
