"""Pairs of near hashes, found without comparing all with all.

Pairs are found by sorting the hashes once for each choice of some of their blocks of bits, as two
hashes that differ in few bits agree in some blocks altogether (G. S. Manku, A. Jain and A. Das
Sarma, "Detecting near-duplicates for web crawling", WWW 2007). The work grows with N log N.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["RADIUS", "Pairs", "near_pairs"]

RADIUS = 6  # bits that near hashes may differ in

_BLOCKS, _AGREEING = RADIUS + 3, 3  # nine blocks: six bits touch six at most, and three agree
_NEIGHBOURS = 16  # entries after each that it is compared with where many hashes agree
_MOST_PAIRS = 4_000_000  # suspects kept, those with the nearest hashes
_BLOCK = 1 << 16  # hashes compared with their neighbours at a time

Pairs = NDArray[np.int64]  # (P, 2), the smaller first


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
