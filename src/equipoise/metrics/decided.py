"""The figures of decided labels: functions of (…, K, K) confusion matrices, rows the true class.

Of counted, weighted or expected images alike, and of any number of matrices at once. Of a matrix
they need its `Counts` alone, and take these in its place.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DECIDED",
    "Confusion",
    "Counts",
    "Floats",
    "accuracy",
    "balanced_accuracy",
    "counts_of",
    "f_betas",
    "g_mean",
    "macro_f1",
    "mcc",
    "mean_over",
    "precisions",
    "recalls",
]

Floats = NDArray[np.float64]


class Counts(NamedTuple):
    """What figures need of (…, K, K) confusion matrices.

    Attributes
    ----------
    found, true, said : (…, K) floats
        Images of each class: decided rightly, in truth, and decided so.
    cost : (…) floats, optional
        What the decisions cost in all, where that was counted.
    """

    found: Floats
    true: Floats
    said: Floats
    cost: Floats | None = None


Confusion = Floats | Counts


def counts_of(confusion: Confusion) -> Counts:
    """Return the counts of confusion matrices."""
    if isinstance(confusion, Counts):
        return confusion
    found = np.diagonal(confusion, axis1=-2, axis2=-1)
    return Counts(found, confusion.sum(-1), confusion.sum(-2))


def recalls(confusion: Confusion) -> Floats:
    """Return the recall of each class, (…, K); NaN for one without an image."""
    found, true, *_ = counts_of(confusion)
    return found / _or_nan(true)


def precisions(confusion: Confusion) -> Floats:
    """Return the precision of each class, (…, K): 0 for one that is never decided for.

    NaN for one without an image.
    """
    found, true, said, _ = counts_of(confusion)
    return np.where(true > 0, found / np.where(said > 0, said, 1.0), np.nan)


def f_betas(confusion: Confusion, beta: float = 1.0) -> Floats:
    """Return F-beta of each class, (…, K): recall counts beta times as much as precision.

    NaN for a class without an image. van Rijsbergen, "Information retrieval", 1979.
    """
    found, true, said, _ = counts_of(confusion)
    return (1 + beta**2) * found / (beta**2 * _or_nan(true) + said)


def mean_over(values: Floats) -> Floats:
    """Return the mean over those of (…, K) classes that have a figure."""
    there = np.isfinite(values)
    return np.where(there, values, 0.0).sum(-1) / _or_nan(there.sum(-1))


def balanced_accuracy(confusion: Confusion) -> Floats:
    """Return the mean recall of the classes."""
    return mean_over(recalls(confusion))


def g_mean(confusion: Confusion) -> Floats:
    """Return the geometric mean of the classes' recalls.

    Kubat and Matwin, "Addressing the curse of imbalanced training sets", ICML 1997.
    """
    with np.errstate(divide="ignore"):  # a recall of 0 makes the mean 0
        logs = np.log(recalls(confusion))
    there = ~np.isnan(logs)
    return np.exp(np.where(there, logs, 0.0).sum(-1) / _or_nan(there.sum(-1)))


def macro_f1(confusion: Confusion) -> Floats:
    """Return the mean F1 of the classes."""
    return mean_over(f_betas(confusion))


def accuracy(confusion: Confusion) -> Floats:
    """Return the share of right decisions."""
    found, true, *_ = counts_of(confusion)
    return found.sum(-1) / _or_nan(true.sum(-1))


def mcc(confusion: Confusion) -> Floats:
    """Return Matthews' correlation coefficient; 0 where one class has all, decided or true.

    Of many classes: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 2004.
    """
    found, true, said, _ = counts_of(confusion)
    total = true.sum(-1)
    agreement = found.sum(-1) * total - (true * said).sum(-1)
    spread = (total**2 - (said**2).sum(-1)) * (total**2 - (true**2).sum(-1))
    return np.where(spread > 0, agreement / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)


DECIDED: dict[str, Callable[[Confusion], Floats]] = {
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "g_mean": g_mean,
    "mcc": mcc,
}


def _or_nan(number: NDArray[np.number]) -> Floats:
    """A number of images, and NaN in the place of none: so is then what is divided by it."""
    return np.where(number > 0, number, np.nan)
