"""Files of delimited text, and lists about the images of a data set, such as an audit writes."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import InputError, printable, reason
from equipoise.readers.columns import plain, usual

__all__ = ["Listed", "read_list", "read_rows"]

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
    rows = read_rows(Path(path), where, _delimiter)
    _, head = next(rows)
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
    return [
        Listed(line, row[head.index(image)], tuple("" if k < 0 else row[k] for k in wanted))
        for line, row in rows
        if any(row)
    ]


def _delimiter(first: str) -> str:
    """Return the mark that parts the first line into names of which one is that of a path."""
    first = first.strip()
    fitting = [mark for mark in _DELIMITERS if usual("path", first.split(mark)) is not None]
    return max(fitting or _DELIMITERS, key=first.count)


def read_rows(
    path: Path, where: str, delimiter_of: Callable[[str], str]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not empty, the names of columns first.

    Parameters
    ----------
    path : Path
    where : str
        How messages call the file.
    delimiter_of : callable
        From the first line to what parts its fields; blanks count as one.

    Raises
    ------
    InputError
        Where the file is none, or a line has another number of fields than the first.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first, before = next(file, ""), 0
            if re.fullmatch(r"sep=.\s*", first):  # how Excel tells the delimiter
                first, before = next(file, ""), 1
            delimiter = delimiter_of(first)
            lines: Iterable[str] = chain([first], file)
            if delimiter == " ":
                lines = (" ".join(line.split()) for line in lines)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            head = next(reader, [])
            yield before + reader.line_num, head
            for row in filter(None, reader):
                line = before + reader.line_num
                if len(row) != len(head):
                    raise InputError(
                        f"{where}, line {line}: {len(head)} fields expected, but got {len(row)}."
                    )
                yield line, row
    except OSError as error:
        raise InputError(f"{where}: {reason(error)}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not a UTF-8 .csv ({reason(error)}).") from None
    except csv.Error as error:
        raise InputError(f"{where}: damaged, such as by an open quote ({reason(error)}).") from None
