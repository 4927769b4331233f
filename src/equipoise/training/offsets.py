"""Searching the offsets of a decision: coordinate ascent, one line search a class in turn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Judge", "Sample", "ascend"]

Floats = NDArray[np.float64]

# From (…, K, K) confusion matrices to how good they are, (…).
Judge = Callable[[Floats], Floats]

# With more than two classes a line search looks at no more than this many places, and at so many
# entries of confusion matrices.
_PLACES, _ENTRIES = 256, 2**20
_SWEEPS = 20


@dataclass(frozen=True)
class Sample:
    """Images to search with.

    Attributes
    ----------
    scores : (N, K) floats
        Offsets are added to them; the class of the largest sum is decided for.
    expected : (N, K) floats
        For how much each image counts as one of each class.
    """

    scores: Floats
    expected: Floats

    def confusion(self, offsets: Floats) -> Floats:
        """Return the (K, K) confusion matrix to be expected, rows the true class."""
        return self.by_decided((self.scores + offsets).argmax(1))

    def by_decided(self, decided: NDArray[np.int_]) -> Floats:
        """Return the (K, K) confusion matrix of decided labels."""
        return _sums(self.expected, decided, self.expected.shape[1]).T


def ascend(sample: Sample, offsets: Floats, judge: Judge) -> Floats:
    """Improve what `judge` says by one class's offset at a time, until no class's helps."""
    classes = len(offsets)
    turns = [1] if classes == 2 else list(range(classes)) * _SWEEPS
    best, idle, offsets = float(judge(sample.confusion(offsets))), 0, offsets.copy()
    for label in turns:
        offset, score = _search(sample, offsets, label, judge)
        if score > best + 1e-12:
            offsets[label], best, idle = offset, score, 0
        else:
            idle += 1
        if idle == classes:
            break
    return offsets


def _search(sample: Sample, offsets: Floats, label: int, judge: Judge) -> tuple[float, float]:
    """Best offset of one class, the others held, and how good it is."""
    k = len(offsets)
    rivals = sample.scores + offsets
    rivals[:, label] = -np.inf
    rival = rivals.argmax(1)
    # Image i goes to `label` as soon as the offset passes this.
    needed = rivals.max(1) - sample.scores[:, label]
    places = _places(needed, k)
    # Image i has moved at the places from `since` on; summing moves (decided, true) up the places
    # gives, at each, the confusion matrix there.
    since = np.searchsorted(places, needed)
    spots = len(places) + 1
    moves = -_sums(sample.expected, since * k + rival, spots * k).reshape(spots, k, k)
    moves[:, label] += _sums(sample.expected, since, spots)
    start = sample.by_decided(rival)
    # Rounding must not leave less than no image.
    scores = judge(np.maximum(start + moves[:-1].cumsum(0).swapaxes(1, 2), 0.0))
    top = scores.max()
    among = places[scores >= top - 1e-12]
    return float(among[np.abs(among).argmin()]), float(top)


def _places(needed: Floats, classes: int) -> Floats:
    """Return offsets to try: between neighbouring turning points, and beyond both ends."""
    turning = np.unique(needed[np.isfinite(needed)])
    if not len(turning):
        return np.zeros(1)
    places = np.concatenate([[turning[0] - 1], (turning[1:] + turning[:-1]) / 2, [turning[-1] + 1]])
    most = max(16, min(_PLACES, _ENTRIES // classes**2))
    if classes > 2 and len(places) > most:
        places = places[np.linspace(0, len(places) - 1, most).astype(int)]
    return places


def _sums(rows: Floats, groups: NDArray[np.int_], number: int) -> Floats:
    """Sum the rows of each group; (number, K)."""
    order = np.argsort(groups, kind="stable")
    groups = groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sums = np.zeros((number, rows.shape[1]))
    sums[groups[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return sums
