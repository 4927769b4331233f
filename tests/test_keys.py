"""The generator: published vectors, and no correlation between neighbouring addresses."""

import numba as nb
import numpy as np
import pytest
from scipy import stats

from equipoise.keys import code, fill_halves, image_keys, order, philox, uniforms, words

# Random123, kat_vectors, "philox4x32 10": counter, key, result.
KNOWN = [
    (
        (0x00000000, 0x00000000, 0x00000000, 0x00000000),
        (0x00000000, 0x00000000),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

GOLDEN_KEYS = [[725789320, 3760123395], [1200395123, 2097759838], [2673787771, 2605794094]]
GOLDEN_WORDS = [[4083203797, 3733079327], [1039896383, 2666810048], [1909016151, 2527096808]]


@nb.njit
def one_block(c, k):
    return philox(c[0], c[1], c[2], c[3], k[0], k[1])


@nb.njit
def many_halves(keys, code, place, out):
    for i in range(len(keys)):
        fill_halves(keys[i, 0], keys[i, 1], code, place, 0, out.shape[1] // 8, out[i])


def halves(keys, count, name="noise", place=0):
    out = np.empty((len(keys), count), np.uint16)
    many_halves(keys, code(name), np.uint32(place), out)
    return out


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_vectors(counter, key, result):
    assert one_block(np.array(counter, np.uint32), np.array(key, np.uint32)) == result


def test_the_two_uses_are_as_documented():
    big = 3 + (5 << 32)
    counter = np.array([3, 5, 7, 11], np.uint32)
    key = one_block(counter, np.array([13, 17], np.uint32))[:2]
    assert image_keys(13 + (17 << 32), [big], 7, 11).tolist() == [list(key)]
    blocks = [
        one_block(np.array([n, code("noise"), 2, 0], np.uint32), np.array(key, np.uint32))
        for n in range(2)
    ]
    assert words(np.array([key], np.uint32), "noise", 6, 2).tolist() == [
        [*blocks[0], *blocks[1]][:6]
    ]


def test_pixels_are_as_documented():
    key = np.array([[123456789, 987654321]], np.uint32)
    found = halves(key, 8 * 5, place=3)[0]
    for n in range(5):
        block = one_block(np.array([n, code("noise"), 3, 1], np.uint32), key[0])
        for j, word in enumerate(block):
            assert found[2 * j * 5 + n] == word & 0xFFFF
            assert found[(2 * j + 1) * 5 + n] == word >> 16


def test_golden_words():
    keys = image_keys(2024, [0, 1, 2**40], copies=[0, 1, 2], epochs=3)
    assert keys.tolist() == GOLDEN_KEYS
    assert words(keys, "crop", 2, 1).tolist() == GOLDEN_WORDS


def along(axis, count=20_000):
    """Keys of `count` addresses that differ in one coordinate only."""
    steps, zero = np.arange(count), np.zeros(count, np.int64)
    if axis == "seed":
        return np.concatenate([image_keys(seed, [7]) for seed in range(count // 10)])
    if axis == "id":
        return image_keys(1, steps)
    if axis == "high id":
        return image_keys(1, steps << 32)
    return image_keys(1, zero, **{axis: steps})


AXES = ["seed", "id", "high id", "copies", "epochs"]


def assert_uniform(numbers, cells=256):
    counts = np.bincount((numbers.ravel() * cells).astype(int), minlength=cells)
    assert stats.chisquare(counts).pvalue > 1e-4


def assert_independent(a, b):
    """Neither a linear nor a 16×16-table relation between two sequences."""
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(len(a))
    cells = (16 * a).astype(int) * 16 + (16 * b).astype(int)
    assert stats.chisquare(np.bincount(cells, minlength=256)).pvalue > 1e-4


@pytest.mark.parametrize("axis", AXES)
def test_neighbouring_addresses_are_uniform_and_independent(axis):
    drawn = uniforms(along(axis), "crop", 4)
    assert_uniform(drawn)
    for lag in (1, 2, 16):
        assert_independent(drawn[:-lag, 0], drawn[lag:, 0])
    for word in (1, 2, 3):
        assert_independent(drawn[:, 0], drawn[:, word])


def test_places_and_purposes_are_independent():
    keys = image_keys(1, np.arange(20_000))
    first = uniforms(keys, "crop", 1)[:, 0]
    for purpose, place in [("crop", 1), ("crop", 2), ("flip", 0), ("noise", 0), ("crop", 2**31)]:
        assert_independent(first, uniforms(keys, purpose, 1, place)[:, 0])


def test_pixels_are_uniform_and_independent():
    keys = image_keys(3, np.arange(2_000))
    pixels = halves(keys, 1024) / 65536
    assert_uniform(pixels)
    assert_uniform(np.modf(pixels * 256)[0])  # the low byte, of which tables are made
    for lag in (1, 3, 32, 128):
        assert_independent(pixels[:, :-lag].ravel(), pixels[:, lag:].ravel())
    assert_independent(pixels[:-1].ravel(), pixels[1:].ravel())
    other = halves(keys, 1024, place=1) / 65536
    assert_independent(pixels.ravel(), other.ravel())
    assert_independent(pixels[:, 0], uniforms(keys, "noise", 1)[:, 0])
    # Sums over an image vary as those of independent draws do.
    spread = pixels.sum(axis=1).var() / (1024 / 12)
    assert abs(spread - 1) < 4.5 * np.sqrt(2 / 2_000)


def test_seeds_do_not_shift_ids():
    """Adding seed and id, the common mistake, would make these two equal."""
    assert not np.array_equal(image_keys(0, [1]), image_keys(1, [0]))
    pairs = {tuple(k) for seed in range(100) for k in image_keys(seed, np.arange(100)).tolist()}
    assert len(pairs) == 10_000


def test_ids_are_taken_in_64_bits():
    assert np.array_equal(image_keys(0, [-1]), image_keys(0, np.array([2**64 - 1], np.uint64)))
    assert np.array_equal(image_keys(-1, [0]), image_keys(2**64 - 1, [0]))
    assert len(image_keys(0, [])) == 0


def test_order_is_a_permutation_by_address():
    ids = np.arange(1000)
    found = order(5, ids, "shuffle")
    assert sorted(found) == ids.tolist()
    assert not np.array_equal(found, order(5, ids, "shuffle", epoch=1))
    # Leaving images out does not change the order of the rest.
    kept = ids[::3]
    assert [i for i in ids[found] if i % 3 == 0] == kept[order(5, kept, "shuffle")].tolist()
