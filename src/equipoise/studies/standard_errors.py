"""The one standard error of a mean over runs: from runs, from draws and from test images.

- *Units.* Runs of one draw are more alike than runs of two, so with several draws (or folds) the
  unit is a draw, its runs averaged; else each run is a unit.
- *The spread of the units* of a difference is estimated from few of them, and so moderated over the
  recipes: `equipoise.studies.moderation`.
- *The test images* come in by a bootstrap of images alone, in which every run of every recipe sees
  the same resample. It says how much of the units' spread is due to images, and how much more there
  is that no number of units averages out.
- *Folds* of one set have training images in common: the spread counts with 1/n + overlap in the
  place of 1/n (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
  2003).
- *Degrees of freedom* are Satterthwaite's, the test images having infinitely many ("An approximate
  distribution of estimates of variance components", Biometrics Bulletin 2, 1946).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from equipoise.studies.moderation import Spread, moderated

__all__ = ["StandardError", "of_difference", "of_level"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int_]


@dataclass(frozen=True)
class StandardError:
    """A mean and its squared standard error.

    Attributes
    ----------
    mean, squared, freedom : float
        NaN with fewer than two units.
    runs, draws, images : float
        The shares of `squared`: what more seeds reduce, what only more draws do (or more data,
        where draws are folds), and what only more test images do.
    """

    mean: float
    squared: float
    freedom: float
    runs: float
    draws: float
    images: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the ends of an interval that misses with this chance; NaN without an error."""
        half = self.half(level)
        return self.mean - half, self.mean + half

    def half(self, level: float) -> float:
        """Return half the width of that interval."""
        if not self.squared > 0:
            return float("nan")
        return float(stats.t.isf(level / 2, self.freedom)) * self.squared**0.5

    def p_value(self) -> float:
        """Return the two-sided p-value of a mean of zero; NaN without an error."""
        if not self.squared > 0:
            return float("nan")
        return float(2 * stats.t.sf(abs(self.mean) / self.squared**0.5, self.freedom))


def of_difference(
    figures: Floats, under: Floats, row: int, draws: Integers, overlap: float
) -> StandardError:
    """Return the standard error of a recipe's mean difference to the first one.

    Parameters
    ----------
    figures : (R, n) floats
        Of recipes that all have these n runs; the baseline first.
    under : (B, n) floats
        The difference of each run under resampled test images.
    row : int
        Of the recipe, among the figures.
    draws : (n,) integers
    overlap : float
    """
    units = _Units.of(draws)
    means = figures @ units.average
    between = moderated(means - means.mean(1, keepdims=True), row, units.number - 1)
    within = moderated(figures - means @ units.member.T, row, units.spare)
    return _joined(means[row] - means[0], under @ units.average, between, within, units, overlap)


def of_level(values: Floats, under: Floats, draws: Integers, overlap: float) -> StandardError:
    """Return the standard error of one recipe's mean figure, from its own runs alone.

    Parameters
    ----------
    values : (n,) floats
    under : (B, n) floats
    draws : (n,) integers
    overlap : float
    """
    return of_difference(np.stack([np.zeros_like(values), values]), under, 1, draws, overlap)


@dataclass(frozen=True)
class _Units:
    """How runs are averaged: (n, U) weights, and which unit each run belongs to."""

    average: Floats
    member: Floats

    @classmethod
    def of(cls, draws: Integers) -> "_Units":
        which = np.unique(draws)
        member = np.eye(len(draws)) if len(which) == 1 else 1.0 * (draws[:, None] == which)
        return cls(member / member.sum(0), member)

    @property
    def number(self) -> int:
        return self.member.shape[1]

    @property
    def spare(self) -> int:
        """Degrees of freedom of the runs within their units."""
        return len(self.member) - self.number

    @property
    def share(self) -> float:
        """What share of a single run's variance is left in a unit, on average."""
        return float((self.average**2).sum(0).mean())


def _joined(
    values: Floats,
    under: Floats,
    between: Spread,
    within: Spread,
    units: _Units,
    overlap: float,
) -> StandardError:
    """Join what units and what images say.

    The bootstrap's variance of the mean holds the test images and that share of the units' spread
    which images explain. What the units spread beyond that is added. Where they happen to spread
    less (than images, or than the runs within a draw, let them), nothing is taken away: three equal
    differences do not make a sure one.
    """
    n, mean, nan = units.number, float(values.mean()), float("nan")
    under = under[np.isfinite(under).all(1)]
    if n < 2 or len(under) < 2:
        return StandardError(mean, nan, nan, nan, nan, nan)
    deviations = under - under.mean(0)
    of_mean = float(deviations.mean(1).var(ddof=1))
    explained = float(deviations.var(1, ddof=1).mean())
    of_runs = within.variance * units.share if units.spare else 0.0
    variance = max(between.variance, explained, of_runs)
    images = max(of_mean - explained / n, 0.0)
    squared = variance * (1 / n + overlap) + of_mean - explained / n
    runs = min(of_runs / n if units.spare else squared, squared - images)
    known = between.variance * (1 / n + overlap)
    freedom = between.freedom * (squared / known) ** 2 if known > 0 else float("inf")
    return StandardError(mean, squared, freedom, runs, squared - images - runs, images)
