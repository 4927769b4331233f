"""Lists about the images of a data set: a .csv with a row an image, such as an audit writes."""

import csv
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import InputError, printable, reason
from equipoise.readers.columns import plain, usual

__all__ = ["Listed", "read_list"]

_DELIMITERS = ",;\t"  # spreadsheets write what their language asks for


class Listed(NamedTuple):
    """A row of a list: its line in the file, the image's name, and the other fields asked for."""

    line: int
    name: str
    fields: tuple[str, ...]


def read_list(
    path: str | PathLike[str], option: str, needed: Sequence[str] = (), maybe: Sequence[str] = ()
) -> list[Listed]:
    """Read a list of images.

    Parameters
    ----------
    path : path
    option : str
        The option that names the file, for messages.
    needed, maybe : sequence of str
        Other columns, in the order of the fields; one of `maybe` that is not there is empty.

    Raises
    ------
    InputError
        Where the file is none, or its first line lacks a column.
    """
    where = f"{option} {printable(path)}"
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = list(file)
        rows = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
        head = next(rows, [])
        image = usual("path", head)
        lacking = [*([] if image else ["image"]), *(set(needed) - set(map(plain, head)))]
        if lacking:
            raise InputError(
                f"{where}: the first line must name the columns "
                f"{' and '.join(('image', *needed))}, but it is {printable(','.join(head))!r}."
            )
        assert image is not None
        place = {plain(name): k for k, name in enumerate(head)}
        wanted = [place.get(name, -1) for name in (*needed, *maybe)]
        found = []
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(head):
                raise InputError(
                    f"{where}, line {rows.line_num}: {len(head)} fields expected, but got "
                    f"{len(row)}."
                )
            fields = tuple("" if k < 0 else row[k] for k in wanted)
            found.append(Listed(rows.line_num, row[head.index(image)], fields))
        return found
    except OSError as error:
        raise InputError(f"{where}: {reason(error)}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{where}: not a UTF-8 .csv ({reason(error)}).") from None


def _delimiter(lines: Sequence[str]) -> str:
    """Return the mark that parts the first line into names of which one is that of a path."""
    first = lines[0].strip() if lines else ""
    fitting = [mark for mark in _DELIMITERS if usual("path", first.split(mark)) is not None]
    return max(fitting or _DELIMITERS, key=first.count)
