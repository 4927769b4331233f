"""Pairs of near hashes, against comparing all with all; memory stays in bounds."""

import tracemalloc

import numpy as np
import pytest

from equipoise import near
from equipoise.near import near_pairs


def test_pairs_against_comparing_all():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 600, dtype=np.uint64)
    for row in range(300):  # near in 0 to 8 bits to another, all over the 64
        bits = rng.choice(64, row % 9, replace=False).astype(np.uint64)
        hashes[row] = hashes[300 + row % 290] ^ np.bitwise_or.reduce(
            np.uint64(1) << bits, initial=0
        )
    found, distances = near_pairs(hashes)
    between = np.bitwise_count(hashes[:, None] ^ hashes)
    one, other = np.nonzero(np.triu(between <= near.RADIUS, 1))
    assert found.tolist() == np.stack([one, other], axis=1).tolist()
    np.testing.assert_array_equal(distances, between[one, other])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_hashes(count):
    found, distances = near_pairs(np.zeros(count, np.uint64))
    assert len(found) == len(distances) == (count == 2)


def test_many_equal_hashes_stay_cheap(monkeypatch):
    monkeypatch.setattr(near, "_MOST_PAIRS", 20_000)
    found, distances = near_pairs(np.zeros(5_000, np.uint64))
    assert len(found) == 20_000
    assert distances.max() == 0


def test_memory_is_a_few_words_a_hash_and_the_pairs_kept(monkeypatch):
    """Where all is near to all, too: of a hundred thousand hashes nothing grows with the pairs."""
    monkeypatch.setattr(near, "_MOST_PAIRS", 20_000)
    hashes = np.random.default_rng(0).integers(0, 4, 100_000, dtype=np.uint64)
    tracemalloc.start()
    found, distances = near_pairs(hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 20_000
    assert distances.max() == 0
    block = near._BLOCK * (8 * near._NEIGHBOURS // 2 + 8 * 8)  # words of one block's comparisons
    assert peak < 45 * len(hashes) + 100 * len(found) + block
