"""`Outputs`: the images of a data set to be written, originals and copies, one row each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.images import ImageSet, Splits
from equipoise.mapped import empty
from equipoise.planning import Plan
from equipoise.techniques import Technique

__all__ = [
    "CODINGS",
    "DUPLICATE",
    "ORIGINAL",
    "Coding",
    "Outputs",
    "Rows",
    "blocks",
    "lay_out",
    "slices",
    "typical_bytes",
]

ORIGINAL, DUPLICATE = -2, -1  # where a technique's number would stand

Rows = NDArray[np.intp]
Some = TypeVar("Some", Rows, range)

_SAMPLE = 64
_BLOCK = 1 << 16

CODINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True)
class Coding:
    """The files that images become.

    Attributes
    ----------
    name : {'png', 'jpeg', 'webp'}
        Of augmented copies; duplicates are the files that their originals are.
    quality : int
        1 to 100, of JPEG and WebP.
    link : bool
        Whether originals become hard links to the files of the source, where these are files on the
        same file system; otherwise they are copied.
    """

    name: str = "png"
    quality: int = 90
    link: bool = False

    @property
    def ending(self) -> str:
        """How the names of augmented copies end."""
        return CODINGS[self.name]


@dataclass(frozen=True)
class Outputs:
    """What is to be written, in the order of the manifest.

    Attributes
    ----------
    data : Splits
    techniques : tuple of Technique
    seed : int
    split : (M,) int8
        Position in `data.parts`, ascending.
    source : (M,) int64
        Row in that split.
    technique : (M,) int16
        Position in `techniques`, or `DUPLICATE`, or `ORIGINAL`.
    copy : (M,) int32
        Which copy of its source, from 0; -1 for an original.
    coding : Coding
    """

    data: Splits
    techniques: tuple[Technique, ...]
    seed: int
    split: NDArray[np.int8]
    source: NDArray[np.int64]
    technique: NDArray[np.int16]
    copy: NDArray[np.int32]
    coding: Coding = Coding()

    def __len__(self) -> int:
        return len(self.source)

    @property
    def parts(self) -> tuple[ImageSet, ...]:
        """Training, validation and test."""
        return tuple(self.data.parts.values())

    @property
    def splits(self) -> bool:
        """Whether the data set has any split besides training."""
        return len(self.data.validation) + len(self.data.test) > 0

    @property
    def bounds(self) -> list[int]:
        """Where the outputs of each split begin, and where the last ones end."""
        numbers = np.arange(len(self.parts) + 1, dtype=self.split.dtype)  # or all would be cast
        return np.searchsorted(self.split, numbers).tolist()

    def labels(self, rows: Rows) -> NDArray[np.int64]:
        """Return the label of each output."""
        return self._gather(rows, [part.labels for part in self.parts])

    def source_ids(self, rows: Rows) -> NDArray[np.int64]:
        """Return the id of each output's source; an original is its own."""
        return self._gather(rows, [part.ids for part in self.parts])

    def digests(self, rows: Rows) -> NDArray[np.bytes_]:
        """Return the digest of the pixels of each output's source."""
        return self._gather(rows, [part.digests for part in self.parts])

    def generated(self, rows: Rows) -> NDArray[np.bool_]:
        """Return whether each output's source is from elsewhere than the data set."""
        marks = [part.generated for part in self.parts]
        pairs = zip(self.parts, marks, strict=True)
        return self._gather(rows, [np.zeros(len(p), bool) if m is None else m for p, m in pairs])

    def groups(self, rows: Rows) -> list[str]:
        """Return the group of each output's source, empty where it has none."""
        split, source = self.split[rows], self.source[rows]
        found = np.full(len(rows), "", object)
        for number, part in enumerate(self.parts):
            if part.groups is not None:
                found[split == number] = part.groups[source[split == number]]
        return found.tolist()

    def _gather(self, rows: Rows, columns: list[NDArray]) -> NDArray:
        """Each row's value of a column that every split has."""
        split, source = self.split[rows], self.source[rows]
        found = np.empty(len(rows), columns[0].dtype)
        for number, column in enumerate(columns):
            mine = split == number
            found[mine] = column[source[mine]]
        return found


def lay_out(data: Splits, plan: Plan, techniques: tuple[Technique, ...], seed: int) -> Outputs:
    """Put the training images that stay, the copies, validation and test one after another."""
    kept = np.flatnonzero(plan.kept(len(data.train)))
    others = np.arange(len(data.validation)), np.arange(len(data.test))
    pieces = [(0, kept), (0, plan.source), *enumerate(others, 1)]
    ends = np.cumsum([len(rows) for _, rows in pieces]).tolist()
    split, source, technique, copy = (
        empty(ends[-1], kind) for kind in (np.int8, np.int64, np.int16, np.int32)
    )
    for start, end, (number, rows) in zip([0, *ends], ends, pieces, strict=False):
        split[start:end], source[start:end] = number, rows
    technique.fill(ORIGINAL)
    copy.fill(-1)
    made = slice(ends[0], ends[1])
    technique[made], copy[made] = plan.technique, plan.copy
    return Outputs(data, techniques, seed, split, source, technique, copy)


def typical_bytes(outputs: Outputs) -> int:
    """The size of an image in memory, on average over some spread over the training split."""
    images = outputs.data.train.images
    some = np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype(int)).tolist()
    return max(1, sum(images[row].nbytes for row in some) // len(some))


def slices(rows: Some, size: int) -> Iterator[Some]:
    """Cut rows into pieces of at most so many."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def blocks(outputs: Outputs, size: int = _BLOCK) -> Iterator[Rows]:
    """Give the rows of all outputs in pieces of at most so many."""
    for start in range(0, len(outputs), size):
        yield np.arange(start, min(start + size, len(outputs)))
