"""Geometry against NumPy and OpenCV."""

import cv2
import numpy as np
import pytest

from equipoise.engine import augment
from equipoise.errors import InputError
from equipoise.keys import image_keys
from equipoise.techniques import CATALOGUE
from equipoise.techniques.base import Draws
from equipoise.techniques.geometry import centred, turn_quarters
from equipoise.techniques.kernels.resampling import resize_windows, warp

SHAPES = [(2, 2), (3, 5), (33, 17), (32, 32), (224, 200)]


def drawn(name, count, shape, **parameters):
    draws = Draws(image_keys(0, np.arange(count)), name, 0, shape)
    return CATALOGUE[name].draw(draws, **parameters)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_flips_reverse_columns_and_rows(height, width, channels, patches):
    images = patches(4, height, width, channels)
    ids = range(4)
    assert np.array_equal(augment(images, "flip", seed=0, ids=ids), images[:, :, ::-1])
    assert np.array_equal(augment(images, "vertical_flip", seed=0, ids=ids), images[:, ::-1])


@pytest.mark.parametrize("width", range(2, 40))
def test_flip_at_every_width(width, patches):
    for channels in (1, 3, 4):
        images = patches(1, 2, width, channels)
        assert np.array_equal(augment(images, "flip", seed=0, ids=[0]), images[:, :, ::-1])


def test_flip_of_a_share(patches):
    images = patches(1000, 4, 4)
    result = augment(images, "flip", seed=0, ids=np.arange(1000), probability=0.3)
    flipped = (result == images[:, :, ::-1]).all(axis=(1, 2, 3))
    clean = (result == images).all(axis=(1, 2, 3))
    assert (flipped | clean).all()
    assert abs(flipped.mean() - 0.3) < 4.5 * np.sqrt(0.21 / 1000)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [2, 5, 16, 17, 33, 64])
def test_quarters(side, channels, patches, carried_out):
    images = patches(3, side, side, channels)
    for quarters in range(4):
        out = carried_out(turn_quarters, images, np.full(3, quarters))
        assert np.array_equal(out, np.rot90(images, -quarters, axes=(1, 2)))


def test_rotate90_turns_each_way_and_keeps_the_shape(patches):
    images = patches(300, 6, 6)
    result = augment(images, "rotate90", seed=0, ids=np.arange(300))
    for quarters in (1, 2, 3):
        share = (result == np.rot90(images, quarters, axes=(1, 2))).all(axis=(1, 2, 3)).mean()
        assert abs(share - 1 / 3) < 4.5 * np.sqrt(2 / 9 / 300)
    images = patches(5, 6, 9)
    assert np.array_equal(augment(images, "rotate90", seed=0, ids=range(5)), images[:, ::-1, ::-1])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_a_stretched_window_is_that_of_opencv(height, width, channels, patches, carried_out):
    images = patches(6, height, width, channels)
    rng = np.random.default_rng(1)
    for scale in (0.0, 0.3, 0.5, 0.625, 0.9, 0.99):
        h, w = max(1, round(scale * height)), max(1, round(scale * width))
        top, left = rng.integers(height - h + 1, size=6), rng.integers(width - w + 1, size=6)
        windows = np.stack([top, left, np.full(6, h), np.full(6, w)], axis=1)
        out = carried_out(resize_windows, images, windows)
        for image, t, lft, result in zip(images, top, left, out, strict=True):
            expected = cv2.resize(image[t : t + h, lft : lft + w], (width, height))
            assert np.array_equal(result, expected.reshape(result.shape))


def test_crop_is_the_article_s(patches):
    """20×20 windows of 32×32, row and column each uniform over its own range."""
    images = patches(1, 32, 48)
    (windows,) = drawn("crop", 4000, (32, 48, 3), scale=0.625)
    assert (windows[:, 2:] == [20, 30]).all()
    rows, columns = (np.bincount(windows[:, axis]) for axis in (0, 1))
    assert (len(rows), len(columns)) == (13, 19)
    assert rows.min() > 4000 / 13 * 0.7
    assert columns.min() > 4000 / 19 * 0.6
    assert abs(np.corrcoef(windows[:, 0], windows[:, 1])[0, 1]) < 4.5 / np.sqrt(4000)
    result = augment(images, "crop", seed=0, ids=[0])[0]
    top, left = windows[0, :2]
    assert np.array_equal(result, cv2.resize(images[0, top : top + 20, left : left + 30], (48, 32)))


def opencv_warp(image, matrix):
    height, width = image.shape[:2]
    return cv2.warpAffine(
        image,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    ).reshape(image.shape)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("name", ["rotate", "translate", "shear", "zoom"])
def test_warps_agree_with_opencv(name, height, width, channels, patches, carried_out):
    images = patches(8, height, width, channels)
    defaults = {p.name: p.default for p in CATALOGUE[name].parameters}
    (matrices,) = drawn(name, 8, (height, width, channels), **defaults)
    out = carried_out(warp, images, matrices)
    expected = np.stack([opencv_warp(i, m) for i, m in zip(images, matrices, strict=True)])
    difference = np.abs(out.astype(int) - expected)
    # The positions differ by a part of 1/256 pixel, the values by that part of the gradient.
    assert difference.max() <= 2
    assert difference.mean() < 0.1
    assert np.array_equal(out, augment(images, name, seed=0, ids=np.arange(8)))


def test_turning_by_a_quarter_and_far_away_reflects(patches, carried_out):
    images = patches(2, 9, 9)
    quarter = centred((9, 9, 3), np.zeros(2), -1.0, 1.0, 0.0)
    out = carried_out(warp, images, quarter)
    assert np.array_equal(out, np.rot90(images, 1, axes=(1, 2)))
    far = centred((9, 9, 3), np.ones(2), 0.0, 0.0, 1.0)
    far[:, 0, 2] = 3 * 16 + 2.0  # three periods of reflection and two pixels
    out = carried_out(warp, images, far)
    columns = np.pad(np.arange(9), (0, 100), mode="reflect")[50:59]
    assert np.array_equal(out, images[:, :, columns])


def test_angles_and_factors_fill_their_ranges():
    (matrices,) = drawn("rotate", 5000, (32, 32, 3), degrees=20.0)
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert -20 <= angles.min() < -19.9
    assert 19.9 < angles.max() <= 20
    assert abs(angles.mean()) < 4.5 * 40 / np.sqrt(12 * 5000)
    (matrices,) = drawn("zoom", 5000, (32, 32, 3), limit=0.5)
    factors = matrices[:, 0, 0]
    assert 1 / 1.5 <= factors.min() < 0.68
    assert 1.49 < factors.max() <= 1.5
    assert abs(np.median(factors) - 1) < 0.03


def test_warps_refuse_what_their_numbers_cannot_hold():
    images = np.zeros((1, 2, 9000, 1), np.uint8)
    with pytest.raises(InputError, match="height and width <= 8192"):
        augment(images, "rotate", seed=0, ids=[0])
