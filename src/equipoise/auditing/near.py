"""Near duplicates: pictures that are one but for coding, size or light.

Two pictures are near where their perceptual hashes differ in few bits and their thumbnails, apart
from brightness and contrast, are alike. Pairs of near hashes are found by sorting them once for
each choice of some of their blocks of bits, as two hashes that differ in few bits agree in some
blocks altogether (G. S. Manku, A. Jain and A. Das Sarma, "Detecting near-duplicates for web
crawling", WWW 2007). The work grows with N log N, and memory is that of the hashes and of the
suspects' thumbnails.

What is near in photographs may merely be alike in sets of simple pictures, such as handwritten
digits: there the findings are to be looked at.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equipoise.auditing.looks import Looks, look, thumbnails
from equipoise.images import ImageSet, Splits

__all__ = ["Near", "Nearness", "find_near", "near_pairs"]

RADIUS = 6  # bits that near hashes may differ in
ALIKE = 0.95  # correlation that the thumbnails of near pictures reach

_BLOCKS, _AGREEING = RADIUS + 3, 3  # nine blocks: six bits touch six at most, and three agree
_NEIGHBOURS = 16  # entries after each that it is compared with where many hashes agree
_MOST_PAIRS = 4_000_000  # suspects kept, those with the nearest hashes
_SLICE = 1 << 15  # pairs whose thumbnails are compared at a time
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
    rows = np.sort(first[~looks.blank[first]])
    pairs, distances = near_pairs(looks.hashes[rows])
    alike = _alike(parts, rows, pairs)
    names = np.concatenate([part.names for part in parts.values()])
    usual = max(_TINY, float(np.median(looks.short)) / 8)
    return Nearness(
        near=_groups(data, parts, names, picture.ravel(), rows[pairs[alike]], distances[alike]),
        blank=tuple(names[looks.blank].tolist()),
        tiny=tuple(names[looks.short < usual].tolist()),
    )


def near_pairs(hashes: NDArray[np.uint64]) -> tuple[Pairs, NDArray[np.uint8]]:
    """Return the pairs of hashes that differ in at most six bits, and in how many they do.

    Where more than 16 hashes agree in three blocks, each is compared with its neighbours in sorted
    order only. At most four million pairs are kept.
    """
    count = len(hashes)
    codes = np.empty(0, np.int64)
    distances = np.empty(0, np.uint8)
    for order, key in _tables(hashes):
        here = np.arange(count)
        for step in range(1, _NEIGHBOURS + 1):
            here = here[here + step < count]
            here = here[key[here] == key[here + step]]
            if not len(here):
                break
            one, other = order[here], order[here + step]
            bits = np.bitwise_count(hashes[one] ^ hashes[other])
            near = bits <= RADIUS
            low, high = np.minimum(one, other)[near], np.maximum(one, other)[near]
            codes = np.concatenate([codes, low * count + high])
            distances = np.concatenate([distances, bits[near]])
        codes, unique = np.unique(codes, return_index=True)
        distances = distances[unique]
        if len(codes) > _MOST_PAIRS:
            kept = np.argsort(distances, kind="stable")[:_MOST_PAIRS]
            codes, distances = codes[kept], distances[kept]
    return np.stack([codes // max(1, count), codes % max(1, count)], axis=1), distances


def _tables(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint64]]]:
    """Sort the hashes once for each three of nine blocks: the order, and the blocks in it."""
    edges = np.linspace(0, 64, _BLOCKS + 1).astype(int).tolist()
    widths = [high - low for low, high in pairwise(edges)]
    blocks = [
        hashes >> np.uint64(low) & np.uint64((1 << width) - 1)
        for low, width in zip(edges, widths, strict=False)
    ]
    for chosen in combinations(range(_BLOCKS), _AGREEING):
        # The other blocks follow, so that of the hashes that agree the nearest are neighbours.
        turned = np.zeros(len(hashes), np.uint64)
        others = [block for block in range(_BLOCKS) if block not in chosen]
        for block in (*chosen, *others):
            turned = turned << np.uint64(widths[block]) | blocks[block]
        order = np.argsort(turned)
        yield order, turned[order] >> np.uint64(64 - sum(widths[block] for block in chosen))


def _looked(parts: Mapping[str, ImageSet]) -> Looks:
    looks = [look(part.images) for part in parts.values()]
    return Looks(
        np.concatenate([one.hashes for one in looks]),
        np.concatenate([one.blank for one in looks]),
        np.concatenate([one.short for one in looks]),
    )


def _alike(parts: Mapping[str, ImageSet], rows: NDArray[np.intp], pairs: Pairs) -> NDArray:
    """Whether the thumbnails of each pair are alike, apart from brightness and contrast."""
    suspects, place = np.unique(pairs, return_inverse=True)
    place = place.reshape(pairs.shape)
    found, start = [], 0
    for part in parts.values():  # the rows ascend, so the thumbnails stand in their order
        mine = rows[suspects] - start
        found.append(thumbnails(part.images, mine[(mine >= 0) & (mine < len(part))]))
        start += len(part)
    pictures = np.concatenate(found)
    pictures = pictures.reshape(len(suspects), math.prod(pictures.shape[1:]))
    alike = np.empty(len(pairs), bool)
    for low in range(0, len(pairs), _SLICE):
        one, other = (pictures[side].astype(np.float32) for side in place[low : low + _SLICE].T)
        alike[low : low + _SLICE] = _correlation(one, other) >= ALIKE
    return alike


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return (one * other).sum(axis=1) / np.maximum(scale, 1e-6)


def _groups(
    data: Splits,
    parts: Mapping[str, ImageSet],
    names: NDArray[np.str_],
    picture: NDArray[np.intp],
    pairs: Pairs,
    distances: NDArray[np.uint8],
) -> tuple[Near, ...]:
    """Return what hangs together by near pairs, in the order of the first images."""
    labels = np.concatenate([part.labels for part in parts.values()])
    where = np.repeat(list(parts), [len(part) for part in parts.values()])
    count = int(picture.max()) + 1 if len(picture) else 0
    ends = picture[pairs]
    graph = coo_array((np.ones(len(pairs)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    touched = np.zeros(count, bool)
    touched[ends] = True
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(touched[picture]).tolist():
        members.setdefault(int(group[picture[row]]), []).append(row)
    farthest = np.zeros(count, np.int64)
    np.maximum.at(farthest, group[ends[:, 0]], distances)
    return tuple(
        Near(
            images=tuple(names[rows].tolist()),
            splits=tuple(where[rows].tolist()),
            classes=tuple(data.classes[label] for label in labels[rows]),
            distance=int(farthest[number]),
        )
        for number, rows in members.items()
    )
