"""Probable label errors, by confident learning.

C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident learning: estimating uncertainty in dataset
labels", JAIR 70, 2021, with their pruning by noise rate. From out-of-fold probabilities it counts
how many pictures called one class are surely of another one: those whose probability of the other
class is at least what pictures of that class have on average. The counts, scaled to the sizes of
the classes, say how many labels are wrong; which ones is told by the margin between the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Errors", "confident_joint", "find_errors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Which labels are probably wrong.

    Attributes
    ----------
    rows : (S,) int
        The pictures, the surest error first.
    suggested : (S,) int64
        The class that each is likelier to be.
    """

    rows: NDArray[np.intp]
    suggested: NDArray[np.int64]


def confident_joint(labels: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return how many pictures of each given class (row) are of each true class (column).

    Rows add up to the pictures of each given class.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sure = np.where(probabilities >= _thresholds(labels, probabilities), probabilities, -1.0)
    told = sure.max(axis=1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[told], sure[told].argmax(axis=1)), 1)
    # A class without any picture that is sure is taken at its word.
    np.fill_diagonal(joint, np.where(joint.sum(axis=1) == 0, 1, joint.diagonal()))
    return joint * (counts / joint.sum(axis=1))[:, None]


def find_errors(labels: NDArray[np.int64], probabilities: Floats) -> Errors:
    """Return the labels that are probably wrong.

    Parameters
    ----------
    labels : (N,) int64
    probabilities : (N, K) float64
        Of each class, by nets that were not trained on the picture.
    """
    wrong = np.zeros(len(labels), bool)
    counts = np.round(confident_joint(labels, probabilities)).astype(int)
    for given, row in enumerate(counts.tolist()):
        mine = np.flatnonzero(labels == given)
        for true, count in enumerate(row):
            if true != given and count:
                margin = probabilities[mine, true] - probabilities[mine, given]
                wrong[mine[np.argsort(-margin, kind="stable")[:count]]] = True
    best = probabilities.argmax(axis=1)
    rows = np.flatnonzero(wrong & (best != labels))
    # Pictures of rare classes get lower probabilities; each is measured by what its class has.
    scaled = probabilities[rows] / _thresholds(labels, probabilities)
    order = np.argsort(
        scaled[np.arange(len(rows)), labels[rows]] / scaled.sum(axis=1), kind="stable"
    )
    return Errors(rows[order], best[rows[order]])


def _thresholds(labels: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return the mean probability of each class among the pictures that are called so."""
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=classes)
    means = np.bincount(labels, own, classes) / np.maximum(counts, 1)
    return np.where(counts > 0, np.maximum(means, 1e-12), np.inf)
