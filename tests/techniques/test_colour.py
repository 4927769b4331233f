"""Colour against NumPy."""

import cv2
import numpy as np
import pytest

from equipoise.engine import augment
from equipoise.techniques.colour import (
    _gamma_tables,
    add,
    invert_above,
    keep_bits,
    look_up,
    mix_channels,
    scale_about_luma,
    scale_about_mean,
    stretch_channels,
)

ONE = 1 << 14


def clipped(values):
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


@pytest.fixture(params=[(2, 2, 3), (33, 17, 3), (64, 64, 3), (32, 32, 1), (16, 20, 4)])
def images(request, patches):
    return patches(6, *request.param)


def with_alpha(expected, images):
    if images.shape[3] == 4:
        expected[..., 3] = images[..., 3]
    return expected


def test_brightness_adds(images, carried_out):
    amount = np.array([-255, -40, 0, 1, 60, 255])
    expected = clipped(images + amount[:, None, None, None].astype(float))
    result = carried_out(add, images, (amount * ONE).astype(np.int32))
    assert np.array_equal(result, with_alpha(expected, images))


def test_contrast_scales_about_the_mean(images, carried_out):
    factor = np.array([0, 0.3, 0.9, 1, 1.3, 2])[:, None, None, None]
    mean = images[..., :3].mean(axis=(1, 2, 3), keepdims=True)
    expected = clipped(mean + (images - mean) * factor)
    result = carried_out(scale_about_mean, images, np.rint(factor.ravel() * ONE).astype(np.int32))
    difference = np.abs(result.astype(int) - with_alpha(expected, images))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_autocontrast_stretches_each_channel(images, carried_out):
    dull = images // 2 + 40
    low, high = dull.min(axis=(1, 2), keepdims=True), dull.max(axis=(1, 2), keepdims=True)
    span = np.maximum(high.astype(float) - low, 1)
    expected = np.where(high > low, clipped((dull - low.astype(float)) * 255 / span), dull)
    result = carried_out(stretch_channels, dull, np.full(6, ONE, np.int32))
    difference = np.abs(result.astype(int) - with_alpha(expected.astype(np.uint8), dull))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.05  # halves, which 1/16384 can miss
    flat = np.full((6, 4, 4, 3), 77, np.uint8)
    assert np.array_equal(carried_out(stretch_channels, flat, np.full(6, ONE, np.int32)), flat)


def test_saturation_scales_about_the_luma(patches, carried_out):
    for channels in (3, 4):
        images = patches(6, 33, 17, channels)
        factor = np.array([0, 600, 2048, 2050, 3000, 4096], np.uint16)
        luma = (images[..., :3].astype(int) @ [77, 150, 29] + 128) >> 8
        away = images[..., :3].astype(int) - luma[..., None]
        expected = clipped(luma[..., None] + away * (factor / 2048)[:, None, None, None])
        result = carried_out(scale_about_luma, images, factor)
        assert np.array_equal(result[..., :3], expected)


def test_grayscale_is_opencv_s_to_one_level(patches):
    images = patches(4, 40, 50)
    result = augment(images, "grayscale", seed=0, ids=range(4))
    for image, found in zip(images, result, strict=True):
        assert (found == found[..., :1]).all()
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        assert np.abs(found[..., 0].astype(int) - grey).max() <= 1
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 16, 16, 3)
    assert np.array_equal(augment(greys, "grayscale", seed=0, ids=[0]), greys)


def test_hue_multiplies_by_the_matrix(patches, carried_out):
    images = patches(3, 20, 30)
    matrices = np.random.default_rng(0).integers(-ONE, ONE, (3, 3, 3)).astype(np.int32)
    exact = np.einsum("ncd,nhwd->nhwc", matrices / ONE, images.astype(float))
    assert np.array_equal(carried_out(mix_channels, images, matrices), clipped(exact))


def test_hue_keeps_greys_and_luma(patches):
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 16, 16, 3)
    greys = np.repeat(greys, 20, axis=0)
    ids = np.arange(20)
    assert np.array_equal(augment(greys, "hue", seed=0, ids=ids, degrees=180), greys)
    images = patches(20, 32, 32) // 4 + 96  # away from the ends, where values are cut off
    turned = augment(images, "hue", seed=0, ids=ids, degrees=180)
    weights = [0.213, 0.715, 0.072]
    assert np.abs((turned - images.astype(float)) @ weights).max() < 1
    assert np.abs(turned.astype(int) - images).mean() > 3


def test_gamma_is_a_power(images, carried_out):
    steps = np.array([-128, -30, 0, 7, 64, 128])
    exponents = 2 ** (steps / 64)[:, None, None, None]
    expected = np.rint(255 * (images / 255) ** exponents).astype(np.uint8)
    result = carried_out(look_up, images, steps + 128, *_gamma_tables())
    assert np.array_equal(result, with_alpha(expected, images))


def test_posterize_keeps_bits(images, carried_out):
    mask = np.array([128, 192, 224, 240, 254, 255], np.uint8)
    expected = images & mask[:, None, None, None]
    assert np.array_equal(carried_out(keep_bits, images, mask), with_alpha(expected, images))
    one = augment(images, "posterize", seed=0, ids=range(6), bits=1)
    assert np.array_equal(one, with_alpha(images & 128, images))


def test_solarize_inverts_from_the_threshold_on(images, carried_out):
    threshold = np.array([0, 1, 128, 200, 255, 256], np.int32)
    limit = threshold[:, None, None, None]
    expected = np.where(images >= limit, 255 - images, images).astype(np.uint8)
    result = carried_out(invert_above, images, threshold)
    assert np.array_equal(result, with_alpha(expected, images))


@pytest.mark.parametrize(
    ("name", "limit", "spread"), [("brightness", 0.2, 51 / np.sqrt(3)), ("brightness", 0.1, None)]
)
def test_brightness_draws_evenly_either_way(name, limit, spread):
    images = np.full((4000, 2, 2, 1), 128, np.uint8)
    change = augment(images, name, seed=0, ids=np.arange(4000), limit=limit)[:, 0, 0, 0] - 128.0
    assert np.abs(change).max() <= 255 * limit + 0.5
    assert abs(change.mean()) < 4.5 * 255 * limit / np.sqrt(3 * 4000)
    if spread:
        assert change.std() == pytest.approx(spread, rel=0.03)
