"""The registry of formats: which reader takes a source."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from os import PathLike, fspath
from os.path import realpath
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, printable, reason
from equipoise.readers.archives import is_shards, read_shards, read_tar, read_tar_gz, read_zip
from equipoise.readers.arrays import read_arrays
from equipoise.readers.cifar import find_cifar10, is_batches, read_batches
from equipoise.readers.csv import read_csv
from equipoise.readers.digits import read_digits
from equipoise.readers.folder import read_folder
from equipoise.readers.manifests import above
from equipoise.readers.npz import read_npz
from equipoise.readers.parquet import is_parquet, read_parquet
from equipoise.readers.split_names import settled
from equipoise.readers.table import Reader, Table
from equipoise.readers.texts import alike, as_text, as_texts
from equipoise.selection import Selection

__all__ = ["READERS", "Source", "check_apart", "open_table", "source_name"]

Source = str | PathLike[str] | tuple[Any, Any]

_ARRAYS = "(images, labels)"
# Sources that are no paths, whatever stands there under their names.
_NAMES = ("", "cifar10", "digits", _ARRAYS)

# One line a format.
READERS: dict[str, Reader] = {
    ".zip": read_zip,
    ".tar": read_tar,
    ".tar.gz": read_tar_gz,
    ".tgz": read_tar_gz,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
_TABLES = (read_csv, read_parquet)
# Folders that are no image folders: how each is known, and its reader.
FOLDERS: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
    (is_batches, read_batches),
    (is_parquet, read_parquet),
    (is_shards, read_shards),
)


def open_table(source: Source, selection: Selection) -> Table:
    """Return the table of any source: a path, a name, or a pair of arrays.

    Its names and classes can be written as UTF-8, and its splits are those of `Table`.
    """
    table = _opened(source, selection)
    if "" in table.classes:
        raise InputError(f"{printable(source_name(source))}: some labels are empty text.")
    return replace(
        table,
        names=as_texts(table.names),
        classes=_apart(map(as_text, table.classes)),
        splits=settled(table.splits),
        groups=None if table.groups is None else as_texts(table.groups),
        broken=tuple(replace(one, name=as_text(one.name)) for one in table.broken),
        left_out=tuple(
            replace(one, names=tuple(map(as_text, one.names))) for one in table.left_out
        ),
        others={as_text(name): count for name, count in table.others.items()},
        notes=(*table.notes, *alike(table.classes)),
    )


def _apart(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of classes, no two equal: escaped bytes may be how another one is called."""
    found: dict[str, None] = {}
    for name in names:
        while name in found:
            name += "'"
        found[name] = None
    return tuple(found)


def _opened(source: Source, selection: Selection) -> Table:
    if isinstance(source, (tuple, list)):
        if len(source) != 2:
            raise InputError(f"Arrays must be a pair (images, labels), but got {len(source)}.")
        return read_arrays(*source)
    if not isinstance(source, (str, PathLike)):
        kind = type(source).__name__
        raise InputError(f"A path, 'cifar10', 'digits' or (images, labels) needed, not a {kind}.")
    if source == "digits":
        return read_digits()
    path = find_cifar10(selection.data_dir) if source == "cifar10" else Path(fspath(source))
    reader = _reader(path)
    if selection.columns and reader not in _TABLES:
        raise InputError(
            f"{printable(path)}: --columns is for tables (.csv, .tsv, .parquet), and this is none."
        )
    try:
        table = reader(path, selection)
        return table if table.place is None else _with_manifests(table, path)
    except InputError as error:  # paths and names in it may hold anything
        raise InputError(printable(error, limit=2000)) from None
    except OSError as error:
        raise InputError(f"{printable(path)}: {reason(error)}.") from None
    except MemoryError:
        raise InputError(f"{printable(path)}: does not fit this machine's memory.") from None


def _with_manifests(table: Table, path: Path) -> Table:
    """Return the table with the manifests beside and above the source, too."""
    manifests, notes = above(path)
    own = {(one.below, one.after) for one in table.manifests}
    more = [one for one in manifests if (one.below, one.after) not in own]
    return replace(
        table,
        manifests=(*table.manifests, *more),
        notes=(*table.notes, *(note for note in notes if note not in table.notes)),
    )


def check_apart(out: Path, source: Source) -> None:
    """Refuse an output inside a data set that is a folder: it would be read as a part of it."""
    if not isinstance(source, (str, PathLike)) or source in _NAMES:
        return
    place = Path(source)
    # `realpath` takes links that go round in a circle, too.
    if place.is_dir() and Path(realpath(out)).is_relative_to(realpath(place)):
        raise InputError(
            f"{printable(out)} lies inside the data set {printable(place)}, which would be read "
            "with it next time. Name a place outside it."
        )


def source_name(source: Source) -> str:
    """Return how messages and files call a source."""
    return fspath(source) if isinstance(source, (str, PathLike)) else _ARRAYS


def _reader(path: Path) -> Reader:
    shown = printable(path)
    try:
        if path.is_dir():
            return next((reader for known, reader in FOLDERS if known(path)), read_folder)
        path.stat()
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file or folder.{_guess(path)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown}: {reason(error)}.") from None
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    raise InputError(
        f"{shown}: unknown format; expected a folder, {', '.join(READERS)}, 'cifar10' or 'digits'."
    )


def _guess(path: Path) -> str:
    """Return which data set may have been meant: one beside it, or one that has a name."""
    try:
        beside = [str(path.with_name(entry.name)) for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        beside = []
    near = difflib.get_close_matches(str(path), [*beside, "cifar10", "digits"], n=1)
    return f" Did you mean {printable(near[0])!r}?" if near else ""
