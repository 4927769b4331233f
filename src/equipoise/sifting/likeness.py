"""How like its class an image is: a linear probe and distances, both of embeddings.

Real images of the class say what is like enough. Each of them is judged as a stranger would be: by
a probe that was trained on other folds, and by its distance to the others. Of n real images so many
may look stranger than the cut that a further real one falls with a probability of at most `SHARE`
(the rank ⌈(n + 1)(1 - SHARE)⌉ of conformal prediction: Vovk, Gammerman and Shafer, "Algorithmic
learning in a random world", 2005). With fewer than 24 no cut has that property.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from equipoise.keys import order

__all__ = ["LEAST", "SHARE", "Likeness", "fit_likeness"]

SHARE = 0.04  # of real images that fall at each step
LEAST = ceil(1 / SHARE) - 1  # real images of a class to judge by

_FOLDS = 5
_NEIGHBOURS = 5
_C = 1e-4  # of the probe: with a thousand features and a hundred images it must be held back

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Likeness:
    """Real embeddings, probes trained on all folds but one, and the cut of each class.

    Attributes
    ----------
    scale : (D,) float
        The deviation of each feature over the real images.
    mean : (D,) float
    vectors : (N, D) float
        Real embeddings on that scale, each of length 1.
    labels, fold : (N,) int
    probes : (F, K, D + 1) float
        Logits of each class from standardised features, the constant last.
    farthest, least_margin : (K,) float
        The cuts: a larger distance, a smaller margin falls. Infinite where there are too few real
        images.
    """

    scale: Floats
    mean: Floats
    vectors: Floats
    labels: Ints
    fold: Ints
    probes: Floats
    farthest: Floats
    least_margin: Floats

    def distances(self, embeddings: NDArray[np.float32], labels: Ints) -> tuple[Floats, Ints]:
        """Return the mean distance of each image to the nearest real ones of its class, and the
        nearest of them.
        """
        away, nearest = np.full(len(labels), np.inf), np.zeros(len(labels), np.intp)
        vectors = _unit(embeddings / self.scale)
        for label in np.unique(labels):
            rows, real = np.flatnonzero(labels == label), np.flatnonzero(self.labels == label)
            if len(real):
                found = 1 - vectors[rows] @ self.vectors[real].T
                away[rows] = _mean_of_nearest(found)
                nearest[rows] = real[found.argmin(axis=1)]
        return away, nearest

    def margins(self, embeddings: NDArray[np.float32], labels: Ints, nearest: Ints) -> Floats:
        """Return by how much a probe prefers each image's class to the best other one.

        The probe is one that was not trained on the real image that is nearest.
        """
        features = (embeddings - self.mean) / self.scale
        return _margins(self.probes[self.fold[nearest]], features, labels)


def fit_likeness(
    embeddings: NDArray[np.float32], labels: Ints, units: Ints, ids: NDArray[np.int64], classes: int
) -> Likeness:
    """Learn from real embeddings what is like each class.

    Parameters
    ----------
    embeddings : (N, D) float32
    labels, units, ids : (N,) int
        Images of one unit are in one fold, and no measure of each other's distance.
    classes : int
    """
    scale, mean = embeddings.std(axis=0).astype(float) + 1e-6, embeddings.mean(axis=0).astype(float)
    vectors, features = _unit(embeddings / scale), (embeddings - mean) / scale
    fold = _folds(labels, units, ids)
    probes = np.stack(
        [_probe(features[fold != k], labels[fold != k], classes) for k in range(_FOLDS)]
    )
    margins = _margins(probes[fold], features, labels)
    farthest, least = np.full(classes, np.inf), np.full(classes, -np.inf)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        if len(rows) < LEAST or len(np.unique(labels)) < 2:
            continue
        apart = 1 - vectors[rows] @ vectors[rows].T
        apart[units[rows][:, None] == units[rows]] = np.inf
        farthest[label] = _cut(_mean_of_nearest(apart))
        # A probe that knows its class well is taken at its word.
        least[label] = min(0.0, -_cut(-margins[rows]))
    return Likeness(scale, mean, vectors, labels, fold, probes, farthest, least)


def _unit(vectors: NDArray) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _mean_of_nearest(apart: Floats) -> Floats:
    """The mean of the smallest five distances of each row, or of as many as there are."""
    some = np.sort(apart, axis=1)[:, :_NEIGHBOURS]
    there = np.isfinite(some)
    total = np.where(there, some, 0).sum(axis=1)
    return np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), np.inf)


def _cut(strangeness: Floats) -> float:
    rank = ceil((len(strangeness) + 1) * (1 - SHARE))
    return float(np.sort(strangeness)[rank - 1])


def _folds(labels: Ints, units: Ints, ids: NDArray[np.int64]) -> Ints:
    """Deal the units of each class out to folds."""
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    ranked = first[order(0, ids[first], "folds of the sieve")]
    of_unit = np.zeros(len(first), np.intp)
    for label in np.unique(labels):
        mine = ranked[labels[ranked] == label]
        of_unit[unit.ravel()[mine]] = np.arange(len(mine)) % _FOLDS
    return of_unit[unit.ravel()]


def _probe(features: Floats, labels: Ints, classes: int) -> Floats:
    """Logits (K, D + 1) of a logistic regression in which all classes count alike."""
    from sklearn.linear_model import LogisticRegression

    logits = np.zeros((classes, features.shape[1] + 1))
    there = np.unique(labels)
    if len(there) < 2:
        return logits
    logits[:, -1] = -np.inf
    fitted = LogisticRegression(C=_C, class_weight="balanced", max_iter=500).fit(features, labels)
    found = np.column_stack([fitted.coef_, fitted.intercept_])
    logits[there] = np.stack([-found[0], found[0]]) / 2 if len(there) == 2 else found
    return logits


def _margins(probes: Floats, features: Floats, labels: Ints) -> Floats:
    """Each row's logit of its label less the largest other one, by a probe (K, D + 1) of its own.

    A class that a probe did not see is never preferred.
    """
    found = np.einsum("nkd,nd->nk", probes[:, :, :-1], features) + probes[:, :, -1]
    rows = np.arange(len(labels))
    own = found[rows, labels]
    found[rows, labels] = -np.inf
    return own - found.max(axis=1)
