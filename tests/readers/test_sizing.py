"""One size and one number of channels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.readers.sizing import resize, to_channels
from equipoise.selection import FITS


@given(
    height=st.integers(2, 200),
    width=st.integers(2, 200),
    channels=st.sampled_from([1, 3, 4]),
    size=st.integers(2, 96),
    fit=st.sampled_from(FITS),
)
@settings(max_examples=100, deadline=None)
def test_any_shape_comes_out_square(height, width, channels, size, fit):
    image = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    before = image.copy()
    found = resize(image, size, fit)
    assert found.shape == (size, size, channels)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


@given(st.integers(0, 255), st.integers(2, 90), st.integers(2, 90), st.integers(2, 90))
@settings(max_examples=50, deadline=None)
def test_a_flat_image_stays_flat(value, height, width, size):
    assert (resize(np.full((height, width, 3), value, np.uint8), size) == value).all()


def test_shorter_side_by_area_then_centre_crop(pictures):
    image = pictures[0]  # 24×32
    expected = cv2.resize(image, (16, 12), interpolation=cv2.INTER_AREA)[:, 2:14]
    np.testing.assert_array_equal(resize(image, 12, "crop"), expected)
    mean = image[:, 4:28].reshape(12, 2, 12, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize(image, 12, "crop") - mean).max() <= 0.5


def test_squashing_shows_all_of_a_picture(pictures):
    image = pictures[0]  # 24×32
    expected = cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(resize(image, 12, "squash"), expected)


def test_padding_keeps_shape_and_content(pictures):
    image = pictures[0]  # 24×32
    found = resize(image, 16, "pad")
    expected = cv2.resize(image, (16, 12), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(found[2:14], expected)
    assert (found[:2] == 127).all()
    assert (found[14:] == 127).all()


def test_same_size_is_the_same_image(pictures):
    np.testing.assert_array_equal(resize(pictures[0][:, :24], 24), pictures[0][:, :24])
    np.testing.assert_array_equal(resize(pictures[0], 24, "crop"), pictures[0][:, 4:28])


@pytest.mark.parametrize("shape", [(2, 100_000, 3), (100_000, 2, 1)])
def test_a_ribbon_does_not_fill_the_memory(shape):
    """Literally resized before it is cropped, this one would take 200 million pixels and more."""
    assert resize(np.zeros(shape, np.uint8), 64).shape == (64, 64, shape[2])


def test_channels(pictures):
    grey = pictures[..., :1]
    np.testing.assert_array_equal(to_channels(grey, 3), np.concatenate([grey] * 3, -1))
    assert to_channels(pictures, 3) is pictures
    half = np.concatenate([pictures, np.full_like(grey, 51)], -1)  # a fifth
    expected = np.round(pictures * 0.2 + 255 * 0.8)
    assert np.abs(to_channels(half, 3) - expected).max() <= 0.5 + 1e-9
