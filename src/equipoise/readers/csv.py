"""A .csv or .tsv of image files: a row an image, with its path, label and, if wanted, group, split.

Fields are parted by comma, semicolon, tab or blanks. Paths are relative to the folder of the table
and stay within it; a name or an id alone will do where one file below that folder is called so.
"""

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import numpy as np

from equipoise.errors import InputError, printable
from equipoise.files import MARK
from equipoise.images import Broken, leave_out
from equipoise.readers.columns import LONGEST, as_splits, asked_column, is_sure, plain, usual
from equipoise.readers.folder import read_inside
from equipoise.readers.layout import hidden, is_image_name
from equipoise.readers.lists import read_rows
from equipoise.readers.manifests import MANIFEST, Manifest, within
from equipoise.readers.table import Files, Table, positions, sorted_classes
from equipoise.selection import Selection

__all__ = ["read_csv"]

_DELIMITERS = ",;\t "
_SHOWN = 60  # characters of a path that is too long
_TRIED = 20  # paths that are tried as they are
_COLUMNS = ("path", "label", "group", "split")


class _Row(NamedTuple):
    """A row: its number, from 0, and its fields; `group` and `split` where it has them."""

    number: int
    path: str
    label: str
    group: str
    split: str


def read_csv(path: Path, selection: Selection = Selection()) -> Table:
    """Read a table of image files; a row's number, from 0, is its image's id.

    Rows without a label are left out.
    """
    roles, rows = _read(path, selection.columns)
    if not rows:
        raise InputError(f"{path}: holds no rows; expected one an image: path,label.")
    kept = [row for row in rows if row.label and not _is_long(row)]
    if not kept:
        raise InputError(f"{path}: holds no row with a label.")
    labels = [row.label for row in kept]
    _check_single(path, labels)
    sure = is_sure("split", roles.get("split", ""), selection.columns)
    classes = sorted_classes(labels)
    root = path.resolve().parent
    found = _look_up([row.path for row in kept], root, path.stem)
    fetch = partial(
        read_inside, str(root), most_bytes=selection.most_bytes, follow_links=selection.follow_links
    )
    manifests, remarks = _manifests(root, found.paths, selection.most_bytes)
    long = (f"{row.path[:_SHOWN]}…" for row in rows if _is_long(row))
    table = Table(
        names=np.array(found.paths),
        labels=positions(labels, classes),
        classes=classes,
        splits=as_splits([row.split for row in kept], sure, str(path)),
        ids=np.array([row.number for row in kept], np.int64),
        pixels=Files(fetch, found.paths),
        groups=np.array([row.group for row in kept]) if "group" in roles else None,
        broken=(
            *(Broken(name, f"a field of more than {LONGEST:,} characters") for name in long),
            *(Broken(kept[row].path, words) for row, words in found.doubtful.items()),
        ),
        left_out=leave_out("rows without a label", (row.path for row in rows if not row.label)),
        place=lambda name, _: PurePosixPath(name).as_posix(),
        manifests=manifests,
        notes=(*found.notes, *remarks),
    )
    certain = np.setdiff1d(np.arange(len(kept)), list(found.doubtful))
    return table.pick(certain) if found.doubtful else table


def _manifests(
    root: Path, paths: Iterable[str], most_bytes: int
) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Return the manifests in the folders that the images lie in, and remarks."""
    folders = {path.rpartition("/")[0] for path in paths}
    inner = {str(one) for folder in folders for one in (folder, *PurePosixPath(folder).parents)}
    beside = [f"{one}/{file}" for one in inner - {"", "."} for file in (MANIFEST, MARK)]
    found = {name: name for name in beside if (root / name).is_file()}
    return within(found, partial(read_inside, str(root), most_bytes=most_bytes), str(root))


def _is_long(row: _Row) -> bool:
    return max(map(len, row[1:])) > LONGEST


def _read(path: Path, asked: Mapping[str, str] | None) -> tuple[dict[str, str], list[_Row]]:
    """Return the column of each role, and the checked rows."""

    def delimiter(first: str) -> str:
        return max(_DELIMITERS, key=lambda mark: _fitness(_head(first, mark), asked))

    lines = read_rows(path, str(path), delimiter)
    _, head = next(lines)
    roles = _roles(path, head, asked)
    places = [head.index(roles[role]) if role in roles else -1 for role in _COLUMNS]
    needed = [n for n, column in roles.items() if n != "label" and is_sure(n, column, asked)]
    rows: list[_Row] = []
    for line, row in lines:
        where = f"{path}, line {line}"
        fields = ["" if place < 0 else row[place].strip() for place in places]
        rows.append(_checked(_Row(len(rows), *fields), roles, needed, path.parent, where))
    return roles, rows


def _head(line: str, delimiter: str) -> list[str]:
    line = " ".join(line.split()) if delimiter == " " else line
    return next(csv.reader([line], delimiter=delimiter), [])


def _fitness(head: list[str], asked: Mapping[str, str] | None) -> int:
    """Say how well a first line goes for names of columns: how many of them have a role."""
    wanted = {plain(name) for name in (asked or {}).values()}
    usually = sum(usual(role, head) is not None for role in _COLUMNS)
    return usually + len(wanted & set(map(plain, head)))


def _roles(path: Path, head: list[str], asked: Mapping[str, str] | None) -> dict[str, str]:
    """Return which column has which role.

    Of two columns, the one beside the paths is of labels.
    """
    names = [name for name in head if name.strip()]
    roles: dict[str, str] = {}
    for role in _COLUMNS:
        rest = [name for name in names if name not in roles.values()]
        column = asked_column(role, asked, names, str(path)) or usual(role, rest)
        if column is None and role == "label" and len(names) == 2 and "path" in roles:
            column = rest[0]
        if column is not None:
            roles[role] = column
    if not {"path", "label"} <= set(roles) or len(set(map(plain, names))) < len(names):
        raise InputError(
            f"{path}: the first line must name the columns path,label (and group,split if "
            f"wanted), but it is {printable(','.join(head))!r}. Columns of other names are told by "
            "--columns path=file,label=breed."
        )
    return roles


def _checked(
    row: _Row, roles: Mapping[str, str], needed: Sequence[str], folder: Path, where: str
) -> _Row:
    """Return a row with its path relative to the folder."""
    if empty := [role for role in needed if not getattr(row, role)]:
        raise InputError(f"{where}: {roles[empty[0]].strip()} is empty.")
    if any("\0" in field for field in row[1:]):
        raise InputError(f"{where}: holds a null byte; expected text.")
    inner = PurePosixPath(row.path)
    if "\\" in row.path and not (folder / inner).exists():
        inner = PurePosixPath(PureWindowsPath(row.path).as_posix())
    if inner.is_absolute():
        folder = folder.absolute()
        inner = inner.relative_to(folder) if inner.is_relative_to(folder) else inner
    if inner.is_absolute() or ".." in inner.parts:
        raise InputError(
            f"{where}: paths must be relative to the .csv's folder and stay within it, but got "
            f"{printable(row.path)!r}. Put the .csv above the images."
        )
    return row._replace(path=inner.as_posix())


def _check_single(path: Path, labels: Sequence[str]) -> None:
    """Refuse labels that list several classes, such as ``cat;dog`` where ``cat`` is a class too."""
    known = set(labels)
    for label in known:
        for mark in ";|,":
            parts = [part.strip() for part in label.split(mark)]
            if len(parts) > 1 and any(part in known for part in parts):
                raise InputError(
                    f"{path}: one class an image is needed, but got {printable(label)!r}. "
                    "Multi-label data is not supported."
                )


@dataclass(frozen=True)
class _Found:
    """Where the files of a table lie.

    Attributes
    ----------
    paths : list of str
        One a name: below the folder, or the name itself where no file fits.
    doubtful : dict
        From the places of names that fit several files to what is wrong.
    notes : tuple of str
    """

    paths: list[str]
    doubtful: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _look_up(names: Sequence[str], root: Path, table: str) -> _Found:
    """Find the files of a table below a folder.

    A file is looked for by the end of its path, with any ending of an image's where the name has
    none, only if names have no endings or the first paths do not exist. Of several that fit, one
    below a folder called like the table (``train.csv``, ``train/…``) is taken.

    Parameters
    ----------
    names : sequence of str
    root : Path
        The table's folder.
    table : str
        The table's name without its ending.
    """
    bare = not all(map(is_image_name, names))
    if not bare and any(os.path.exists(root / name) for name in names[:_TRIED]):  # noqa: PTH110
        return _Found(list(names))
    files = _files(root)
    fitting = [_fitting(name, files, table) for name in names]
    paths = [fits[0] if len(fits) == 1 else n for n, fits in zip(names, fitting, strict=True)]
    doubtful = {
        row: f"fits several files: {printable(fits[0])}, {printable(fits[1])}"
        for row, fits in enumerate(fitting)
        if len(fits) > 1
    }
    moved = [(name, path) for name, path in zip(names, paths, strict=True) if name != path]
    notes = [
        f"Paths of the table looked up by name: {len(moved):,}, such as {printable(name)} at "
        f"{printable(path)}"
        for name, path in moved[:1]
    ]
    return _Found(paths, doubtful, tuple(notes))


def _files(root: Path) -> dict[str, list[str]]:
    """Return the paths of the images below a folder, by their names with and without endings."""
    files = defaultdict(list)
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not hidden(name)]
        below = Path(folder).relative_to(root).as_posix()
        for name in filter(is_image_name, names):
            path = name if below == "." else f"{below}/{name}"
            files[name].append(path)
            files[name.rpartition(".")[0]].append(path)
    return files


def _fitting(name: str, files: dict[str, list[str]], table: str) -> list[str]:
    """Return the files that a name may mean."""
    paths = files.get(name.rpartition("/")[2], ())
    whole = is_image_name(name)
    fits = [p for p in paths if f"/{p if whole else p.rpartition('.')[0]}".endswith(f"/{name}")]
    if name in fits:
        return [name]
    ours = [path for path in fits if table in path.split("/")[:-1]]
    return ours if len(ours) == 1 else fits
