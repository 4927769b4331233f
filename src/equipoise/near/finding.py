"""Near duplicates: pictures that are one but for coding, size or light.

Two pictures are near where their perceptual hashes differ in few bits and their thumbnails, apart
from brightness and contrast, are alike. Of each image the hash is held and some 40 bytes beside it;
many suspects' thumbnails lie in a temporary file.

What is near in photographs may merely be alike in sets of simple pictures, such as handwritten
digits: there the findings are to be looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equipoise.mapped import filled
from equipoise.near.looks import THUMBNAIL_BYTES, Images, Looks, look, thumbnails
from equipoise.near.pairs import Pairs, near_pairs

__all__ = ["Alike", "find_alike"]

ALIKE = 0.95  # correlation that the thumbnails of near pictures reach

_SLICE = 1 << 10  # pairs whose thumbnails are compared at a time
_HELD = 2**25  # bytes of thumbnails held in memory; more of them go to a file


@dataclass(frozen=True)
class Alike:
    """What looking at every picture of a data set found.

    Attributes
    ----------
    looks : Looks
    picture : (N,) int
        The number of each image's picture: exact duplicates are one.
    pairs : (P, 2) int
        Pictures that are near.
    distances : (P,) uint8
        The bits in which the hashes of each pair differ.
    """

    looks: Looks
    picture: NDArray[np.intp]
    pairs: Pairs
    distances: NDArray[np.uint8]

    @property
    def groups(self) -> NDArray[np.intp]:
        """The group of each picture: what hangs together by near pairs."""
        count = int(self.picture.max()) + 1 if len(self.picture) else 0
        edges = (np.ones(len(self.pairs), bool), (self.pairs[:, 0], self.pairs[:, 1]))
        graph = coo_array(edges, shape=(count, count))
        return connected_components(graph, directed=False)[1].astype(np.intp)


def find_alike(parts: Sequence[Images], digests: NDArray[np.bytes_]) -> Alike:
    """Look at every image of some sets, one after another.

    Exact duplicates, by their digests, count as one picture. Blank images are near to none.
    """
    looks = _joined([look(images) for images in parts])
    _, first, picture = np.unique(digests, return_index=True, return_inverse=True)
    rows = np.sort(first[~looks.blank[first]])
    pairs, distances = near_pairs(looks.hashes[rows])
    alike = _alike(parts, rows, pairs)
    picture = picture.ravel()
    return Alike(looks, picture, picture[rows[pairs[alike]]], distances[alike])


def _joined(looks: Sequence[Looks]) -> Looks:
    return Looks(
        np.concatenate([one.hashes for one in looks]),
        np.concatenate([one.blank for one in looks]),
        np.concatenate([one.short for one in looks]),
    )


def _alike(parts: Sequence[Images], rows: NDArray[np.intp], pairs: Pairs) -> NDArray[np.bool_]:
    """Whether the thumbnails of each pair are alike, apart from brightness and contrast."""
    suspect = np.zeros(len(rows), bool)
    suspect[pairs] = True
    place = np.cumsum(suspect, dtype=np.int32) - 1
    pictures = _pictures(parts, rows[suspect])
    alike = np.empty(len(pairs), bool)
    for low in range(0, len(pairs), _SLICE):
        one, other = (pictures[place[side]] for side in pairs[low : low + _SLICE].T)
        alike[low : low + _SLICE] = _correlation(one, other) >= ALIKE
    return alike


def _pictures(parts: Sequence[Images], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The thumbnails of the images at `rows`, which ascend over all sets; (M, 768)."""

    def make(start: int, stop: int) -> NDArray[np.uint8]:
        found = [thumbnails(images, mine) for images, mine in _shares(parts, rows[start:stop])]
        return np.concatenate(found).reshape(stop - start, THUMBNAIL_BYTES)

    shape = (len(rows), THUMBNAIL_BYTES)
    return make(0, len(rows)) if len(rows) * THUMBNAIL_BYTES <= _HELD else filled(shape, make)


def _shares(
    parts: Sequence[Images], rows: NDArray[np.intp]
) -> Iterator[tuple[Images, NDArray[np.intp]]]:
    """Give each set its share of `rows`, counted over all of them, as rows of its own."""
    first = 0
    for images in parts:
        yield images, rows[(rows >= first) & (rows < first + len(images))] - first
        first += len(images)


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    first, second = one.astype(np.float32), other.astype(np.float32)
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    product, *squares = (
        np.einsum("ij,ij->i", a, b) for a, b in ((first, second), (first, first), (second, second))
    )
    return product / np.maximum(np.sqrt(squares[0] * squares[1]), 1e-6)
