"""A .csv or .tsv of image files: a row an image, with its path, label and, if wanted, group, split.

Fields are parted by comma, semicolon, tab or blanks. Paths are relative to the folder of the table
and stay within it; a name or an id alone will do where one file below that folder is called so.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, reason
from equipoise.files import MARK
from equipoise.images import Broken, leave_out
from equipoise.readers.columns import LONGEST, asked_column, is_sure, plain, usual
from equipoise.readers.folder import read_inside
from equipoise.readers.looking_up import look_up
from equipoise.readers.manifests import MANIFEST, Manifest, within
from equipoise.readers.split_names import split_named
from equipoise.readers.table import Files, Table, sorted_classes
from equipoise.selection import Selection

__all__ = ["read_csv"]

_DELIMITERS = ",;\t "
_SHOWN = 60  # characters of a path that is too long
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
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            roles, rows = _read(path, file, selection.columns)
    except OSError as error:
        raise InputError(f"{path}: {reason(error)}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a UTF-8 .csv ({reason(error)}).") from None
    if not rows:
        raise InputError(f"{path}: holds no rows; expected one an image: path,label.")
    kept = [row for row in rows if row.label and not _is_long(row)]
    if not kept:
        raise InputError(f"{path}: holds no row with a label.")
    labels = [row.label for row in kept]
    _check_single(path, labels)
    classes = sorted_classes(labels)
    place = {name: label for label, name in enumerate(classes)}
    root = path.resolve().parent
    found = look_up([row.path for row in kept], root, path.stem)
    fetch = partial(
        read_inside, str(root), most_bytes=selection.most_bytes, follow_links=selection.follow_links
    )
    manifests, remarks = _manifests(root, found.paths, selection.most_bytes)
    long = (f"{row.path[:_SHOWN]}…" for row in rows if _is_long(row))
    table = Table(
        names=np.array(found.paths),
        labels=np.array([place[label] for label in labels], np.int64),
        classes=classes,
        splits=_splits(path, roles, kept, selection.columns),
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
    sure = np.setdiff1d(np.arange(len(kept)), list(found.doubtful))
    return table.pick(sure) if found.doubtful else table


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


def _read(
    path: Path, file: Iterator[str], asked: Mapping[str, str] | None
) -> tuple[dict[str, str], list[_Row]]:
    """Return the column of each role, and the checked rows."""
    first = next(file, "")
    if re.fullmatch(r"sep=.\s*", first):  # how Excel tells the delimiter
        first = next(file, "")
    delimiter = max(_DELIMITERS, key=lambda mark: _fitness(_head(first, mark), asked))
    lines: Iterable[str] = chain([first], file)
    if delimiter == " ":
        lines = (" ".join(line.split()) for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    head = next(reader, [])
    roles = _roles(path, head, asked)
    places = [head.index(roles[role]) if role in roles else -1 for role in _COLUMNS]
    needed = [n for n, column in roles.items() if n != "label" and is_sure(n, column, asked)]
    rows: list[_Row] = []
    for row in reader:
        if not row:
            continue
        where = f"{path}, line {reader.line_num}"
        if len(row) != len(head):
            raise InputError(f"{where}: {len(head)} fields expected, but got {len(row)}.")
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


def _splits(
    path: Path, roles: Mapping[str, str], rows: Sequence[_Row], asked: Mapping[str, str] | None
) -> NDArray[np.str_]:
    """Return each row's split.

    A column of another name than `split` is one of splits where all its values are.
    """
    known = {value: split_named(value) for value in {row.split for row in rows}}
    strange = [value for value, split in known.items() if split is None]
    if "split" not in roles or (strange and not is_sure("split", roles["split"], asked)):
        return np.full(len(rows), "train")
    if strange:
        raise InputError(
            f"{path}: split must be train, validation or test, but got {printable(min(strange))!r}."
        )
    return np.array([known[row.split] for row in rows])


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
