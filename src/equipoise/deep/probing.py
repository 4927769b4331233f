"""What a linear probe of the embeddings says of each picture, trained on others alone."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equipoise.readers.splitting import dealt

__all__ = ["FOLDS", "Probed", "enough", "fold_numbers", "probe"]

FOLDS = 5
# Of the weights, on features of deviation 1: of 0.0001 to 0.1 the best at finding planted errors.
_C = 1e-3
_ITERATIONS = 300


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
