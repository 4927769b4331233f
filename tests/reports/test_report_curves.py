"""The arrays behind the plots agree with scikit-learn and with counting by hand."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, precision_score, recall_score, roc_auc_score

from equipoise.reports.plots import (
    GRID,
    chosen_point,
    learning_band,
    trade_off,
)
from equipoise.training.predictions import Predictions


def simulated(seed: int, classes: int = 2, images: int = 3000) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(0, 1, (images, classes)) + 1.2 * np.eye(classes)[labels]
    return Predictions(logits, labels, np.arange(images), tuple(f"{i}.png" for i in range(images)))


def test_the_area_under_the_roc_curve_is_the_roc_auc():
    runs = [simulated(seed) for seed in range(3)]
    curves = trade_off(runs, [1])
    assert curves.true_positive.shape == curves.precision.shape == (3, 101)
    for run, row in zip(runs, curves.true_positive, strict=True):
        area = np.trapezoid(row, GRID)
        assert area == pytest.approx(
            roc_auc_score(run.labels, softmax(run.logits, 1)[:, 1]), abs=0.01
        )


def test_the_precision_recall_curve_ends_at_the_share_of_the_class():
    run = simulated(0)
    curves = trade_off([run], [1])
    assert curves.precision[0, -1] == pytest.approx(run.labels.mean(), abs=0.02)
    assert np.all((curves.precision >= 0) & (curves.precision <= 1))


def test_a_class_without_test_images_leaves_no_curve():
    run = simulated(0)
    alone = Predictions(run.logits, np.zeros_like(run.labels), run.ids, run.names)
    assert trade_off([alone], [1]) is None
    assert trade_off([], [1]) is None


@pytest.mark.parametrize("classes", [2, 4])
def test_the_chosen_point_is_that_of_scikit_learn(classes):
    run = simulated(1, classes)
    said = run.logits.argmax(1)
    of = [1] if classes == 2 else list(range(classes))
    recall, precision, false = chosen_point(confusion_matrix(run.labels, said), of)
    assert recall == pytest.approx(recall_score(run.labels, said, labels=of, average="macro"))
    assert precision == pytest.approx(precision_score(run.labels, said, labels=of, average="macro"))
    expected = np.mean([np.mean(said[run.labels != k] == k) for k in of])
    assert false == pytest.approx(expected)


@pytest.mark.parametrize("matrix", [None, [], [[1, 2]], [[0, 0], [3, 4]]])
def test_a_matrix_without_meaning_has_no_point(matrix):
    assert chosen_point(matrix, [0]) is None


def test_a_band_is_the_mean_and_the_span_of_the_runs():
    results = {
        "recipe": np.array(["none", "none", "none", "other"], dtype=object),
        "epoch": np.array([1.0, 1.0, 2.0, 1.0]),
        "training_loss": np.array([0.5, 0.7, 0.4, 9.0]),
    }
    band = learning_band(results, "none", "training_loss")
    assert band.x.tolist() == [1, 2]
    assert band.mean.tolist() == pytest.approx([0.6, 0.4])
    assert (band.low.tolist(), band.high.tolist()) == ([0.5, 0.4], [0.7, 0.4])
    assert learning_band(results, "none", "validation_loss") is None
    assert learning_band({}, "none", "training_loss") is None
