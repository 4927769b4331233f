"""Mixing: images and labels keep the same shares."""

import numpy as np
import pytest
from scipy import stats

from equipoise.errors import InputError
from equipoise.techniques.mixing import cmo, cutmix, mixup

CLASSES = 5


def plain(count, dtype=np.uint8):
    """Images that are one value, that of their row, so that a mixture shows its parts."""
    values = np.arange(count).astype(dtype)
    return np.broadcast_to(values[:, None, None, None], (count, 8, 10, 3)).copy()


@pytest.fixture
def batch(patches):
    return patches(200, 16, 20), np.arange(200) % CLASSES, np.arange(200)


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shapes_sums_and_determinism(mix, dtype, batch):
    images, labels, ids = batch
    images = images.astype(dtype)
    before = images.copy()
    mixed, targets = mix(images, labels, CLASSES, seed=1, ids=ids)
    assert mixed.shape == images.shape
    assert mixed.dtype == dtype
    assert targets.shape == (200, CLASSES)
    assert targets.dtype == np.float32
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(images, before)
    again = mix(images, labels, CLASSES, seed=1, ids=ids)
    assert np.array_equal(mixed, again[0])
    assert np.array_equal(targets, again[1])
    for other in ({"seed": 2}, {"epoch": 1}, {"ids": ids + 200}):
        changed = mix(images, labels, CLASSES, **{"seed": 1, "ids": ids, **other})
        assert not np.array_equal(mixed, changed[0])
    assert not np.array_equal(mixed, images)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_mixup_mixes_images_as_it_mixes_labels(dtype):
    mixed, targets = mixup(plain(100, dtype), np.arange(100), 100, seed=0, ids=np.arange(100))
    # The label's mean row is the image's mean value.
    expected = targets @ np.arange(100)
    assert np.abs(mixed[:, 0, 0, 0] - expected).max() <= (0.51 if dtype == np.uint8 else 1e-4)
    assert ((targets > 0).sum(axis=1) <= 2).all()


def test_mixup_s_shares_are_beta():
    count = 5000
    _, targets = mixup(
        np.zeros((count, 2, 2, 1)), np.arange(count), count, seed=0, ids=np.arange(count), alpha=0.4
    )
    own = targets[np.arange(count), np.arange(count)].astype(float)
    assert stats.kstest(own, stats.beta(0.4, 0.4).cdf).pvalue > 1e-4


def test_cutmix_mixes_by_area():
    images = plain(100)
    mixed, targets = cutmix(images, np.arange(100), 100, seed=0, ids=np.arange(100))
    for row, (image, target) in enumerate(zip(mixed, targets, strict=True)):
        share = (image[..., 0] == row).mean()
        assert target[row] == pytest.approx(share, abs=1e-6)
        values = np.unique(image)
        assert len(values) <= 2
        other = values[values != row]
        assert np.isclose(target[other].sum(), 1 - share, atol=1e-6)


def test_cmo_takes_its_boxes_from_the_rare():
    backgrounds = np.zeros((2000, 8, 10, 3), np.uint8)
    pool_labels = np.repeat([0, 1, 2], [900, 90, 10])
    pool = (100 + np.broadcast_to(pool_labels[:, None, None, None], (1000, 8, 10, 3))).astype(
        np.uint8
    )
    mixed, targets = cmo(
        backgrounds, np.zeros(2000, int), pool, pool_labels, 3, seed=0, ids=np.arange(2000)
    )
    source = mixed.max(axis=(1, 2, 3)).astype(int) - 100
    got = source >= 0
    assert 0.4 < got.mean() < 0.51  # half, without the boxes that came out empty
    shares = np.bincount(source[got], minlength=3) / got.sum()
    expected = 1 / np.array([900, 90, 10])
    assert np.abs(shares - expected / expected.sum()).max() < 0.03
    area = (mixed[..., 0] > 0).mean(axis=(1, 2))
    assert np.allclose(1 - targets[got & (source > 0), 0], area[got & (source > 0)], atol=1e-6)
    assert np.array_equal(targets[~got], np.eye(3, dtype=np.float32)[np.zeros((~got).sum(), int)])


def test_soft_labels_can_be_mixed_again(batch):
    images, labels, ids = batch
    once = mixup(images, labels, CLASSES, seed=0, ids=ids)
    _, targets = cutmix(*once, CLASSES, seed=0, ids=ids)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-5)


def test_what_mixing_refuses(batch):
    images, labels, ids = batch
    with pytest.raises(InputError, match="alpha > 0"):
        mixup(images, labels, CLASSES, seed=0, ids=ids, alpha=0)
    with pytest.raises(InputError, match="labels < 3"):
        cutmix(images, labels, 3, seed=0, ids=ids)
    with pytest.raises(InputError, match="probability"):
        cmo(images, labels, images, labels, CLASSES, seed=0, ids=ids, probability=1.5)
