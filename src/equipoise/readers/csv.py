"""A .csv of image files: columns `path` and `label`, and if wanted `group` and `split`.

Paths are relative to the folder of the .csv and stay within it.
"""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from equipoise.errors import InputError, printable, reason
from equipoise.readers.arrays import positions
from equipoise.readers.folder import read_inside
from equipoise.readers.layout import SPLITS
from equipoise.readers.table import Files, Table, sorted_classes
from equipoise.selection import Selection

__all__ = ["read_csv"]

_COLUMNS = ("path", "label", "group", "split")


def read_csv(path: Path, selection: Selection = Selection()) -> Table:
    """Read a table of image files; a row's number, from 0, is its image's id."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(path, file))
    except OSError as error:
        raise InputError(f"{path}: {reason(error)}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a UTF-8 .csv ({reason(error)}).") from None
    if not rows:
        raise InputError(f"{path}: holds no rows; expected one an image: path,label.")
    labels = [row["label"] for row in rows]
    _check_single(path, labels)
    classes = sorted_classes(labels)
    names = [PurePosixPath(row["path"]).as_posix() for row in rows]
    return Table(
        names=np.array(names),
        labels=positions(labels, classes),
        classes=classes,
        splits=np.array([row.get("split", "train") for row in rows]),
        ids=np.arange(len(rows), dtype=np.int64),
        pixels=Files(
            partial(read_inside, str(path.resolve().parent), most_bytes=selection.most_bytes), names
        ),
        groups=np.array([row["group"] for row in rows]) if "group" in rows[0] else None,
    )


def _rows(path: Path, file: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield checked rows: path, label, and group and split where there are such columns."""
    reader = csv.reader(file, strict=True)
    head = [name.strip().lower() for name in next(reader, [])]
    if not {"path", "label"} <= set(head) or len(set(head)) < len(head):
        raise InputError(
            f"{path}: the first line must name the columns path,label (and group,split if "
            f"wanted), but it is {printable(','.join(head))!r}."
        )
    columns = {name: head.index(name) for name in _COLUMNS if name in head}
    for row in reader:
        if not row:
            continue
        where = f"{path}, line {reader.line_num}"
        if len(row) != len(head):
            raise InputError(f"{where}: {len(head)} fields expected, but got {len(row)}.")
        yield _checked({name: row[place].strip() for name, place in columns.items()}, where)


def _checked(row: dict[str, str], where: str) -> dict[str, str]:
    if empty := [name for name, value in row.items() if not value]:
        raise InputError(f"{where}: {empty[0]} is empty.")
    if any("\0" in value for value in row.values()):
        raise InputError(f"{where}: holds a null byte; expected text.")
    inner = PurePosixPath(row["path"])
    if inner.is_absolute() or ".." in inner.parts:
        raise InputError(
            f"{where}: paths must be relative to the .csv's folder and stay within it, but got "
            f"{printable(row['path'])!r}. Put the .csv above the images."
        )
    if "split" in row:
        split = SPLITS.get(row["split"].lower())
        if split is None:
            raise InputError(
                f"{where}: split must be train, validation or test, but got "
                f"{printable(row['split'])!r}."
            )
        row["split"] = split
    return row


def _check_single(path: Path, labels: list[str]) -> None:
    """Refuse labels that list several classes, such as ``cat;dog`` where ``cat`` is a class too."""
    known = set(labels)
    for label in known:
        for mark in ";|":
            parts = [part.strip() for part in label.split(mark)]
            if len(parts) > 1 and any(part in known for part in parts):
                raise InputError(
                    f"{path}: one class an image is needed, but got {printable(label)!r}. "
                    "Multi-label data is not supported."
                )
