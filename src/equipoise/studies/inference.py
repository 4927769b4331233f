"""What the runs of a study say about a figure: differences to the baseline, levels, verdicts.

All of it is about this training and validation data, new seeds and new test images (and new draws
of the training images where there are several). One standard error gives interval and p-value at
any number of runs: `equipoise.studies.standard_errors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from equipoise.studies.multiplicity import dunnett_level
from equipoise.studies.standard_errors import StandardError, of_differences, of_level

__all__ = [
    "FEWEST",
    "LEVEL",
    "UNCORRECTED",
    "Difference",
    "FigureTable",
    "Level",
    "Nominal",
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
        The same figures under B bootstrap resamples of the test images (`image_weights`), the same
        resamples for all recipes and all runs that share their test images.
    seeds, draws : (n,) integers
        What the columns are. Folds count as draws.
    bounds : pair of float
        Between what the figure lies, as far as it is bounded: (0, 1) for a share, (-1, 1) for
        Matthews' correlation, (0, inf) for a cost.
    overlap : float
        Test to training images of a run where the draws are folds of one set, else 0.
    images : int, optional
        How many test images the figure stands on: those of the rarest class that is in it. It says
        how sure a bootstrap of them is, and what a level of 0 or 100 % is worth.
    """

    values: Floats
    resampled: Floats
    seeds: NDArray[np.int_]
    draws: NDArray[np.int_]
    bounds: tuple[float, float] = (0.0, 1.0)
    overlap: float = 0.0
    images: int | None = None


@dataclass(frozen=True)
class Nominal:
    """With what chance of missing intervals are made, so that they keep what is promised.

    Attributes
    ----------
    alone : float
        Of a difference looked at for itself: LEVEL, or less where there are several looks.
    family : float
        Of each of those that are to hold at once.
    """

    alone: float = LEVEL
    family: float = LEVEL


UNCORRECTED = Nominal()


@dataclass(frozen=True)
class Difference:
    """A recipe's mean difference to the baseline, over the runs that both have.

    Attributes
    ----------
    mean, standard_error, degrees_of_freedom : float
    low, high : float
        The 95 % interval of this difference alone, at all looks. NaN with fewer than two units, or
        where neither runs nor images vary.
    family_low, family_high : float
        The interval that holds for all recipes of the question, and at all looks, at once.
    p, p_family : float
        Two-sided p-values that agree with these intervals: below 5 % where one excludes zero.
    run_part, draw_part, image_part : float
        The shares of the squared standard error: what more seeds reduce, what only more draws do
        (or more data, where draws are folds), and what only more test images do.
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
    draw_part: float
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
    table: FigureTable, *, nominal: Sequence[Nominal] | None = None
) -> list[Difference | None]:
    """Return every recipe's difference to the baseline.

    Parameters
    ----------
    table : FigureTable
    nominal : sequence of Nominal, optional
        One a row: of `sequential.nominal_levels` where a study is looked at more than once. By
        default Dunnett's, for one look at all recipes of the table.

    Returns
    -------
    list of Difference or None
        A row each; None for the baseline and where a recipe has no run in common with it.
    """
    rows = len(table.values)
    if nominal is None:
        nominal = [Nominal(family=dunnett_level(LEVEL, rows - 1))] * rows
    there = np.isfinite(table.values)
    common = there & there[0]
    found: list[Difference | None] = [None] * rows
    # Recipes that have the same runs are moderated together; who stopped earlier, with all on its
    # runs.
    for runs in np.unique(common[1:], axis=0) if rows > 1 and len(common[0]) else ():
        if not runs.any():
            continue
        members = np.flatnonzero(there[:, runs].all(1))
        errors = of_differences(
            table.values[np.ix_(members, runs)],
            table.resampled[:, members][:, :, runs],
            table.draws[runs],
            overlap=table.overlap,
            images=table.images,
        )
        for row, error in zip(members[1:], errors, strict=True):
            if (common[row] == runs).all():
                found[row] = _difference(table, row, runs, error, nominal[row])
    return found


def _difference(
    table: FigureTable,
    row: int,
    runs: NDArray[np.bool_],
    error: StandardError,
    nominal: Nominal,
) -> Difference:
    low, high = _clipped(error, nominal.alone, table.bounds)
    family_low, family_high = _clipped(error, nominal.family, table.bounds)
    return Difference(
        mean=error.mean,
        standard_error=error.squared**0.5,
        degrees_of_freedom=error.freedom,
        low=low,
        high=high,
        family_low=family_low,
        family_high=family_high,
        p=_corrected(error, nominal.alone),
        p_family=_corrected(error, nominal.family),
        run_part=error.runs,
        draw_part=error.draws,
        image_part=error.images,
        seeds=len(np.unique(table.seeds[runs])),
        draws=len(np.unique(table.draws[runs])),
        values=tuple(map(float, table.values[row, runs] - table.values[0, runs])),
    )


def _corrected(found: StandardError, nominal: float) -> float:
    """Return the p-value times the number of comparisons that a level amounts to."""
    p = found.p_value()
    return min(p * LEVEL / nominal, 1.0) if np.isfinite(p) else p


def _clipped(
    found: StandardError, level: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Return the interval of a difference, which cannot be beyond what its figures leave room for.

    Where nothing varies, neither runs nor images, there is no interval.
    """
    low, high = found.interval(level)
    span = bounds[1] - bounds[0]
    return (max(low, -span), min(high, span)) if np.isfinite(low) else (low, high)


def levels(table: FigureTable) -> list[Level | None]:
    """Return every recipe's mean figure with its interval, None where it has no run."""
    return [_level(table, row) for row in range(len(table.values))]


def _level(table: FigureTable, row: int) -> Level | None:
    columns = np.flatnonzero(np.isfinite(table.values[row]))
    if not len(columns):
        return None
    values = table.values[row, columns]
    found = of_level(values, table.resampled[:, row, columns], table.draws[columns], table.overlap)
    low, high = _within(found, table)
    return Level(found.mean, low, high, tuple(map(float, values)))


def _within(found: StandardError, table: FigureTable) -> tuple[float, float]:
    """Return a 95 % interval made on a scale without ends, brought back between the ends."""
    lowest, highest = table.bounds
    if not np.isfinite(table.bounds).all():
        low, high = found.interval(LEVEL)
        return (max(low, lowest), min(high, highest)) if np.isfinite(low) else (low, high)
    span = highest - lowest
    share = (found.mean - lowest) / span
    if not 0 < share < 1:
        return _at_an_end(found, table)
    half = found.half(LEVEL) / (share * (1 - share) * span)
    low, high = (float(lowest + span * expit(logit(share) + side)) for side in (-half, half))
    return low, high


def _at_an_end(found: StandardError, table: FigureTable) -> tuple[float, float]:
    """Return the interval where no image of any run tells against 0 or 100 %.

    It reaches from there to the share at which so many images, all alike, would be seen in one
    study of forty (Clopper and Pearson, 1934). Without their number there is none.
    """
    lowest, highest = table.bounds
    if table.images is None or not np.isfinite(found.squared):
        return float("nan"), float("nan")
    reach = (highest - lowest) * (1 - (LEVEL / 2) ** (1 / table.images))
    at_top = found.mean >= highest
    return (highest - reach, highest) if at_top else (lowest, lowest + reach)


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
