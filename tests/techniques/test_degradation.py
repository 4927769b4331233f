"""Noise by its statistics, filters against OpenCV."""

import cv2
import numpy as np
import pytest
from scipy import stats

from equipoise.engine import augment
from equipoise.techniques.degradation import recode
from equipoise.techniques.kernels.filtering import gaussian, motion, sharpen_gaussian
from equipoise.techniques.kernels.resampling import shrink_and_stretch

SHAPES = [(2, 2, 1), (2, 9, 3), (3, 5, 4), (33, 17, 3), (64, 48, 1), (224, 200, 3)]


def test_noise_sets_whole_pixels_with_the_stated_shares():
    images = np.full((500, 32, 32, 3), 100, np.uint8)
    result = augment(images, "noise", seed=0, ids=np.arange(500))
    assert (result == result[..., :1]).all()
    pixels = result[..., 0]
    count = pixels.size
    for value, share in ((255, 0.15), (0, 0.10), (100, 0.75)):
        found = (pixels == value).mean()
        assert abs(found - share) < 4.5 * np.sqrt(share * (1 - share) / count)
    # An image's number of changed pixels is binomial: nothing ties its pixels together.
    changed = (pixels != 100).sum(axis=(1, 2))
    spread = changed.var(ddof=1) / (1024 * 0.25 * 0.75)
    assert abs(spread - 1) < 4.5 * np.sqrt(2 / 500)
    per_pixel = (pixels != 100).sum(axis=0).ravel()
    assert stats.chisquare(per_pixel).statistic < stats.chi2.ppf(0.9999, 1023)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_noise_leaves_the_other_pixels_alone(channels, patches):
    images = patches(5, 21, 13, channels)
    result = augment(images, "noise", seed=0, ids=range(5), white=0.3, black=0.3)
    changed = (result != images).any(axis=-1)
    assert np.isin(result[changed], (0, 255)).all()
    assert (result[changed] == result[changed][:, :1]).all()
    ends = augment(images, "noise", seed=0, ids=range(5), white=1.0, black=0.0)
    assert (ends == 255).all()


def test_gaussian_noise_is_normal():
    images = np.full((100, 32, 32, 3), 128, np.uint8)
    change = augment(images, "gaussian_noise", seed=0, ids=np.arange(100), sigma=10) - 128.0
    count = change.size
    assert abs(change.mean()) < 4.5 * 10 / np.sqrt(count)
    assert change.std() == pytest.approx(np.sqrt(100 + 1 / 12), rel=0.01)
    levels = np.arange(-20, 21)
    expected = np.diff(stats.norm.cdf(np.append(levels, 21) - 0.5, scale=10))
    found = np.array([(change == level).mean() for level in levels])
    assert np.abs(found - expected).max() < 0.002
    channels = change.reshape(-1, 3).T
    assert np.abs(np.corrcoef(channels) - np.eye(3)).max() < 4.5 / np.sqrt(count / 3)
    assert abs(np.corrcoef(change[:, :, :-1].ravel(), change[:, :, 1:].ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_blur_is_opencv_s_to_the_bit(kernel, shape, patches):
    images = patches(4, *shape)
    result = augment(images, "blur", seed=0, ids=range(4), kernel=kernel)
    for image, found in zip(images, result, strict=True):
        expected = cv2.GaussianBlur(image, (kernel, kernel), 0).reshape(shape)
        assert np.array_equal(found, expected)


def test_blur_of_mixed_sizes_in_one_batch(patches, carried_out):
    images = patches(4, 20, 30)
    out = carried_out(gaussian, images, np.array([7, 1, 5, 3]))
    for image, kernel, found in zip(images, (7, 1, 5, 3), out, strict=True):
        assert np.array_equal(found, cv2.GaussianBlur(image, (kernel, kernel), 0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("length", [1, 3, 7, 15, 31])
def test_motion_is_opencv_s_filter(length, shape, patches, carried_out):
    images = patches(6, *shape)
    angle = np.linspace(0, np.pi, 6)
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    out = carried_out(motion, images, np.full(6, length), direction)
    for image, way, found in zip(images, direction, out, strict=True):
        window = np.zeros((length, length), np.float32)
        for step in range(-(length // 2), length // 2 + 1):
            y, x = np.rint(step * way).astype(int) + length // 2
            window[y, x] += 1 / length
        expected = cv2.filter2D(image, -1, window, borderType=cv2.BORDER_REFLECT_101)
        assert np.abs(found.astype(int) - expected.reshape(shape)).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_sharpen_adds_the_difference_to_the_smooth_image(shape, patches, carried_out):
    images = patches(3, *shape)
    out = carried_out(sharpen_gaussian, images, np.array([0, 16384, 40960], np.int32))
    for image, amount, found in zip(images, (0, 1, 2.5), out, strict=True):
        smooth = cv2.GaussianBlur(image, (3, 3), 0).reshape(shape).astype(float)
        expected = np.clip(np.floor(image + amount * (image - smooth) + 0.5), 0, 255)
        assert np.array_equal(found, expected)


def test_jpeg_is_the_codec_s(patches, carried_out):
    for channels in (1, 3, 4):
        images = np.repeat(patches(1, 24, 31, channels), 3, axis=0)
        out = carried_out(recode, images, np.array([90, 20, 100]))
        assert np.array_equal(out[2], images[2])
        colours = images[..., : min(channels, 3)]
        errors = [
            np.abs(o[..., :3].astype(int) - c).mean() for o, c in zip(out, colours, strict=True)
        ]
        assert 0 < errors[0] < errors[1]
        code = cv2.imencode(".jpg", colours[1][..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 20))[1]
        expected = cv2.imdecode(code, cv2.IMREAD_UNCHANGED).reshape(colours[1].shape)[..., ::-1]
        assert np.array_equal(out[1][..., :3], expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_downscale_is_opencv_s_by_area_and_back(shape, patches, carried_out):
    images = patches(3, *shape)
    height, width = shape[:2]
    for scale in (0.1, 0.3, 0.5, 0.8):
        h, w = max(1, round(scale * height)), max(1, round(scale * width))
        out = carried_out(shrink_and_stretch, images, np.tile([h, w], (3, 1)))
        for image, found in zip(images, out, strict=True):
            small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
            expected = cv2.resize(small, (width, height)).reshape(shape)
            # Shares of a pixel are in 1/256: two of them may be half of that off.
            assert np.abs(found.astype(int) - expected).max() <= 2


def test_downscale_keeps_a_plain_image_plain():
    images = np.full((1, 29, 31, 3), 201, np.uint8)
    for scale in (0.1, 0.33, 0.5, 0.77):
        assert np.array_equal(augment(images, "downscale", seed=0, ids=[0], scale=scale), images)
