"""The one standard error of a mean over runs: from runs, from draws and from test images.

- *Units.* Runs of one draw are more alike than runs of two, so with several draws (or folds) the
  unit is a draw, its runs averaged; else each run is a unit.
- *The spread of the units* of a difference is estimated from few of them, and so moderated over the
  recipes: see `moderated`.
- *The test images* come in by a bootstrap of images alone, in which every run of every recipe sees
  the same resample. It says how much of the units' spread is due to images, and how much more there
  is that no number of units averages out. With few images that is moderated over the recipes, too.
- *Folds* of one set have training images in common: the spread counts with 1/n + overlap in the
  place of 1/n (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
  2003).
- *Degrees of freedom* are Satterthwaite's, the test images having infinitely many ("An approximate
  distribution of estimates of variance components", Biometrics Bulletin 2, 1946).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # Student's distribution

__all__ = [
    "PRIOR_FREEDOM",
    "Spread",
    "StandardError",
    "drawn_together",
    "moderated",
    "of_differences",
    "of_level",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int_]

# Where units happen to spread less than images alone let them, the squared error is still this
# share of what images explain: equal differences do not make a sure one. All of it would miss too
# rarely with two hundred test images, less of it too often with two recipes.
_LEAST = 0.9


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
        return -float(stdtrit(self.freedom, level / 2)) * self.squared**0.5

    def p_value(self) -> float:
        """Return the two-sided p-value of a mean of zero; NaN without an error."""
        if not self.squared > 0:
            return float("nan")
        return float(2 * stdtr(self.freedom, -abs(self.mean) / self.squared**0.5))


def of_differences(
    figures: Floats,
    under: Floats,
    draws: Integers,
    *,
    overlap: float = 0.0,
    images: int | None = None,
) -> list[StandardError]:
    """Return the standard error of the mean difference of each recipe to the first one.

    Parameters
    ----------
    figures : (R, n) floats
        Of recipes that all have these n runs.
    under : (B, R, n) floats
        The same under resampled test images.
    draws : (n,) integers
    overlap : float
        Test to training images where draws are folds.
    images : int, optional
        How many test images the figure stands on. By default so many that what they explain is
        known and need not be moderated.
    """
    units = _Units.of(draws)
    n, means = units.number, figures @ units.average
    between = moderated(means - means.mean(1, keepdims=True), n - 1)
    within = moderated(figures - means @ units.member.T, units.spare).variances * units.share
    of_mean, of_units = _explained(under @ units.average, np.inf if images is None else images - 1)

    # What units spread; no less than the runs within them let them.
    spread = np.fmax(between.variances, within) * (1 / n + overlap)
    shared = of_mean - of_units / n
    squared = np.maximum(spread + shared, _LEAST * of_mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = between.freedom * np.maximum(squared / spread, 1) ** 2
    by_images = np.clip(shared, 0, squared)
    by_runs = np.fmin(within / n, squared - by_images)  # one run a unit: all of it
    by_draws = squared - by_images - by_runs
    mean = (means[1:] - means[0]).mean(1)
    columns = (mean, squared, freedom, by_runs, by_draws, by_images)
    return [StandardError(*map(float, row)) for row in zip(*columns, strict=True)]


def of_level(values: Floats, under: Floats, draws: Integers, overlap: float) -> StandardError:
    """Return the standard error of one recipe's mean figure, from its own runs alone.

    Parameters
    ----------
    values : (n,) floats
    under : (B, n) floats
    draws : (n,) integers
    overlap : float
    """
    zero, none = np.zeros_like(values), np.zeros_like(under)
    both, resampled = np.stack([zero, values]), np.stack([none, under], axis=1)
    return of_differences(both, resampled, draws, overlap=overlap)[0]


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


def _explained(under: Floats, freedom: float) -> tuple[Floats, Floats]:
    """Return the variance that test images explain of each difference's mean, and of its units.

    Parameters
    ----------
    under : (B, R, U) floats
        Units under resampled test images. Resamples in which a figure has no meaning do not count.
    freedom : float
        Of a variance that so many images explain.
    """
    under = under[np.isfinite(under).all((1, 2))]
    if len(under) < 2 or under.shape[2] < 2:
        return (np.full(under.shape[1] - 1, np.nan),) * 2
    differences = under[:, 1:] - under[:, :1]
    deviations = differences - differences.mean(0)
    of_mean = deviations.mean(2).var(0, ddof=1)
    of_units = deviations.var(2, ddof=1).mean(0)
    return drawn_together(of_mean, freedom), drawn_together(of_units, freedom)


# How much the common variance counts, in degrees of freedom. Smyth estimates it from thousands of
# genes; from a handful of recipes the estimate is mostly "infinitely much". With 15 the true
# variances may still differ by a factor of two or so from recipe to recipe; in simulation the
# intervals of the most restless of twelve recipes then hold in 92 % of studies and not in 95.
PRIOR_FREEDOM = 15.0


@dataclass(frozen=True)
class Spread:
    """The variance of each recipe's difference, and the degrees of freedom of them all."""

    variances: Floats
    freedom: float


def moderated(figures: Floats, own: int) -> Spread:
    """Return the variance of one unit's difference to the first recipe, for every other recipe.

    Parameters
    ----------
    figures : (R, U) floats
        Of all recipes with the same units (runs, or draws), less what is expected of each recipe.
    own : int
        Degrees of freedom of one recipe's differences.

    Notes
    -----
    The common variance is twice the residual mean square of recipe and unit effects. It has no
    more degrees of freedom than those residuals have beside the difference's own. With two recipes
    these are none: moderation then adds nothing, and five seeds do what three do for five recipes.
    """
    if own <= 0:
        return Spread(np.full(len(figures) - 1, np.nan), 0.0)
    variances = ((figures[1:] - figures[0]) ** 2).sum(1) / own
    residuals = figures - figures.mean(0)
    common = 2 * float((residuals**2).sum()) / ((len(figures) - 1) * own)
    prior = min(PRIOR_FREEDOM, (len(figures) - 2) * own)
    return Spread((prior * common + own * variances) / (prior + own), prior + own)


def drawn_together(variances: Floats, own: float) -> Floats:
    """Return variances that test images explain, each drawn towards their mean.

    Parameters
    ----------
    variances : (R,) floats
    own : float
        Degrees of freedom of each; infinite if so many images are behind it that it is sure.
    """
    if len(variances) < 2 or own == np.inf:
        return variances
    return (PRIOR_FREEDOM * variances.mean() + own * variances) / (PRIOR_FREEDOM + own)
