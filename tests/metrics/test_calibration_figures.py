import numpy as np
import pytest

from equipoise.metrics import believed, reliability

PROBABILITIES = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
LABELS = np.array([0, 1, 0, 1])


def calibration_error(probabilities, labels):
    return believed(probabilities, labels, np.ones(len(labels)))["ece"]


def test_calibration_error_by_hand():
    # Bins: two at 0.9 (half right), one at 0.6 and one at 0.7 (both right).
    expected = (2 * abs(0.5 - 0.9) + (1 - 0.6) + (1 - 0.7)) / 4
    assert calibration_error(PROBABILITIES, LABELS) == pytest.approx(expected, abs=1e-12)


def test_weights_count_as_repeated_images():
    weights = np.array([2.0, 0.0, 1.0, 3.0])
    rows = np.repeat(np.arange(4), weights.astype(int))
    got = believed(PROBABILITIES, LABELS, np.vstack([np.ones(4), weights]))
    assert got["ece"][1] == pytest.approx(calibration_error(PROBABILITIES[rows], LABELS[rows]))
    again = believed(PROBABILITIES[rows], LABELS[rows], np.ones(6))
    for name, values in got.items():
        assert values.shape == (2,)
        assert values[1] == pytest.approx(again[name], abs=1e-12)


def test_the_diagram_holds_all_answers_of_which_the_error_is_the_mean_gap():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 500)
    labels, weights = rng.integers(0, 4, 500), rng.uniform(0, 2, 500)
    found = reliability(p, labels, weights, 10)
    confidence, right, share = found.diagram()
    assert share.sum() == pytest.approx(1)
    assert (np.diff(confidence) > 0).all()
    assert (share * np.abs(right - confidence)).sum() == pytest.approx(float(found.error))
    assert (share * confidence).sum() == pytest.approx(np.average(p.max(1), weights=weights))


def test_a_probability_of_zero_is_no_infinity():
    got = believed(np.array([[1.0, 0.0]]), np.array([1]), np.ones(1))
    assert np.isfinite(got["log_loss"])
    assert got["log_loss"] > 30
