"""Near duplicates: pictures that are one but for coding, size or light.

Two pictures are near where their perceptual hashes differ in few bits and their thumbnails, apart
from brightness and contrast, are alike. Pairs of near hashes are found by sorting them once for
each choice of some of their blocks of bits, as two hashes that differ in few bits agree in some
blocks altogether (G. S. Manku, A. Jain and A. Das Sarma, "Detecting near-duplicates for web
crawling", WWW 2007). The work grows with N log N. Of each image the hash is held and some 40 bytes
beside it; many suspects' thumbnails lie in a temporary file.

What is near in photographs may merely be alike in sets of simple pictures, such as handwritten
digits: there the findings are to be looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equipoise.auditing.gathering import by_split, gather
from equipoise.auditing.looks import THUMBNAIL_BYTES, Looks, look, thumbnails
from equipoise.images import ImageSet, Splits
from equipoise.mapped import filled

__all__ = ["Near", "Nearness", "find_near", "near_pairs"]

RADIUS = 6  # bits that near hashes may differ in
ALIKE = 0.95  # correlation that the thumbnails of near pictures reach

_BLOCKS, _AGREEING = RADIUS + 3, 3  # nine blocks: six bits touch six at most, and three agree
_NEIGHBOURS = 16  # entries after each that it is compared with where many hashes agree
_MOST_PAIRS = 4_000_000  # suspects kept, those with the nearest hashes
_BLOCK = 1 << 16  # hashes compared with their neighbours at a time
_SLICE = 1 << 10  # pairs whose thumbnails are compared at a time
_HELD = 2**25  # bytes of thumbnails held in memory; more of them go to a file
_TINY = 8  # pixels, or an eighth of what is usual in the set

Pairs = NDArray[np.int64]  # (P, 2), the smaller first


@dataclass(frozen=True)
class Near:
    """Images that are nearly one picture: names, splits, classes.

    `distance` is the number of hash bits, 0 to 6, in which two of them differ at most.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    distance: int


@dataclass(frozen=True)
class Nearness:
    """What looking at every picture found: near duplicates, and the names of odd images."""

    near: tuple[Near, ...]
    blank: tuple[str, ...]
    tiny: tuple[str, ...]


def find_near(data: Splits) -> Nearness:
    """Look at every image of a data set.

    Exact duplicates count as one picture, and all of them are named with what is near to it.
    Blank images are near to none.
    """
    parts = {name: part for name, part in data.parts.items() if len(part)}
    looks = _looked(parts)
    digests = np.concatenate([part.digests for part in parts.values()])
    _, first, picture = np.unique(digests, return_index=True, return_inverse=True)
    del digests
    rows = np.sort(first[~looks.blank[first]])
    pairs, distances = near_pairs(looks.hashes[rows])
    alike = _alike(parts, rows, pairs)
    usual = max(_TINY, float(np.median(looks.short)) / 8)
    return Nearness(
        near=_groups(data, picture.ravel(), rows[pairs[alike]], distances[alike]),
        blank=_names(parts, looks.blank),
        tiny=_names(parts, looks.short < usual),
    )


def near_pairs(hashes: NDArray[np.uint64]) -> tuple[Pairs, NDArray[np.uint8]]:
    """Return the pairs of hashes that differ in at most six bits, and in how many they do.

    Where more than 16 hashes agree in three blocks, each is compared with its neighbours in sorted
    order only. At most four million pairs are kept.
    """
    count = max(1, len(hashes))
    kept = np.empty(0, np.uint64)
    radius = RADIUS
    for order, agreeing in _tables(hashes):
        found = [kept]
        for codes in _neighbours(hashes, order, agreeing, radius):
            found.append(codes)
            if sum(map(len, found)) > 2 * _MOST_PAIRS:
                found = [_nearest(found)]
        kept = _nearest(found)
        if len(kept) == _MOST_PAIRS:  # only what is nearer than the farthest can still count
            radius = int((kept & np.uint64(7)).max()) - 1
            if radius < 0:
                break
    codes = (kept >> np.uint64(3)).astype(np.int64)
    return np.stack(divmod(codes, count), axis=1), (kept & np.uint64(7)).astype(np.uint8)


def _tables(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Sort the hashes once for each three of nine blocks.

    Gives the order, and whether each in it agrees with the one before it in the three blocks.
    """
    edges = np.linspace(0, 64, _BLOCKS + 1).astype(int).tolist()
    widths = [high - low for low, high in pairwise(edges)]
    for chosen in combinations(range(_BLOCKS), _AGREEING):
        # The other blocks follow, so that of the hashes that agree the nearest are neighbours.
        turned = np.zeros(len(hashes), np.uint64)
        others = [block for block in range(_BLOCKS) if block not in chosen]
        for block in (*chosen, *others):
            turned <<= np.uint64(widths[block])
            bits = hashes >> np.uint64(edges[block])
            bits &= np.uint64((1 << widths[block]) - 1)
            turned |= bits
        order = np.argsort(turned)
        key = turned[order]
        key >>= np.uint64(64 - sum(widths[block] for block in chosen))
        yield order, key[1:] == key[:-1]


def _neighbours(
    hashes: NDArray[np.uint64], order: NDArray[np.intp], agreeing: NDArray[np.bool_], radius: int
) -> Iterator[NDArray[np.uint64]]:
    """Give the near ones among neighbours, block by block: the pair and its distance in a word."""
    count = np.uint64(len(hashes))
    for start in range(0, len(agreeing), _BLOCK):
        here = start + np.flatnonzero(agreeing[start : start + _BLOCK])
        for step in range(1, _NEIGHBOURS + 1):
            one, other = order[here], order[here + step]
            bits = np.bitwise_count(hashes[one] ^ hashes[other])
            near = bits <= radius
            low, high = np.minimum(one, other)[near], np.maximum(one, other)[near]
            yield (low.astype(np.uint64) * count + high.astype(np.uint64) << 3) + bits[near]
            here = here[here + step < len(agreeing)]
            here = here[agreeing[here + step]]
            if not len(here):
                break


def _nearest(found: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The pairs once each; of too many those with the nearest hashes."""
    codes = np.unique(np.concatenate(found))
    if len(codes) <= _MOST_PAIRS:
        return codes
    distances = (codes & np.uint64(7)).astype(np.uint8)
    return codes[np.argsort(distances, kind="stable")[:_MOST_PAIRS]]


def _looked(parts: Mapping[str, ImageSet]) -> Looks:
    looks = [look(part.images) for part in parts.values()]
    return Looks(
        np.concatenate([one.hashes for one in looks]),
        np.concatenate([one.blank for one in looks]),
        np.concatenate([one.short for one in looks]),
    )


def _names(parts: Mapping[str, ImageSet], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """The names of the images that a mask over all splits marks."""
    marked = by_split(parts, np.flatnonzero(mask))
    return tuple(name for _, part, mine in marked for name in part.names[mine].tolist())


def _alike(parts: Mapping[str, ImageSet], rows: NDArray[np.intp], pairs: Pairs) -> NDArray:
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


def _pictures(parts: Mapping[str, ImageSet], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The thumbnails of the images at `rows`, which ascend over all splits; (M, 768)."""

    def make(start: int, stop: int) -> NDArray[np.uint8]:
        shares = by_split(parts, rows[start:stop])
        found = [thumbnails(part.images, mine) for _, part, mine in shares]
        return np.concatenate(found).reshape(stop - start, THUMBNAIL_BYTES)

    shape = (len(rows), THUMBNAIL_BYTES)
    return make(0, len(rows)) if len(rows) * THUMBNAIL_BYTES <= _HELD else filled(shape, make)


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    first, second = one.astype(np.float32), other.astype(np.float32)
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    product, *squares = (
        np.einsum("ij,ij->i", a, b) for a, b in ((first, second), (first, first), (second, second))
    )
    return product / np.maximum(np.sqrt(squares[0] * squares[1]), 1e-6)


def _groups(
    data: Splits, picture: NDArray[np.intp], pairs: Pairs, distances: NDArray[np.uint8]
) -> tuple[Near, ...]:
    """Return what hangs together by near pairs, in the order of the first images."""
    count = int(picture.max()) + 1 if len(picture) else 0
    ends = picture[pairs]
    graph = coo_array((np.ones(len(pairs), bool), (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    touched = np.zeros(count, bool)
    touched[ends] = True
    farthest = np.zeros(count, np.uint8)
    np.maximum.at(farthest, group[ends[:, 0]], distances)
    rows = np.flatnonzero(touched[picture])
    groups = group[picture[rows]]
    return tuple(
        Near(*found, distance=int(farthest[number]))
        for number, found in gather(data, rows, groups).items()
    )
