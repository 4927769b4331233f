"""What stands for a picture."""

import numpy as np
from blake3 import blake3

from equipoise.readers.digests import digest

RANDOM = np.random.default_rng(0)


def picture(*shape, dtype=np.uint8):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def test_digest_is_blake3_of_shape_and_pixels():
    pixels = picture(5, 7, 3)
    assert digest(pixels) == blake3(b"(5, 7, 3)" + pixels.tobytes()).digest(16)


def test_digest_knows_shape_and_pixels():
    colour = picture(24, 32, 3)
    other = colour.copy()
    other[0, 0, 0] ^= 1
    transposed = np.ascontiguousarray(colour.transpose(1, 0, 2))
    assert digest(colour) == digest(colour.copy())
    assert len({digest(colour), digest(other), digest(transposed), digest(colour[..., :1])}) == 4


def test_grey_in_three_channels_is_the_picture_that_it_is_in_one():
    grey = picture(24, 32, 1)
    assert digest(np.repeat(grey, 3, axis=2)) == digest(grey)
    nearly = np.repeat(grey, 3, axis=2)
    nearly[20, 3, 1] ^= 1
    assert digest(nearly) != digest(grey)
