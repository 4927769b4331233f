"""What the runs of a study say about a figure: differences to the baseline, levels, verdicts.

All of it is about this training and validation data, new seeds and new test images (and new draws
of the training images where there are several). One standard error gives interval and p-value at
any number of runs:

- *Units.* Runs of one draw are more alike than runs of two, so with several draws (or folds) the
  unit is a draw, its runs averaged; else each run is a unit.
- *The spread of the units* of one difference is estimated from few of them, and so moderated over
  the recipes: see `equipoise.studies.moderation`.
- *The test images* come in by a bootstrap of images alone, in which every run of every recipe sees
  the same resample. It says what share of the spread of the units images explain, and what no
  number of units would average out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from equipoise.studies.moderation import Spread, moderated
from equipoise.studies.multiplicity import dunnett_level

__all__ = [
    "FEWEST",
    "LEVEL",
    "Difference",
    "FigureTable",
    "Level",
    "Verdict",
    "differences",
    "levels",
    "verdict",
]

Floats = NDArray[np.float64]
Verdict = Literal["better", "worse", "no difference that matters", "undecided", "no verdict"]

LEVEL = 0.05
# Fewer seeds (or draws) than this give figures and no verdict.
FEWEST = 3


@dataclass(frozen=True)
class FigureTable:
    """One figure under one decision: every recipe of a study, on the same runs.

    Attributes
    ----------
    values : (R, n) floats
        A row a recipe, the baseline first; a column a run (a seed and a draw). NaN where a recipe
        lacks the run, or where its figure has no meaning.
    resampled : (B, R, n) floats
        The same figures under B bootstrap resamples of the test images (`resampling`), the same
        resamples for all recipes and all runs that share their test images.
    seeds, draws : (n,) integers
        What the columns are. Folds count as draws.
    bounds : pair of float
        Between what the figure lies, as far as it is bounded: (0, 1) for a share, (-1, 1) for
        Matthews' correlation, (0, inf) for a cost.
    overlap : float
        Test to training images of a run where the draws are folds of one set, else 0.
    """

    values: Floats
    resampled: Floats
    seeds: NDArray[np.int_]
    draws: NDArray[np.int_]
    bounds: tuple[float, float] = (0.0, 1.0)
    overlap: float = 0.0


@dataclass(frozen=True)
class Difference:
    """A recipe's mean difference to the baseline, over the runs that both have.

    Attributes
    ----------
    mean, standard_error, degrees_of_freedom : float
    low, high : float
        The 95 % interval of this difference alone. NaN with fewer than two units, or where neither
        runs nor images vary.
    family_low, family_high : float
        The interval that holds for all recipes of the question, and at all looks, at once.
    p, p_family : float
        Two-sided p-values that agree with these intervals: below 5 % where one excludes zero.
    run_part, image_part : float
        The two shares of the squared standard error: what more runs reduce, and what only more
        test images do.
    seeds, draws : int
        How many of each the difference is over.
    values : tuple of float
        The difference of each run.
    """

    mean: float
    standard_error: float
    degrees_of_freedom: float
    low: float
    high: float
    family_low: float
    family_high: float
    p: float
    p_family: float
    run_part: float
    image_part: float
    seeds: int
    draws: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Level:
    """A recipe's mean figure with the 95 % interval of it alone, within the figure's bounds.

    The ends are NaN with fewer than two units, or where nothing varies.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


def differences(
    table: FigureTable, *, nominal: Sequence[float] | None = None
) -> list[Difference | None]:
    """Return every recipe's difference to the baseline.

    Parameters
    ----------
    table : FigureTable
    nominal : (R,) floats, optional
        For each row the level of a single comparison that holds the error of the question: that
        of `sequential.nominal_levels` where a study is looked at more than once. By default
        Dunnett's, for one look at all recipes of the table.

    Returns
    -------
    list of Difference or None
        A row each; None for the baseline and where a recipe has no run in common with it.
    """
    rows = len(table.values)
    if nominal is None:
        nominal = [dunnett_level(LEVEL, rows - 1)] * rows if rows > 1 else [LEVEL]
    return [None, *(_difference(table, row, nominal[row]) for row in range(1, rows))]


def _difference(table: FigureTable, row: int, nominal: float) -> Difference | None:
    columns = np.flatnonzero(np.isfinite(table.values[[0, row]]).all(0))
    if not len(columns):
        return None
    found = _error_of_difference(table, row, columns)
    span = table.bounds[1] - table.bounds[0]
    low, high = _clipped(found, LEVEL, span)
    family_low, family_high = _clipped(found, nominal, span)
    p = found.p_value()
    values = table.values[row, columns] - table.values[0, columns]
    return Difference(
        mean=found.mean,
        standard_error=found.squared**0.5,
        degrees_of_freedom=found.freedom,
        low=low,
        high=high,
        family_low=family_low,
        family_high=family_high,
        p=p,
        p_family=min(1.0, p * LEVEL / nominal) if np.isfinite(p) else p,
        run_part=found.squared - found.images,
        image_part=found.images,
        seeds=len(np.unique(table.seeds[columns])),
        draws=len(np.unique(table.draws[columns])),
        values=tuple(map(float, values)),
    )


@dataclass(frozen=True)
class _Error:
    """A mean, its squared standard error, and what of that no number of units takes away."""

    mean: float
    squared: float
    images: float
    freedom: float

    def interval(self, level: float) -> tuple[float, float]:
        if not self.squared > 0:
            return float("nan"), float("nan")
        half = float(stats.t.isf(level / 2, self.freedom)) * self.squared**0.5
        return self.mean - half, self.mean + half

    def p_value(self) -> float:
        if not self.squared > 0:
            return float("nan")
        return float(2 * stats.t.sf(abs(self.mean) / self.squared**0.5, self.freedom))


def _clipped(error: _Error, level: float, span: float) -> tuple[float, float]:
    low, high = error.interval(level)
    return max(low, -span), min(high, span)


def _error_of_difference(table: FigureTable, row: int, columns: NDArray[np.int_]) -> _Error:
    shared = np.isfinite(table.values[:, columns]).all(1)
    units = _units(table.draws[columns])
    every = table.values[shared][:, columns] @ units
    mine = (table.values[row, columns] - table.values[0, columns]) @ units
    under = (table.resampled[:, row, columns] - table.resampled[:, 0, columns]) @ units
    return _error(mine, under, moderated(mine, every), table.overlap)


def _units(draws: NDArray[np.int_]) -> Floats:
    """Return the (runs, units) weights that average the runs of each draw."""
    which = np.unique(draws)
    if len(which) == 1:
        return np.eye(len(draws))
    member = (draws[:, None] == which).astype(np.float64)
    return member / member.sum(0)


def _error(values: Floats, under: Floats, spread: Spread, overlap: float) -> _Error:
    """Return the standard error of the mean of units.

    Parameters
    ----------
    values : (U,) floats
    under : (B, U) floats
        The same under resampled test images.
    spread : Spread
        The variance of a unit, moderated.
    overlap : float

    Notes
    -----
    The bootstrap's variance of the mean holds the test images and the share of the units' spread
    that comes from images. What the units spread beyond that is added; where they happen to spread
    less, nothing is taken away: equal differences do not make a sure one.
    """
    n, mean = len(values), float(values.mean())
    under = under[np.isfinite(under).all(1)]
    if n < 2 or len(under) < 2:
        return _Error(mean, float("nan"), float("nan"), float("nan"))
    deviations = under - under.mean(0)
    of_mean = float(deviations.mean(1).var(ddof=1))
    explained = float(deviations.var(1, ddof=1).mean())
    variance = max(spread.variance, explained)
    runs = variance * (1 / n + overlap)
    squared = of_mean + runs - explained / n
    freedom = spread.freedom * (squared / runs) ** 2 if runs > 0 else float("inf")
    return _Error(mean, squared, max(of_mean - explained / n, 0.0), freedom)


def levels(table: FigureTable) -> list[Level | None]:
    """Return every recipe's mean figure with its interval, None where it has no run."""
    return [_level(table, row) for row in range(len(table.values))]


def _level(table: FigureTable, row: int) -> Level | None:
    columns = np.flatnonzero(np.isfinite(table.values[row]))
    if not len(columns):
        return None
    units = _units(table.draws[columns])
    values = table.values[row, columns] @ units
    under = table.resampled[:, row, columns] @ units
    own = Spread(float(values.var(ddof=1)) if len(values) > 1 else float("nan"), len(values) - 1)
    error = _error(values, under, own, table.overlap)
    low, high = _within(error, *table.bounds)
    return Level(error.mean, low, high, tuple(map(float, table.values[row, columns])))


def _within(error: _Error, lowest: float, highest: float) -> tuple[float, float]:
    """Return a 95 % interval made on a scale without ends, brought back between the ends."""
    if not np.isfinite([lowest, highest]).all():
        low, high = error.interval(LEVEL)
        return max(low, lowest), min(high, highest)
    span = highest - lowest
    share = (error.mean - lowest) / span
    if not 0 < share < 1:
        return float("nan"), float("nan")
    slope = share * (1 - share) * span
    on_scale = _Error(float(logit(share)), error.squared / slope**2, 0.0, error.freedom)
    low, high = (float(lowest + span * expit(end)) for end in on_scale.interval(LEVEL))
    return low, high


def verdict(difference: Difference, margin: float, *, higher_is_better: bool = True) -> Verdict:
    """Say what the simultaneous interval of a difference shows.

    Parameters
    ----------
    difference : Difference
    margin : float
        The smallest difference that matters, as the figure is counted (0.01 is a point).
    higher_is_better : bool

    Returns
    -------
    str
        *no difference that matters* if the interval lies within the margin on both sides; else
        *better* or *worse* if it excludes zero; else *undecided*. *no verdict* with fewer than
        three seeds (and draws), or without an interval. A recipe may be better by less than the
        margin: then its mean is below it.
    """
    low, high = difference.family_low, difference.family_high
    if max(difference.seeds, difference.draws) < FEWEST or not np.isfinite([low, high]).all():
        return "no verdict"
    if -margin <= low and high <= margin:
        return "no difference that matters"
    if low > 0 or high < 0:
        return "better" if (low > 0) == higher_is_better else "worse"
    return "undecided"
