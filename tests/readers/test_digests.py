"""Digests of many pictures at once are those of each by itself."""

from hashlib import blake2b

import numpy as np
import pytest

from equipoise.readers.digests import digest, digests

RANDOM = np.random.default_rng(0)


def picture(*shape, dtype=np.uint8):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def test_digest_is_blake2b_of_shape_and_pixels():
    pixels = picture(5, 7, 3)
    assert digest(pixels) == blake2b(b"(5, 7, 3)" + pixels.tobytes(), digest_size=16).digest()


def test_digest_knows_shape_and_pixels():
    colour = picture(24, 32, 3)
    other = colour.copy()
    other[0, 0, 0] ^= 1
    transposed = np.ascontiguousarray(colour.transpose(1, 0, 2))
    assert digest(colour) == digest(colour.copy())
    assert len({digest(colour), digest(other), digest(transposed), digest(colour[..., :1])}) == 4


@pytest.mark.parametrize("count", range(12))
def test_pictures_of_any_sizes(count):
    sizes = RANDOM.integers(2, 30, (count, 2)).tolist()
    pictures = [picture(*size, 1 + i % 4) for i, size in enumerate(sizes)]
    assert digests(pictures) == [digest(pixels) for pixels in pictures]


@pytest.mark.parametrize("bytes_", [*range(100, 132), 245, 246, 247, 248])
def test_messages_that_end_about_a_block(bytes_):
    pictures = [picture(1, bytes_, 1), picture(1, bytes_ + 1, 1), picture(2, 2, 1)]
    assert digests(pictures) == [digest(pixels) for pixels in pictures]


def test_one_array_of_pictures_a_view_of_it_and_sixteen_bits():
    array = picture(9, 6, 5, 3)
    wide = picture(5, 4, 6, 3, dtype=np.uint16)
    for pictures in (array, array[::2], array[:, ::-1], list(array[..., ::-1]), wide):
        assert digests(pictures) == [digest(pixels) for pixels in pictures]
