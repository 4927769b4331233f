"""Leaving images out of training whose labels are wrong, as a list of them says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, plural, printable
from equipoise.images import ImageSet, leave_out
from equipoise.readers.cutting import Shared, copies_of_held
from equipoise.readers.keeping import LEFT
from equipoise.readers.lists import read_list
from equipoise.readers.splitting import units
from equipoise.readers.table import Table
from equipoise.selection import Selection

__all__ = ["Dropped", "drop", "suspected"]

_OPTION = "--drop-suspects"
_TOLD = 3


@dataclass(frozen=True)
class Dropped:
    """Where the images go without the suspects.

    Attributes
    ----------
    shared : Shared
    listed, dropped : (N,) bool
        The suspects and their copies; those of them that would have been trained on.
    notes : tuple of str
        Which suspects stay.
    """

    shared: Shared
    listed: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    notes: tuple[str, ...]


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
    rows = read_list(path, _OPTION, maybe=("class",))
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
            f"{_OPTION} {printable(path)}, line {first.line}: {source} has no image "
            f"{printable(first.name)!r}{more}. Give the list of an audit of the same data."
        )
    return {row.name for row in rows}


def drop(data: ImageSet, shared: Shared, names: set[str], selection: Selection) -> Dropped:
    """Take suspects out of training, and their copies; those in validation and test stay.

    Raises
    ------
    InputError
        Where nothing would be left of a class.
    """
    listed = np.isin(data.names, list(names))
    if data.groups is not None:
        listed = listed | copies_of_held(data, units(data.groups), listed)
    part = shared.part.copy()
    dropped = listed & (part == "train")
    part[dropped] = LEFT
    had, left = (_counts(data, one == "train") for one in (shared.part, part))
    for label in np.flatnonzero((had > 0) & (left == 0)).tolist():
        raise InputError(
            f"{_OPTION} {printable(selection.drop_suspects)}: lists "
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
    return Dropped(
        shared=replace(
            shared,
            part=part,
            withheld=shared.withheld & ~listed,
            left_out=(*shared.left_out, *(one for some in of_class for one in some)),
        ),
        listed=listed,
        dropped=dropped,
        notes=tuple(_staying(data, part, listed)),
    )


def _counts(data: ImageSet, rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.bincount(data.labels[rows & data.originals], minlength=len(data.classes))


def _staying(data: ImageSet, part: NDArray[np.str_], listed: NDArray[np.bool_]) -> Iterator[str]:
    for name in ("validation", "test"):
        there = data.names[listed & (part == name)].tolist()
        if there:
            some = ", ".join(map(printable, there[:_TOLD]))
            such = f"such as {some}" if len(there) > _TOLD else some
            yield f"Suspects that stay in {name}: {len(there):,} ({such})"
