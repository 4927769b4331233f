"""The figures of decided labels, as functions of (…, K, K) confusion matrices, rows the true class.

Of counted, weighted or expected images alike, and of any number of matrices at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DECIDED",
    "Floats",
    "accuracy",
    "balanced_accuracy",
    "f_betas",
    "g_mean",
    "macro_f1",
    "mcc",
    "mean_over",
    "precisions",
    "recalls",
]

Floats = NDArray[np.float64]


def recalls(confusion: Floats) -> Floats:
    """Return the recall of each class, (…, K); NaN for one without an image."""
    return _found(confusion) / _true(confusion)


def precisions(confusion: Floats) -> Floats:
    """Return the precision of each class, (…, K): 0 for one that is never decided for.

    NaN for one without an image.
    """
    said = confusion.sum(-2)
    share = _found(confusion) / np.where(said > 0, said, 1.0)
    return np.where(confusion.sum(-1) > 0, share, np.nan)


def f_betas(confusion: Floats, beta: float = 1.0) -> Floats:
    """Return F-beta of each class, (…, K): recall counts beta times as much as precision.

    NaN for a class without an image. van Rijsbergen, "Information retrieval", 1979.
    """
    square = beta**2
    return (1 + square) * _found(confusion) / (square * _true(confusion) + confusion.sum(-2))


def mean_over(values: Floats) -> Floats:
    """Return the mean over those of (…, K) classes that have a figure."""
    there = np.isfinite(values)
    count = there.sum(-1)
    return np.where(there, values, 0.0).sum(-1) / np.where(count > 0, count, np.nan)


def balanced_accuracy(confusion: Floats) -> Floats:
    """Return the mean recall of the classes."""
    return mean_over(recalls(confusion))


def g_mean(confusion: Floats) -> Floats:
    """Return the geometric mean of the classes' recalls.

    Kubat and Matwin, "Addressing the curse of imbalanced training sets", ICML 1997.
    """
    with np.errstate(divide="ignore"):  # a recall of 0 makes the mean 0
        logs = np.log(recalls(confusion))
    there = ~np.isnan(logs)
    count = there.sum(-1)
    return np.exp(np.where(there, logs, 0.0).sum(-1) / np.where(count > 0, count, np.nan))


def macro_f1(confusion: Floats) -> Floats:
    """Return the mean F1 of the classes."""
    return mean_over(f_betas(confusion))


def accuracy(confusion: Floats) -> Floats:
    """Return the share of right decisions."""
    total = confusion.sum((-2, -1))
    return _found(confusion).sum(-1) / np.where(total > 0, total, np.nan)


def mcc(confusion: Floats) -> Floats:
    """Return Matthews' correlation coefficient; 0 where one class has all, decided or true.

    Of many classes: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 2004.
    """
    true, said = confusion.sum(-1), confusion.sum(-2)
    total = true.sum(-1)
    agreement = _found(confusion).sum(-1) * total - (true * said).sum(-1)
    spread = (total**2 - (said**2).sum(-1)) * (total**2 - (true**2).sum(-1))
    return np.where(spread > 0, agreement / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)


DECIDED: dict[str, Callable[[Floats], Floats]] = {
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "g_mean": g_mean,
    "mcc": mcc,
}


def _found(confusion: Floats) -> Floats:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _true(confusion: Floats) -> Floats:
    """Images of each class; NaN in the place of none, so that what is divided by it is NaN."""
    true = confusion.sum(-1)
    return np.where(true > 0, true, np.nan)
