import numpy as np
import pytest

from equipoise.metrics import weighted_figures
from equipoise.studies.bootstrap import run_weights, stratified_weights


def test_every_class_keeps_its_images_in_every_resample():
    labels = np.array([0] * 50 + [1] * 3 + [3])
    weights = stratified_weights(labels, 200, seed=3)
    assert weights.shape == (200, 54)
    for label, count in ((0, 50), (1, 3), (3, 1)):
        assert (weights[:, labels == label].sum(1) == count).all()
    # In any order of the images.
    order = np.random.default_rng(0).permutation(54)
    moved = stratified_weights(labels[order], 200, seed=3)
    assert (moved[:, labels[order] == 1].sum(1) == 3).all()


def test_each_image_is_drawn_as_often_as_any_other_of_its_class():
    labels = np.repeat([0, 1], [40, 4])
    weights = stratified_weights(labels, 20_000, seed=0)
    np.testing.assert_allclose(weights.mean(0), 1, atol=0.05)
    # Multinomial: the variance of a count is 1 - 1/n.
    np.testing.assert_allclose(weights[:, :40].var(0).mean(), 1 - 1 / 40, atol=0.02)
    np.testing.assert_allclose(weights[:, 40:].var(0).mean(), 1 - 1 / 4, atol=0.02)


def test_resamples_are_a_function_of_seed_and_fold():
    labels = np.repeat([0, 1], [40, 4])
    again = [stratified_weights(labels, 10, seed, fold) for seed, fold in ((3, 0), (4, 0), (3, 1))]
    assert np.array_equal(again[0], stratified_weights(labels, 10, 3))
    assert not np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_a_class_of_two_images_leaves_every_resample_a_figure():
    labels = np.repeat([0, 1], [98, 2])
    logits = np.random.default_rng(0).normal(size=(100, 2)) + 2 * np.eye(2)[labels]
    weights = stratified_weights(labels, 500, seed=0)
    got = weighted_figures(logits, labels, logits.argmax(1), 1, weights)
    assert all(np.isfinite(values).all() for values in got.values())


def test_shares_of_runs_sum_to_one():
    assert run_weights(5, 10, seed=3).sum(1) == pytest.approx(np.ones(10))
