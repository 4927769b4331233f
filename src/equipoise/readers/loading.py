"""`load`: read a data set, choose from it, and cut the splits it lacks."""

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike

import numpy as np

from equipoise.errors import InputError, plural, printable, require, unknown
from equipoise.images import Broken, ImageSet, LeftOut, Splits, leave_out
from equipoise.readers.belonging import belonging
from equipoise.readers.cutting import Shared, check_enough, share_out, suspected
from equipoise.readers.decoded import Decoded, decode_table, listed
from equipoise.readers.folder import LEAVES
from equipoise.readers.keeping import keep
from equipoise.readers.opening import Source, open_table, source_name
from equipoise.readers.sizing import Sizing
from equipoise.readers.table import Table
from equipoise.readers.texts import as_text
from equipoise.selection import MOST_BYTES, MOST_PIXELS, Selection

__all__ = ["image_set", "load", "read"]

_NAMED = 10  # classes


def load(
    source: Source,
    *,
    classes: Sequence[str] | None = None,
    take: Mapping[str, int] | None = None,
    long_tail: float | None = None,
    size: int | str | None = None,
    fit: str = "squash",
    range: str = "auto",
    seed: int = 0,
    test_fraction: float | None = None,
    validation_fraction: float | None = None,
    groups: str | None = None,
    drop_classes_below: int | None = None,
    drop_conflicts: bool = False,
    drop_suspects: str | PathLike[str] | None = None,
    cut: bool = True,
    columns: Mapping[str, str] | None = None,
    follow_links: bool = False,
    data_dir: str | PathLike[str] | None = None,
    most_pixels: int = MOST_PIXELS,
    most_bytes: int = MOST_BYTES,
) -> Splits:
    """Read a data set and cut the splits that it lacks.

    Parameters
    ----------
    source : path, str or (images, labels)
        A folder or archive of class folders, .npz, .csv, Parquet (a file or a folder), WebDataset
        shards (a .tar or a folder), the CIFAR-10 python archive, 'cifar10', 'digits', or two
        arrays.
    classes : sequence of str, optional
        The classes to keep, in this order: a class's label is its position.
    take : mapping of str to int, optional
        How many images of a class to keep in training: the first so many. Done after the test
        split is cut and before the validation split is. What is left out is kept as `withheld`.
    long_tail : float, optional
        In the place of `take`: training images thinned out, class by class in their order, down to
        one in so many for the last; see `readers.cutting.long_tailed`.
    size : int or 'auto', optional
        Side to bring the images to, in pixels, 2 to 4096. By default, and with 'auto', sets of one
        size up to 64×64 keep it, others without larger pictures are brought to 64×64, and all
        others to 160×160, as the default trainer for photographs takes them.
    fit : {'squash', 'crop', 'pad'}
        How images that are not square are brought to a square one: their shape changed, their
        centre cut out, or grey set beside them.
    range : 'auto', 'full' or 'LO:HI'
        Which values of images of sixteen bits a channel become 0 … 255; one range for the whole
        set, and what lies outside is clipped. 'auto': from 0 to the smallest 2^k - 1, k from 8 to
        16, that holds every value of the training images; where the test split is still to be cut
        these are all that the source does not give to another split. 'full': 0:65535.
    seed : int
        Chooses the splits that are cut.
    test_fraction, validation_fraction : float, optional
        Shares to cut where the source has no such split, between 0 and 1: the test split of all,
        then the validation split of what is left for training. By default 0.2 and 0.15, or nothing
        without `cut`. Every class gives one image at least. Exact duplicates stay together, as do
        groups, and an image and the copies of it that a manifest of `upsample` names: copies of
        what is held out are left out.
    groups : {'near', 'folder'}, path of a .csv or regular expression, optional
        Which images stay in one split, besides those of a table's column `group`: near duplicates;
        those of one folder below their class; those that have the same value in column `group` of
        the file, whose column `image` names them; those in whose name the first group of a regular
        expression captures the same text.
    drop_classes_below : int, optional
        Leave out classes with fewer different images than this; copies do not count.
    drop_conflicts : bool
        Leave out pictures that stand, pixel for pixel, under more than one class.
    drop_suspects : path, optional
        A .csv whose column `image` names images with wrong labels, such as `audit_deep` finds. They
        and their copies are left out of training; in validation and test they stay. Done last, so
        that validation and test are the same without it.
    cut : bool
        False cuts nothing unless a share is given and, without `size`, resizes nothing: missing
        splits are empty, and images of mixed sizes decode on demand.
    columns : mapping, optional
        Which column of a .csv or Parquet file is which, from 'path' (or 'image'), 'label', 'group'
        and 'split' to the columns' names. By default they are known by their usual names.
    follow_links : bool
        Also follow symbolic links that leave the data set's folder; others always are.
    data_dir : path, optional
        Where the archive or folder of 'cifar10' lies.
    most_pixels : int
        Larger images in files are left out as broken before they are decoded.
    most_bytes : int
        Larger files, as encoded as they are, and larger members of archives are left out as broken
        before they are read.

    Raises
    ------
    InputError
        For anything wrong with the source or the options, in one line.
    """
    fields = {name: value for name, value in locals().items() if name != "source"}
    return read(source, Selection(**fields))


def read(source: Source, selection: Selection) -> Splits:
    """Read a data set as a selection says; `load` explains its fields."""
    with _without_collections():
        return _read(source, _in_text(selection))


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep Python from looking for cycles among what is read: there are none, and that takes long.

    The more objects there are, the longer: of 100,000 images a tenth of the time.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _read(source: Source, selection: Selection) -> Splits:
    table = _select(open_table(source, selection), selection.classes)
    least = 2 if selection.cut else 1  # an audit may look at one class
    _check_enough_classes(table.classes, least, (*unread(table.broken), *table.left_out))
    suspects = suspected(table, selection, printable(source_name(source)))
    _check_take(table, selection.take or {})
    _check_long_tail(selection.long_tail, selection.take)
    decoded = (
        decode_table(
            table,
            sizing=Sizing(selection.side, selection.fit, selection.large),
            whole=selection.whole,
            most_pixels=selection.most_pixels,
            bounds=selection.bounds,
        )
        if selection.looks
        else listed(table)
    )
    asked = {*(selection.classes or ()), *(selection.take or ())}
    _check_classes(table, decoded, asked, printable(source_name(source)))
    data, lost, notes = belonging(image_set(table, decoded), table, selection.groups)
    kept = keep(data, table, decoded, selection)
    data = kept.data
    broken = (*table.broken, *decoded.broken)
    left_out = (*unread(broken), *table.left_out, *kept.left_out)
    _check_enough_classes(data.classes, least, left_out)
    shared = share_out(data, kept.part, lost[kept.rows], selection, suspects)
    notes += (*shared.notes, *_lacking(data, shared))
    return Splits(
        train=data.select(shared.part == "train"),
        validation=data.select(shared.part == "validation"),
        test=data.select(shared.part == "test"),
        source=source_name(source),
        broken=broken,
        left_out=(*left_out, *shared.left_out),
        sizes=decoded.sizes,
        modes=decoded.modes,
        notes=(*table.notes, *decoded.notes, *_range_note(selection, decoded), *notes),
        given=shared.given,
        range=decoded.range,
        withheld=data.select(shared.withheld) if shared.withheld.any() else None,
        fit=selection.fit,
        size=decoded.size,
        dropped=data.select(shared.dropped) if shared.dropped.any() else None,
        suspects=data.ids[shared.suspects] if shared.suspects.any() else None,
        read_with=selection.given,
    )


def _range_note(selection: Selection, decoded: Decoded) -> tuple[str, ...]:
    if selection.bounds is None or decoded.range is not None:
        return ()
    return (f"No image is 16-bit: --range {selection.range} changes nothing",)


def _lacking(data: ImageSet, shared: Shared) -> tuple[str, ...]:
    """Tell which classes a split that was given has no image of."""
    notes = []
    for name in shared.given:
        counts = np.bincount(data.labels[shared.part == name], minlength=len(data.classes))
        lacking = [printable(data.classes[label]) for label in np.flatnonzero(counts == 0).tolist()]
        if lacking:
            more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
            named = ", ".join(lacking[:_NAMED])
            notes.append(f"The {name} split has no image of {named}{more}")
    return tuple(notes)


def _in_text(selection: Selection) -> Selection:
    """Return a selection with its classes as a table has them."""
    classes, take = selection.classes, selection.take
    return replace(
        selection,
        classes=None if classes is None else [as_text(name) for name in classes],
        take=None if take is None else {as_text(name): n for name, n in take.items()},
    )


def _select(table: Table, classes: Sequence[str] | None) -> Table:
    """Keep the wanted classes, in the order wanted."""
    kept = table.classes if classes is None else tuple(classes)
    for name in kept:
        _check_class(name, table.classes)
    if twice := sorted({name for name in kept if kept.count(name) > 1}):
        raise InputError(f"Each class can be given once, but got {printable(twice[0])!r} twice.")
    if classes is None:
        return table
    place = np.full(len(table.classes), -1)
    place[[table.classes.index(name) for name in kept]] = np.arange(len(kept))
    labels = place[table.labels]
    rows = np.flatnonzero(labels >= 0)
    return replace(table.pick(rows), labels=labels[rows].astype(np.int64), classes=kept)


def _check_class(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise unknown("class", printable(name), [printable(one) for one in known])


def _check_take(table: Table, take: Mapping[str, int]) -> None:
    """Refuse what no reading can make right, before anything is decoded."""
    for name, count in take.items():
        _check_class(name, table.classes)
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        require(whole and count > 0, "take >= 1", remedy=f"Class: {printable(name)}.", take=count)
        label = table.classes.index(name)
        check_enough(name, count, (table.splits == "train") & (table.labels == label))


def _check_long_tail(long_tail: float | None, take: Mapping[str, int] | None) -> None:
    if long_tail is None:
        return
    finite = isinstance(long_tail, (int, float, np.number)) and np.isfinite(long_tail)
    require(bool(finite and long_tail >= 1), "long_tail >= 1", long_tail=long_tail)
    if take:
        raise InputError("--take and --long-tail both choose the training images: give one.")


def _check_classes(table: Table, decoded: Decoded, asked: Collection[str], source: str) -> None:
    """Refuse a class that is asked for and has no image in training, and a set without any.

    A file that should have been one is named.
    """
    train = decoded.rows[table.splits[decoded.rows] == "train"]
    counts = np.bincount(table.labels[train], minlength=len(table.classes))
    lacking = [i for i, n in enumerate(counts) if not n and table.classes[i] in asked]
    if counts.any() and not lacking:
        return
    lost = decoded.broken or table.broken
    if not len(decoded.rows) and lost:
        raise InputError(f"{source}: none of the images can be read; {_line(lost[0])}")
    if len(decoded.rows) and not (counts.any() or lost):
        there = " and ".join(sorted(set(table.splits[decoded.rows].tolist())))
        raise InputError(f"{source}: holds no training image; all are of {there}.")
    label = lacking[0] if lacking else int(np.argmin(counts))
    unread = np.setdiff1d(np.flatnonzero(table.labels == label), decoded.rows)
    names = set(table.names[unread].tolist())
    first = next((f"; {_line(one)}" for one in decoded.broken if one.name in names), ".")
    others = table.others.get(table.classes[label])
    kinds = f" ({plural(others, 'file of another kind', 'files of other kinds')})" if others else ""
    raise InputError(
        f"{source}: class {printable(table.classes[label])!r} has no readable image in training"
        f"{kinds}{first}"
    )


def _check_enough_classes(classes: Sequence[str], least: int, left_out: Sequence[LeftOut]) -> None:
    """Refuse fewer classes than needed, with what is left out: it may be the others."""
    if len(classes) < least:
        only = f"only {printable(classes[0])!r}" if classes else "none"
        words = " ".join(f"{one.line}." for one in left_out)
        raise InputError(f"At least two classes are needed, but there is {only}. {words}".rstrip())


def unread(broken: Sequence[Broken]) -> tuple[LeftOut, ...]:
    """Return what could or must not be read, reason by reason, each with its own in brackets."""
    outside = [one.name for one in broken if one.reason == LEAVES]
    others = [f"{one.name}: {one.reason}" for one in broken if one.reason != LEAVES]
    return (
        *leave_out("unreadable files", others),
        *leave_out("links that leave the folder (--follow-links follows them)", outside),
    )


def _line(broken: Broken) -> str:
    return f"{printable(broken.name)}: {broken.reason}."


def image_set(table: Table, decoded: Decoded) -> ImageSet:
    """Return the images of a table that could be read."""
    rows = decoded.rows
    return ImageSet(
        images=decoded.images,
        labels=table.labels[rows],
        classes=table.classes,
        ids=table.ids[rows],
        names=table.names[rows],
        digests=decoded.digests,
        groups=None if table.groups is None else table.groups[rows],
    )
