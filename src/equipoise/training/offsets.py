"""Searching the offsets of a decision: coordinate ascent, one line search a class in turn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.decided import Counts, Floats

__all__ = ["Judge", "Sample", "ascend"]

# With more than two classes a line search looks at no more places than make so many counts.
_COUNTS = 2**14
_SWEEPS = 20

# A sweep that gains less than this is the last.
_GAIN = 1e-6


# How good decisions are, (…), by their counts.
Judge = Callable[[Counts], Floats]


@dataclass(frozen=True)
class Sample:
    """Images to search with.

    Attributes
    ----------
    scores : (N, K) floats
        Offsets are added to them; the class of the largest sum is decided for.
    expected : (N, K) floats
        For how much each image counts as one of each class.
    costs : (N, K) floats
        What deciding for each class is expected to cost.
    """

    scores: Floats
    expected: Floats
    costs: Floats

    def counts(self, offsets: Floats) -> Counts:
        """Return the counts to be expected."""
        return self.decided((self.scores + offsets).argmax(1))

    def decided(self, decided: NDArray[np.int_]) -> Counts:
        """Return the counts to be expected of decided labels."""
        k, mine = self.expected.shape[1], (np.arange(len(decided)), decided)
        found = _sums(self.expected[mine], decided, k)
        said = _sums(np.ones(len(decided)), decided, k)
        return Counts(found, self.expected.sum(0), said, np.asarray(self.costs[mine].sum()))


def ascend(sample: Sample, offsets: Floats, judge: Judge) -> Floats:
    """Improve what `judge` says by one class's offset at a time, until no class's helps."""
    labels = [1] if len(offsets) == 2 else range(len(offsets))
    best, offsets = float(judge(sample.counts(offsets))), offsets.copy()
    for _ in range(_SWEEPS if len(labels) > 1 else 1):
        before = best
        for label in labels:
            offset, score = _search(sample, offsets, label, judge)
            if score > best:
                offsets[label], best = offset, score
        if best < before + _GAIN:
            break
    return offsets


def _search(sample: Sample, offsets: Floats, label: int, judge: Judge) -> tuple[float, float]:
    """Best offset of one class, the others held, and how good it is."""
    rivals = sample.scores + offsets
    rivals[:, label] = -np.inf
    rival = rivals.argmax(1)
    # Image i goes to `label` as soon as the offset passes this.
    needed = rivals.max(1) - sample.scores[:, label]
    places = _places(needed, len(offsets))
    scores = judge(_along(sample, label, rival, np.searchsorted(places, needed), len(places)))
    top = scores.max()
    among = places[scores >= top - 1e-12]
    return float(among[np.abs(among).argmin()]), float(top)


def _along(
    sample: Sample, label: int, rival: NDArray[np.int_], since: NDArray[np.int_], places: int
) -> Counts:
    """The counts at each place, where image i has gone over from `since` on."""
    k, rows = sample.expected.shape[1], np.arange(len(rival))
    start, ones = sample.decided(rival), np.ones(len(rival))

    def moved(amounts: Floats, classes: NDArray[np.int_], number: int = k) -> Floats:
        """Amounts that have moved from each of some classes by each place, (places, number)."""
        each = _sums(amounts, since * number + classes, (places + 1) * number)
        return each.reshape(-1, number)[:-1].cumsum(0)

    def gained(amounts: Floats) -> Floats:
        return moved(amounts, 0 * rival, 1)[:, 0]

    mine, theirs = sample.expected[:, label], sample.expected[rows, rival]
    found, said = start.found - moved(theirs, rival), start.said - moved(ones, rival)
    found[:, label] += gained(mine)
    said[:, label] += gained(ones)
    cost = np.asarray(start.cost) + gained(sample.costs[:, label] - sample.costs[rows, rival])
    # Rounding must not leave less than no image.
    return Counts(np.maximum(found, 0.0), start.true, np.maximum(said, 0.0), cost)


def _sums(amounts: Floats, groups: NDArray[np.int_], number: int) -> Floats:
    return np.asarray(np.bincount(groups, amounts, number), np.float64)


def _places(needed: Floats, classes: int) -> Floats:
    """Return offsets to try: between neighbouring turning points, and beyond both ends."""
    turning = np.unique(needed[np.isfinite(needed)])
    if not len(turning):
        return np.zeros(1)
    places = np.concatenate([[turning[0] - 1], (turning[1:] + turning[:-1]) / 2, [turning[-1] + 1]])
    most = max(16, _COUNTS // classes)
    if classes > 2 and len(places) > most:
        places = places[np.linspace(0, len(places) - 1, most).astype(int)]
    return places
