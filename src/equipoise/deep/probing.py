"""What a linear probe of the embeddings says of each picture, trained on others alone.

And so which classes look alike: what it takes for another class than it is called.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equipoise.deep.pool import Pool
from equipoise.readers.splitting import dealt

__all__ = [
    "FOLDS",
    "Overlap",
    "Probed",
    "enough",
    "find_overlaps",
    "fold_numbers",
    "probe",
    "recalls_of",
    "units_of",
]

FOLDS = 5
# Of the weights, on features of deviation 1: of 0.0001 to 0.1 the best at finding planted errors.
_C = 1e-3
_ITERATIONS = 300
_LEAST = 0.02  # of the pictures of one of two classes: fewer are no overlap
_MOST = 50  # overlaps


@dataclass(frozen=True)
class Probed:
    """Out-of-fold probabilities.

    Attributes
    ----------
    rows : (M,) int
        The pictures that were judged, ascending: those of classes that are large enough.
    probabilities : (M, K) float64
        Of all K classes; those too small for the probe have 0.
    small : tuple of int
        The labels of classes that were left out as too small.
    """

    rows: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    small: tuple[int, ...]


def enough(labels: NDArray[np.int64], unit: NDArray[np.intp], classes: int) -> NDArray[np.bool_]:
    """Return which classes have a unit (a group, or a single picture) for each fold."""
    pairs = np.unique(np.stack([labels, unit]), axis=1)
    return np.bincount(pairs[0], minlength=classes) >= FOLDS


def fold_numbers(labels: NDArray[np.int64], unit: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Deal rows out to stratified folds that part no unit."""
    singles = len(np.unique(unit)) == len(unit)
    return dealt(labels, None if singles else unit, FOLDS, seed % 2**32)


def probe(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: NDArray[np.intp],
    classes: int,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Probed:
    """Return the probabilities of each picture's classes by a probe of the other folds.

    The probe is multinomial logistic regression on features that are brought to mean 0 and
    deviation 1 of what it is trained on.

    Parameters
    ----------
    embeddings : (N, D) float32
    labels, unit : (N,) int
        Pictures of one unit are never on both sides.
    classes : int
    seed : int
        Deals out the folds.
    tell : callable
        Called with how many folds are done, and how many there are.
    """
    there = enough(labels, unit, classes)
    rows = np.flatnonzero(there[labels])
    small = tuple(np.flatnonzero(~there & (np.bincount(labels, minlength=classes) > 0)).tolist())
    found = np.zeros((len(rows), classes))
    if there.sum() < 2:
        return Probed(rows[:0], found[:0], small)
    fold = fold_numbers(labels[rows], units_of(unit[rows]), seed)
    for done, (train, test) in enumerate(_sides(fold), 1):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=_ITERATIONS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough for a ranking
            model.fit(embeddings[rows[train]], labels[rows[train]])
        found[np.ix_(test, model.classes_)] = model.predict_proba(embeddings[rows[test]])
        tell(done, FOLDS)
    return Probed(rows, found, small)


def units_of(unit: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the numbers of some units from 0, none missing."""
    return np.unique(unit, return_inverse=True)[1].ravel()


def _sides(fold: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    for number in range(FOLDS):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


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
