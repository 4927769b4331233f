import numpy as np
import pytest
import sklearn.metrics as skm
from imblearn.metrics import geometric_mean_score
from scipy.special import softmax

from equipoise.metrics import figures
from equipoise.studies.bootstrap import image_weights, run_weights, weighted_figures


def _sample(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(k)
    labels = rng.integers(0, k, 300)
    logits = np.round(rng.normal(size=(300, k)) * 2 + np.eye(k)[labels], 1)  # with ties
    return logits, labels, (logits + np.linspace(0, 1, k)).argmax(1)


@pytest.mark.parametrize("k", [2, 4])
def test_unit_weights_give_the_figures_themselves(k):
    logits, labels, decided = _sample(k)
    plain = figures(logits, labels, positive=0, predictions=decided)
    got = weighted_figures(logits, labels, decided, 0, np.ones((1, 300)))
    for name, value in got.items():
        assert value[0] == pytest.approx(plain[name], abs=1e-12), name


def test_weights_agree_with_scikit_learn():
    logits, labels, decided = _sample(2)
    p = softmax(logits, axis=1)
    weights = image_weights(300, 20, seed=0)
    got = weighted_figures(logits, labels, decided, 1, weights)
    for b, w in enumerate(weights):
        oracle = {
            "balanced_accuracy": skm.balanced_accuracy_score(labels, decided, sample_weight=w),
            "accuracy": skm.accuracy_score(labels, decided, sample_weight=w),
            "recall": skm.recall_score(labels, decided, sample_weight=w),
            "precision": skm.precision_score(labels, decided, sample_weight=w),
            "macro_f1": skm.f1_score(labels, decided, average="macro", sample_weight=w),
            "g_mean": geometric_mean_score(labels, decided, sample_weight=w),
            "mcc": skm.matthews_corrcoef(labels, decided, sample_weight=w),
            "roc_auc": skm.roc_auc_score(labels, p[:, 1], sample_weight=w),
            "pr_auc": skm.average_precision_score(labels, p[:, 1], sample_weight=w),
            "brier": skm.brier_score_loss(labels, p[:, 1], sample_weight=w),
            "log_loss": skm.log_loss(labels, p, sample_weight=w),
        }
        for name, value in oracle.items():
            assert got[name][b] == pytest.approx(value, abs=1e-9), name


def test_a_row_of_weights_does_not_depend_on_the_others():
    logits, labels, decided = _sample(4)
    weights = image_weights(300, 120, seed=0)
    together = weighted_figures(logits, labels, decided, 0, weights)
    for b in (0, 57, 119):
        alone = weighted_figures(logits, labels, decided, 0, weights[b : b + 1])
        for name, values in together.items():
            assert len(values) == 120
            assert values[b] == pytest.approx(alone[name][0], abs=1e-12), name


def test_many_classes():
    # Each cell of 400 × 400 with a row of its own would be 200 GB.
    logits, labels, decided = _sample(400)
    plain = figures(logits, labels, positive=0, predictions=decided)
    got = weighted_figures(logits, labels, decided, 0, np.ones((1, 300)))
    assert got["accuracy"][0] == pytest.approx(plain["accuracy"])
    assert got["mcc"][0] == pytest.approx(plain["mcc"])


def test_weights_count_every_draw():
    weights = image_weights(50, 10, seed=3)
    assert (weights.sum(1) == 50).all()
    assert np.array_equal(weights, image_weights(50, 10, seed=3))
    assert run_weights(5, 10, seed=3).sum(1) == pytest.approx(np.ones(10))


@pytest.mark.filterwarnings("error")
def test_a_resample_without_a_class_gives_nan_and_no_warning():
    logits, labels = np.eye(2)[[0, 0, 1]] * 3.0, np.array([0, 0, 1])
    weights = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    got = weighted_figures(logits, labels, labels, 1, weights)
    assert np.isnan(got["roc_auc"][0])
    assert np.isnan(got["balanced_accuracy"][0])
    assert got["roc_auc"][1] == got["balanced_accuracy"][1] == 1.0
