"""Real images say what is like enough: cuts, folds and probes."""

import numpy as np
import pytest

from equipoise.sifting.likeness import LEAST, SHARE, fit_likeness


def cloud(rng, centre, count):
    return (rng.normal(size=(count, 20)) + centre).astype(np.float32)


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(0)
    centres = np.eye(3, 20) * 6 + 3
    real = np.concatenate(
        [cloud(rng, centre, n) for centre, n in zip(centres, (80, 40, 10), strict=True)]
    )
    labels = np.repeat([0, 1, 2], (80, 40, 10))
    return rng, centres, real, labels


def fitted(classes, units=None):
    _, _, real, labels = classes
    units = np.arange(len(labels)) if units is None else units
    return fit_likeness(real, labels, units, np.arange(len(labels)) * 7, 3)


def test_real_images_pass_and_strangers_fall(classes):
    rng, centres, *_ = classes
    known = fitted(classes)
    for label in (0, 1):
        labels = np.full(400, label)
        real, other, far = (
            cloud(rng, centre, 400)
            for centre in (centres[label], centres[1 - label], -centres[label])
        )
        for vectors, low, high in ((real, 0, 3 * SHARE), (other, 0.9, 1), (far, 0.9, 1)):
            away, nearest = known.distances(vectors, labels)
            margin = known.margins(vectors, labels, nearest)
            fell = (away > known.farthest[label]) | (margin < known.least_margin[label])
            assert low <= fell.mean() <= high


def test_too_few_real_images_cut_nothing(classes):
    known = fitted(classes)
    assert LEAST == 24
    assert np.isinf(known.farthest[2])
    assert np.isinf(known.least_margin[2])
    assert np.isfinite(known.farthest[:2]).all()


def test_units_are_whole_in_folds_and_no_measure_of_their_own_distance(classes):
    _, _, real, labels = classes
    twins = (np.concatenate([real, real]), np.concatenate([labels, labels]))
    units = np.tile(np.arange(len(labels)), 2)
    known = fit_likeness(*twins, units, np.arange(len(units)), 3)
    assert (known.fold[: len(labels)] == known.fold[len(labels) :]).all()
    assert len(np.unique(known.fold)) == 5
    # Each image's twin is at distance 0, and does not make its class look closer than it is.
    assert known.farthest[0] > 0.5 * fitted(classes).farthest[0]


def test_a_probe_has_not_seen_the_fold_that_it_judges(classes):
    *_, real, labels = classes
    mislabelled = labels.copy()
    mislabelled[0] = 1  # an image of class 0 that is called 1
    known = fit_likeness(real, mislabelled, np.arange(len(labels)), np.arange(len(labels)), 3)
    _, nearest = known.distances(real[:1], np.array([1]))
    assert nearest[0] == 0
    assert known.margins(real[:1], np.array([1]), nearest)[0] < 0
