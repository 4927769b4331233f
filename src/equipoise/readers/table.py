"""`Table`, what every reader returns, and `Encoded`, images that are decoded on demand."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.images import Broken, LeftOut
from equipoise.readers.manifests import Manifest
from equipoise.selection import Selection

__all__ = [
    "Files",
    "Reader",
    "Stamp",
    "Table",
    "path_ids",
    "place_in",
    "positions",
    "sorted_classes",
    "stamp",
]

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Files:
    """Encoded image files, wherever they lie.

    Attributes
    ----------
    fetch : callable
        Handle to bytes. Called from many threads; pickled where work goes to other processes.
        Raises OSError where the file cannot be read.
    handles : sequence
        One a file: a path, a place in an archive, or the bytes themselves.
    """

    fetch: Callable[[Any], bytes]
    handles: Sequence[Any]

    def __len__(self) -> int:
        return len(self.handles)

    def pick(self, rows: NDArray[np.intp]) -> "Files":
        """Return the files at `rows`, in that order."""
        return Files(self.fetch, [self.handles[i] for i in rows.tolist()])


@dataclass(frozen=True)
class Table:
    """What a reader found: one row an image, files not decoded yet.

    Attributes
    ----------
    names : (N,) str
        Relative paths, or names of rows.
    labels : (N,) int64
        Positions in `classes`.
    classes : tuple of str
        Every class of the source, in its own order, also those without a row here.
    splits : (N,) str
        'train', 'validation' or 'test'; a source that knows no splits is all 'train'.
    ids : (N,) int64
    pixels : Files, an (N, H, W, C) array, or a list of (H, W, C) arrays
        uint8, or uint16 where the source has sixteen bits.
    groups : (N,) str, optional
    broken, notes
        As in `equipoise.images.Splits`.
    left_out : tuple of LeftOut
        What else is not used: what is broken is no part of it.
    others : mapping
        From class to how many files of other kinds there are in its place.
    place : callable, optional
        From an image's name and id to where it lies: its path below the folder or in the archive,
        or FILE#KEY in a larger file.
    manifests : tuple of Manifest
        What `upsample` left with the images.
    upsampled : str
        The file, where it says of itself that `upsample` wrote it: a manifest has to be there.
    """

    names: NDArray[np.str_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    splits: NDArray[np.str_]
    ids: NDArray[np.int64]
    pixels: Files | NDArray[Any] | list[NDArray[Any]]
    groups: NDArray[np.str_] | None = None
    broken: tuple[Broken, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    place: Callable[[str, int], str] | None = None
    manifests: tuple[Manifest, ...] = ()
    upsampled: str = ""
    notes: tuple[str, ...] = ()

    def pick(self, rows: NDArray[np.intp]) -> "Table":
        """Return the table of these rows, in that order."""
        pixels = self.pixels
        if isinstance(pixels, Files):
            pixels = pixels.pick(rows)
        else:
            pixels = [pixels[i] for i in rows] if isinstance(pixels, list) else pixels[rows]
        return replace(
            self,
            names=self.names[rows],
            labels=self.labels[rows],
            splits=self.splits[rows],
            ids=self.ids[rows],
            pixels=pixels,
            groups=None if self.groups is None else self.groups[rows],
        )


# A reader may leave out rows of classes that are not selected to save work, but lists every class
# it saw.
Reader = Callable[[Path, Selection], Table]


def path_ids(names: Iterable[str]) -> NDArray[np.int64]:
    """Return the id of each relative path: 63 bits of its BLAKE2b hash."""
    state = (blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8) for name in names)
    numbers = np.frombuffer(b"".join([s.digest() for s in state]), ">u8")
    return (numbers >> np.uint64(1)).astype(np.int64)


def place_in(heads: Sequence[str], starts: Sequence[int], _: str, row: int) -> str:
    """Return where a row lies in larger files: what each begins with, and the row's number in it.

    `starts` are the first rows of the files, of which row numbers go through all.
    """
    number = bisect_right(starts, row) - 1
    return f"{heads[number]}{row - starts[number]}"


def sorted_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the class names in order: as text, or by value where all are whole numbers."""
    names = set(names)
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def positions(names: Iterable[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the position in `classes` of each name."""
    place = {name: label for label, name in enumerate(classes)}
    return np.array([place[name] for name in names], np.int64)


def stamp(path: str) -> Stamp:
    """Return what changes when a file does."""
    state = os.stat(path)  # noqa: PTH116
    return state.st_ino, state.st_mtime_ns, state.st_size
