"""Means, intervals and verdicts over runs.

A run is (recipe, seed, draw). Two recipes are compared by the differences of their runs with the
same seed and draw, which takes out what such a pair has in common.

Runs on folds of one set train on much the same images, so their figures spread less than those of
fresh data would. Where `overlap` is given, test to training images of such a run, the variance of
a mean over n runs is s²·(1/n + overlap) in the place of s²/n: Nadeau and Bengio, "Inference for the
generalization error", Machine Learning 52, 2003; for repeated folds Bouckaert and Frank,
"Evaluating the replicability of significance tests for comparing learning algorithms", PAKDD 2004.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "BOOTSTRAP_RUNS",
    "CONFIDENCE",
    "Estimate",
    "estimate",
    "gated",
    "holm",
    "mean_ranks",
    "p_value",
    "paired",
    "ratio",
    "runs_needed",
    "verdict",
]

CONFIDENCE = 0.95
# A bootstrap over fewer runs than this says little about the spread between runs.
BOOTSTRAP_RUNS = 5
# Of `runs_needed`: nobody makes more.
_MOST_RUNS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean over runs with its confidence interval.

    Attributes
    ----------
    mean : float
    low, high : float
        Ends of the 95 % interval; NaN with fewer than two runs.
    values : tuple of float
        One a run.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "values": list(self.values)}


def estimate(
    values: Sequence[float],
    resampled: NDArray[np.float64] | None = None,
    overlap: float = 0.0,
) -> Estimate:
    """Return the mean of one value a run, with its interval.

    Parameters
    ----------
    values : sequence of float
        One a run, or one difference a pair of runs.
    resampled : (B,) floats, optional
        The same mean over B bootstrap resamples of runs and test images together. From five runs
        on its percentile interval is looked at too, and the wider of the two counts: Student's
        knows the spread between runs only, the bootstrap that of the test images as well.
    overlap : float
        Test to training images of a run, where runs are folds of one set.
    """
    runs = np.asarray(values, np.float64)
    mean = float(runs.mean())
    if len(runs) < 2 or not np.isfinite(runs).all():
        return Estimate(mean, float("nan"), float("nan"), tuple(map(float, runs)))
    half = float(_critical(len(runs)) * runs.std(ddof=1) * np.sqrt(1 / len(runs) + overlap))
    low, high = mean - half, mean + half
    if resampled is not None and len(runs) >= BOOTSTRAP_RUNS:
        low, high = _wider((low, high), resampled)
    return Estimate(mean, low, high, tuple(map(float, runs)))


def _critical(runs: int | NDArray[np.int_]) -> Any:
    return stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1)


def _wider(interval: tuple[float, float], resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the interval, or the percentile interval of the resamples if that is wider."""
    tail = (1 - CONFIDENCE) / 2
    low, high = map(float, np.nanquantile(resampled, [tail, 1 - tail]))
    return (low, high) if high - low > interval[1] - interval[0] else interval


def ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    resampled: NDArray[np.float64] | None = None,
) -> Estimate:
    """Return the ratio of two means over the same runs, with Fieller's interval.

    Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16,
    1954. Where the denominator is not shown to differ from zero the ratio could be anything, and
    the ends are NaN.

    Parameters
    ----------
    numerators, denominators : sequence of float
        One a run, in the same order.
    resampled : (B,) floats, optional
        The same ratio over B bootstrap resamples; as in `estimate`.
    """
    a, b = (np.asarray(side, np.float64) for side in (numerators, denominators))
    nan, each = float("nan"), tuple(map(float, a))
    if len(a) < 2 or not np.isfinite([a, b]).all() or b.mean() == 0:
        return Estimate(nan, nan, nan, each)
    found = float(a.mean() / b.mean())
    (aa, ab), (_, bb) = np.cov(a, b) / len(a) * _critical(len(a)) ** 2
    leading = b.mean() ** 2 - bb
    if leading <= 0:
        return Estimate(found, nan, nan, each)
    middle = a.mean() * b.mean() - ab
    half = np.sqrt(max(middle**2 - leading * (a.mean() ** 2 - aa), 0.0))
    low, high = float((middle - half) / leading), float((middle + half) / leading)
    if resampled is not None and len(a) >= BOOTSTRAP_RUNS:
        low, high = _wider((low, high), resampled)
    return Estimate(found, low, high, each)


def verdict(difference: Estimate) -> str:
    """Say what an interval of differences shows, and nothing more."""
    if len(difference.values) < 2:
        return "one run: no verdict"
    # An interval of NaN (a figure without meaning) holds zero too.
    if difference.low > 0:
        return "higher"
    if difference.high < 0:
        return "lower"
    return "no difference shown"


def paired(values: ArrayLike, reference: ArrayLike) -> tuple[float, ...]:
    """Return the differences, run by run, of two rows of figures in the same order of runs."""
    return tuple(map(float, np.asarray(values, np.float64) - np.asarray(reference, np.float64)))


def p_value(differences: Sequence[float], overlap: float = 0.0) -> float:
    """Return the two-sided p-value of a paired t-test; NaN with fewer than two runs.

    With `overlap` it is that of the corrected test; see `estimate`.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    error = values.std(ddof=1) * np.sqrt(1 / len(values) + overlap)
    return float(2 * stats.t.sf(abs(values.mean()) / error, len(values) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; NaN stays NaN and does not count.

    Step-down, as in Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6, 1979.
    """
    raw = np.asarray(p_values, np.float64)
    counted = np.flatnonzero(np.isfinite(raw))
    order = counted[np.argsort(raw[counted], kind="stable")]
    corrected = np.full(len(raw), np.nan)
    scaled = raw[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(p) for p in corrected]


def gated(families: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the p-values of several families, each corrected by `holm`, the first one a gate.

    The others are questions that are only asked where something came of the first, so that none of
    theirs is below its smallest: serial gatekeeping, as in Westfall and Krishen, "Optimally
    weighted, fixed sequence and gatekeeper multiple testing procedures", Journal of Statistical
    Planning and Inference 99, 2001. Where every difference is zero, the chance of claiming any is
    that of the first family.
    """
    first, *others = (holm(family) for family in families)
    gate = float(np.nanmin([1.0, *first]))
    return [first, *(np.maximum(corrected, gate).tolist() for corrected in others)]


def runs_needed(
    differences: Sequence[float], power: float = 0.8, overlap: float = 0.0, comparisons: int = 1
) -> int | None:
    """Return how many paired runs would show a difference as large as the one seen.

    The smallest number whose paired t-test has this power, were the mean and the spread of the
    differences the true ones; the test is at 5 % over the number of `comparisons`, which is what
    Holm's correction asks of the first of them. None where that says nothing: fewer than two
    runs, no difference at all, or more than 10,000 (on folds, where what runs have in common does
    not average out, that may be any number).
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values.mean() == 0:
        return None
    spread = values.std(ddof=1)
    if spread == 0:
        return 2

    def enough(runs: int) -> bool:
        shift = abs(values.mean()) / spread / np.sqrt(1 / runs + overlap)
        critical = stats.t.isf((1 - CONFIDENCE) / comparisons / 2, runs - 1)
        reached = stats.nct.sf(critical, runs - 1, shift)
        return not reached < power  # NaN where the shift is beyond what can be computed

    candidates = range(2, _MOST_RUNS + 1)
    place = bisect_left(candidates, True, key=enough)  # power grows with the number of runs
    return candidates[place] if place < len(candidates) else None


def mean_ranks(values: ArrayLike, higher_is_better: bool) -> list[float]:
    """Return the mean rank of each recipe over runs; 1 is best, ties share their mean rank.

    Parameters
    ----------
    values : (recipes, runs) floats
        The same runs (seed, draw) in the same order for every recipe.
    """
    table = np.asarray(values, np.float64) * (-1 if higher_is_better else 1)
    return [float(rank) for rank in stats.rankdata(table, axis=0).mean(1)]
