"""Between the statistics' arrays and the summary's values."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from equipoise.studies.inference import Difference, FigureTable, Level, levels
from equipoise.studies.values import Estimate

__all__ = ["Key", "estimate_of", "over_runs", "runs_alone"]

Key = tuple[int, int]  # of a run: seed, draw


def runs_alone(
    values: ArrayLike, keys: Sequence[Key], bounds: tuple[float, float] = (0.0, 1.0)
) -> FigureTable:
    """Return (recipes, runs) figures as a table in which only runs vary and no test images."""
    table = np.asarray(values, np.float64)
    seeds, draws = np.array(keys).reshape(-1, 2).T
    return FigureTable(table, np.zeros((2, *table.shape)), seeds, draws, bounds)


def estimate_of(found: Level | Difference | None) -> Estimate:
    """Return a level or difference as the summary has it."""
    if found is None:
        return Estimate(mean=None)
    return Estimate(mean=found.mean, low=found.low, high=found.high, values=found.values)


def over_runs(
    values: Sequence[float], keys: Sequence[Key], bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    """Return the mean of one figure a run, with the interval of the spread between runs."""
    return estimate_of(levels(runs_alone([values], keys, bounds))[0])
