import numpy as np
import pytest

from equipoise.studies.scoring import image_weights

LABELS = np.repeat([0, 1, 2], [30, 5, 1])


def test_every_class_keeps_its_weight():
    weights = image_weights(LABELS, 0)
    for label, count in ((0, 30), (1, 5), (2, 1)):
        assert weights[:, label == LABELS].sum(1) == pytest.approx(np.full(1000, count))


def test_the_variance_found_is_unbiased():
    # Of a mean of n images it is s²/n, for five images too.
    values = np.random.default_rng(0).normal(size=5)
    labels = np.zeros(5, int)
    means = image_weights(labels, 1, resamples=200_000) @ values / 5
    assert means.var() == pytest.approx(values.var(ddof=1) / 5, rel=0.02)


def test_a_class_of_one_image_always_counts_once():
    assert (image_weights(LABELS, 0)[:, -1] == 1).all()


def test_resamples_follow_from_seed_and_fold():
    assert np.array_equal(image_weights(LABELS, 3), image_weights(LABELS, 3))
    assert not np.array_equal(image_weights(LABELS, 3), image_weights(LABELS, 4))
    assert not np.array_equal(image_weights(LABELS, 3), image_weights(LABELS, 3, fold=1))
