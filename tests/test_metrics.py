import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score, sensitivity_score
from scipy.special import softmax

from equipoise.metrics import HIGHER_IS_BETTER, OBJECTIVES, calibration_error, figures


def _sample(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    return rng.normal(size=(n, k)) * 2 + 1.5 * np.eye(k)[labels], labels


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 300), st.integers(0, 1))
def test_two_classes_agree_with_scikit_learn(seed, n, positive):
    logits, labels = _sample(seed, n, 2)
    got = figures(logits, labels, positive=positive)
    decided, p = logits.argmax(1), softmax(logits, axis=1)[:, positive]
    hit = labels == positive
    oracle = {
        "balanced_accuracy": skm.balanced_accuracy_score(labels, decided),
        "accuracy": (labels == decided).mean(),
        "recall": sensitivity_score(hit, decided == positive),
        "precision": skm.precision_score(labels, decided, pos_label=positive, zero_division=0),
        "macro_f1": skm.f1_score(labels, decided, average="macro"),
        "g_mean": geometric_mean_score(labels, decided),
        "mcc": skm.matthews_corrcoef(labels, decided),
        "roc_auc": skm.roc_auc_score(hit, p),
        "pr_auc": skm.average_precision_score(hit, p),
        "brier": ((p - hit) ** 2).mean(),
        "log_loss": skm.log_loss(labels, softmax(logits, axis=1)),
    }
    for name, value in oracle.items():
        assert got[name] == pytest.approx(value, abs=1e-12), name
    assert got["confusion"] == skm.confusion_matrix(labels, decided).tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 7))
def test_many_classes_are_macro_averages(seed, k):
    logits, labels = _sample(seed, 200, k)
    got = figures(logits, labels)
    decided, p = logits.argmax(1), softmax(logits, axis=1)
    assert got["recall"] == pytest.approx(
        skm.recall_score(labels, decided, average="macro"), abs=1e-12
    )
    assert got["g_mean"] == pytest.approx(geometric_mean_score(labels, decided), abs=1e-12)
    assert got["roc_auc"] == pytest.approx(
        skm.roc_auc_score(labels, p, multi_class="ovr"), abs=1e-12
    )
    assert got["brier"] == pytest.approx(((p - np.eye(k)[labels]) ** 2).sum(1).mean(), abs=1e-12)
    assert len(got["per_class_recall"]) == k


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    labels = np.array([0, 1, 0, 1])
    # Bins: two at 0.9 (half right), one at 0.6 and one at 0.7 (both right).
    expected = (2 * abs(0.5 - 0.9) + (1 - 0.6) + (1 - 0.7)) / 4
    assert calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def test_an_absent_class_gives_nan_for_ranking_only():
    got = figures([[1.0, 0.0], [0.2, 0.1]], [0, 0])
    assert np.isnan(got["roc_auc"])
    assert got["accuracy"] == 1.0


def test_decided_labels_change_no_figure_of_ranking():
    logits, labels = _sample(3, 100, 2)
    plain, moved = figures(logits, labels), figures(logits, labels, predictions=np.ones(100, int))
    for name in ("roc_auc", "pr_auc", "ece", "brier", "log_loss"):
        assert plain[name] == moved[name]
    assert moved["recall"] == 1.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_the_figures_of_the_same_name(name):
    for k in (2, 5):
        logits, labels = _sample(k, 150, k)
        got = figures(logits, labels)
        confusion = np.asarray(got["confusion"])
        assert OBJECTIVES[name](confusion) == pytest.approx(got[name], abs=1e-12)
        assert HIGHER_IS_BETTER[name]
