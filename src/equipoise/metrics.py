"""Logits and labels to figures, as scikit-learn and imbalanced-learn have them."""

import warnings
from typing import Any

import numpy as np
import sklearn.metrics as skm
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from scipy.stats import gmean

__all__ = ["HIGHER_IS_BETTER", "OBJECTIVES", "calibration_error", "figures"]

HIGHER_IS_BETTER = {
    "balanced_accuracy": True,
    "accuracy": True,
    "recall": True,
    "precision": True,
    "macro_f1": True,
    "g_mean": True,
    "mcc": True,
    "roc_auc": True,
    "pr_auc": True,
    "ece": False,
    "brier": False,
    "log_loss": False,
}


def figures(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    positive: int | None = None,
    predictions: ArrayLike | None = None,
) -> dict[str, Any]:
    """Return every figure of one set of predictions.

    Parameters
    ----------
    logits : (N, K) floats
        Unnormalised log-probabilities.
    labels : (N,) integers in [0, K)
    positive : int, optional
        With two classes, the one that recall, precision, ROC-AUC and PR-AUC are of (default 1).
        With more they are macro averages and `positive` is not used.
    predictions : (N,) integers, optional
        Decided labels; the largest logit by default. Figures of ranking and calibration do not
        depend on them.

    Returns
    -------
    dict
        The keys of `HIGHER_IS_BETTER`, each a float in [0, 1] (MCC from -1, log-loss without an
        upper bound; NaN where a class is absent and the figure has no meaning), and
        ``per_class_recall``, ``per_class_precision`` (K floats), ``confusion`` (K×K counts, rows
        are the true classes).
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    classes = np.arange(logits.shape[1])
    probabilities = softmax(logits, axis=1)
    decided = logits.argmax(1) if predictions is None else np.asarray(predictions)
    with warnings.catch_warnings():
        # A class that is never predicted, or absent, is no news here: its figure is 0 or NaN.
        warnings.simplefilter("ignore")
        return {
            **_decided(labels, decided, classes, 1 if positive is None else positive),
            **_ranked(labels, probabilities, classes, 1 if positive is None else positive),
        }


def _decided(
    labels: NDArray[np.int_], decided: NDArray[np.int_], classes: NDArray[np.int_], positive: int
) -> dict[str, Any]:
    # From one confusion matrix: scikit-learn's functions give the same, but each looks through the
    # labels again, and over small splits that took longer than the training between two looks.
    k, two = len(classes), len(classes) == 2
    confusion = np.bincount(labels * k + decided, minlength=k * k).reshape(k, k)
    found, true, said = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    recall = found / np.maximum(true, 1)
    precision = found / np.maximum(said, 1)
    f1 = 2 * found / np.maximum(true + said, 1)
    return {
        "balanced_accuracy": float(recall[true > 0].mean()),
        "accuracy": float(found.sum() / len(labels)),
        "recall": float(recall[positive] if two else recall.mean()),
        "precision": float(precision[positive] if two else precision.mean()),
        "macro_f1": float(f1.mean()),
        "g_mean": float(gmean(recall)) if recall.all() else 0.0,
        "mcc": _correlation(found.sum(), true, said),
        "per_class_recall": recall.tolist(),
        "per_class_precision": precision.tolist(),
        "confusion": confusion.tolist(),
    }


def _correlation(right: int, true: NDArray[np.int_], said: NDArray[np.int_]) -> float:
    """Matthews' correlation coefficient of many classes (Gorodkin, 2004)."""
    total, true, said = float(true.sum()), true.astype(np.float64), said.astype(np.float64)
    spread = (total**2 - said @ said) * (total**2 - true @ true)
    return float((right * total - true @ said) / np.sqrt(spread)) if spread > 0 else 0.0


def _ranked(
    labels: NDArray[np.int_],
    probabilities: NDArray[np.float64],
    classes: NDArray[np.int_],
    positive: int,
) -> dict[str, float]:
    whole = len(np.unique(labels)) == len(classes)
    nan = float("nan")
    hits = labels[:, None] == classes
    if len(classes) == 2:
        hits, scores = hits[:, positive], probabilities[:, positive]
    else:
        scores = probabilities
    return {
        "roc_auc": float(skm.roc_auc_score(hits, scores)) if whole else nan,
        "pr_auc": float(skm.average_precision_score(hits, scores)) if whole else nan,
        "ece": calibration_error(probabilities, labels),
        "brier": float(skm.brier_score_loss(labels, probabilities, labels=classes)),
        "log_loss": float(skm.log_loss(labels, probabilities, labels=classes)),
    }


def calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error of the most probable class, in [0, 1].

    Equal-width bins of confidence, as in Guo, Pleiss, Sun and Weinberger, "On calibration of
    modern neural networks", ICML 2017.
    """
    probabilities = np.asarray(probabilities, np.float64)
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == np.asarray(labels)
    # Bin b holds (b/bins, (b+1)/bins].
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(index, right - confidence, bins)
    return float(np.abs(gap).sum() / len(confidence))


def _balanced_accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    return _recalls(confusion).mean(-1)


def _g_mean(confusion: NDArray[Any]) -> NDArray[np.float64]:
    return _recalls(confusion).prod(-1) ** (1 / confusion.shape[-1])


def _macro_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    found = np.diagonal(confusion, axis1=-2, axis2=-1)
    return (2 * found / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)).mean(-1)


def _accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))


def _recalls(confusion: NDArray[Any]) -> NDArray[np.float64]:
    return np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(confusion.sum(-1), 1)


# What a decision can be tuned for: functions of (…, K, K) confusion matrices, so that a whole
# line search is one call; of counted images or expected ones.
OBJECTIVES = {
    "balanced_accuracy": _balanced_accuracy,
    "g_mean": _g_mean,
    "macro_f1": _macro_f1,
    "accuracy": _accuracy,
}
