"""Which classes look alike: what a linear probe takes for another class than it is called."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from equipoise.deep.pool import Pool
from equipoise.deep.probing import Probed

__all__ = ["Overlap", "find_overlaps", "recalls_of"]

_LEAST = 0.02  # of the pictures of one of the two: fewer are no overlap
_MOST = 50


@dataclass(frozen=True)
class Overlap:
    """Two classes that are taken for each other.

    Attributes
    ----------
    classes : (str, str)
    shares : (float, float)
        Of the first class's pictures those that are taken for the second, and the other way round.
    """

    classes: tuple[str, str]
    shares: tuple[float, float]


def find_overlaps(pool: Pool, probed: Probed) -> tuple[Overlap, ...]:
    """Return the pairs of classes that overlap, the most confused first."""
    shares = _shares(pool, probed)
    pairs = [
        (one, other)
        for one, other in combinations(range(len(pool.classes)), 2)
        if max(shares[one, other], shares[other, one]) >= _LEAST
    ]
    pairs.sort(key=lambda pair: -(shares[pair] + shares[pair[::-1]]))
    return tuple(
        Overlap(
            (pool.classes[one], pool.classes[other]),
            (round(float(shares[one, other]), 4), round(float(shares[other, one]), 4)),
        )
        for one, other in pairs[:_MOST]
    )


def recalls_of(pool: Pool, probed: Probed) -> NDArray[np.float64]:
    """Return the probe's recall of each class; NaN where it was not judged."""
    recalls = np.diag(_shares(pool, probed)).copy()
    recalls[np.setdiff1d(np.arange(len(recalls)), pool.labels[probed.rows])] = np.nan
    return recalls


def _shares(pool: Pool, probed: Probed) -> NDArray[np.float64]:
    """Return the shares of each class (row) that are taken for each (column).

    Probabilities are divided by how frequent their class is, so that a rare one is not swallowed.
    """
    classes = len(pool.classes)
    labels = pool.labels[probed.rows]
    counts = np.bincount(labels, minlength=classes)
    taken = (probed.probabilities / np.maximum(counts, 1)).argmax(axis=1)
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (labels, taken), 1)
    return matrix / np.maximum(counts, 1)[:, None]
