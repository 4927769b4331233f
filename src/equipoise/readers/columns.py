"""What .csv and Parquet share: what their columns are called, and a column of splits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, unknown
from equipoise.readers.split_names import split_named

__all__ = ["LONGEST", "as_splits", "asked_column", "is_sure", "open_parquet", "plain", "usual"]

LONGEST = 1024  # characters of a path, class or group; one long text widens a whole column
_MOST_TEXT = 64 << 20  # bytes that a Parquet file's own description may take

# By role, the likeliest first.
_USUAL = {
    "path": (
        *("path", "file", "file_name", "filename", "file_path", "filepath", "filepaths"),
        *("image", "image_path", "image_file", "image_name", "img", "img_path", "img_name"),
        *("image_id", "id", "images"),
    ),
    "label": ("label", "labels", "class", "class_name", "target", "category"),
    "group": ("group",),
    "split": ("split", "set", "subset", "data_set", "partition"),
}


def plain(name: str) -> str:
    """Return a column's name without what people write differently."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def is_sure(role: str, column: str, asked: Mapping[str, str] | None) -> bool:
    """Whether a column certainly has its role: a `subset` may be something else than a split."""
    return role != "split" or plain(column) == "split" or role in (asked or {})


def usual(role: str, there: Sequence[str]) -> str | None:
    """Return the column that bears a usual name of a role, the likeliest first."""
    by_name = {plain(name): name for name in reversed(there)}
    return next((by_name[name] for name in _USUAL[role] if name in by_name), None)


def asked_column(
    role: str, asked: Mapping[str, str] | None, there: Sequence[str], source: str
) -> str | None:
    """Return the column that a selection names for a role, or None where it names none.

    Raises
    ------
    InputError
        Where there is no such column.
    """
    wanted = (asked or {}).get(role)
    if wanted is None:
        return None
    exact = [name for name in there if name.strip() == wanted]
    alike = [name for name in there if plain(name) == plain(wanted)]
    if not (exact or alike):
        problem = unknown("column", printable(wanted), [printable(name) for name in there])
        raise InputError(f"{source}: {problem}")
    return (exact or alike)[0]


def as_splits(
    values: Sequence[str], sure: bool, source: str, default: str = "train"
) -> NDArray[np.str_]:
    """Return the splits that a column names.

    One that is not sure to be one of splits is where all its values are; otherwise all rows are of
    the default.
    """
    known = {value: split_named(value) for value in set(values)}
    strange = [value for value, split in known.items() if split is None]
    if strange and sure:
        raise InputError(
            f"{source}: split must be train, validation or test, but got "
            f"{printable(min(strange))!r}."
        )
    return np.array([default if strange else known[value] for value in values], "U10")


def open_parquet(source: Any) -> pq.ParquetFile:
    """Open a Parquet file whose own description may take so much memory and no more."""
    return pq.ParquetFile(
        source, thrift_string_size_limit=_MOST_TEXT, thrift_container_size_limit=_MOST_TEXT
    )
