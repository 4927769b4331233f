"""Means, intervals and verdicts over runs.

A run is (recipe, seed, draw). Two recipes are compared by the differences of their runs with the
same seed and draw, which takes out what such a pair has in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "BOOTSTRAP_RUNS",
    "CONFIDENCE",
    "Estimate",
    "estimate",
    "holm",
    "mean_ranks",
    "p_value",
    "paired",
    "runs_needed",
    "verdict",
]

CONFIDENCE = 0.95
# A bootstrap over fewer runs than this says little about the spread between runs.
BOOTSTRAP_RUNS = 5


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


def estimate(values: Sequence[float], resampled: NDArray[np.float64] | None = None) -> Estimate:
    """Return the mean of one value a run, with its interval.

    Parameters
    ----------
    values : sequence of float
        One a run, or one difference a pair of runs.
    resampled : (B,) floats, optional
        The same mean over B bootstrap resamples of runs and test images together. From five runs
        on its percentile interval is looked at too, and the wider of the two counts: Student's
        knows the spread between runs only, the bootstrap that of the test images as well.
    """
    runs = np.asarray(values, np.float64)
    mean = float(runs.mean())
    if len(runs) < 2 or not np.isfinite(runs).all():
        return Estimate(mean, float("nan"), float("nan"), tuple(map(float, runs)))
    half = float(
        stats.t.ppf((1 + CONFIDENCE) / 2, len(runs) - 1) * runs.std(ddof=1) / np.sqrt(len(runs))
    )
    low, high = mean - half, mean + half
    if resampled is not None and len(runs) >= BOOTSTRAP_RUNS:
        tail = (1 - CONFIDENCE) / 2
        ends = np.nanquantile(resampled, [tail, 1 - tail])
        if ends[1] - ends[0] > high - low:
            low, high = map(float, ends)
    return Estimate(mean, low, high, tuple(map(float, runs)))


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


def p_value(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of a paired t-test; NaN with fewer than two runs."""
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(stats.ttest_1samp(values, 0.0).pvalue)


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


def runs_needed(differences: Sequence[float], power: float = 0.8) -> int | None:
    """Return how many paired runs would show a difference as large as the one seen.

    The smallest number whose paired t-test at 5 % has this power, were the mean and the spread of
    the differences the true ones. None where that says nothing: fewer than two runs, no
    difference at all, or more than 10,000.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values.mean() == 0:
        return None
    spread = values.std(ddof=1)
    if spread == 0:
        return 2
    effect = abs(values.mean()) / spread
    runs = np.arange(2, 10_001)
    critical = stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1)
    reached = runs[stats.nct.sf(critical, runs - 1, effect * np.sqrt(runs)) >= power]
    return int(reached[0]) if len(reached) else None


def mean_ranks(values: ArrayLike, higher_is_better: bool) -> list[float]:
    """Return the mean rank of each recipe over runs; 1 is best, ties share their mean rank.

    Parameters
    ----------
    values : (recipes, runs) floats
        The same runs (seed, draw) in the same order for every recipe.
    """
    table = np.asarray(values, np.float64) * (-1 if higher_is_better else 1)
    return [float(rank) for rank in stats.rankdata(table, axis=0).mean(1)]
