"""Many recipes and several looks: the level of a single comparison that holds that of them all.

Dunnett, "A multiple comparison procedure for comparing several treatments with a control", Journal
of the American Statistical Association 50, 1955. The level is found for normal statistics and then
used with each difference's own degrees of freedom, as do Hasler and Hothorn, "Multiple contrast
tests in the presence of heteroscedasticity", Biometrical Journal 50, 2008.

Looks: Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983;
the intervals are the repeated confidence intervals of Jennison and Turnbull, "Interim analyses: the
repeated confidence interval approach", Journal of the Royal Statistical Society B 51, 1989: they
hold at all looks at once, whatever a study is stopped by.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

__all__ = ["dunnett_level", "holm", "look_levels"]

# Of two differences to the same baseline whose three recipes vary alike.
_CORRELATION = 0.5
# Of numerical integrals.
_POINTS = 801


@lru_cache(maxsize=1024)
def dunnett_level(level: float, members: int) -> float:
    """Return the two-sided level of each of `members` comparisons with one baseline.

    Parameters
    ----------
    level : float
        The chance that any of them is wrong, were all differences zero.
    members : int

    Returns
    -------
    float
    """
    if members <= 1:
        return level
    critical = optimize.brentq(lambda c: _none(c, members) - (1 - level), 0.0, 40.0)
    return float(2 * stats.norm.sf(critical))


def _none(critical: float, members: int) -> float:
    """Return the chance that no absolute statistic is above the critical value."""
    baseline = np.linspace(-9, 9, _POINTS)
    shared, own = np.sqrt(_CORRELATION) * baseline, np.sqrt(1 - _CORRELATION)
    inside = stats.norm.cdf((critical - shared) / own) - stats.norm.cdf((-critical - shared) / own)
    return float(np.trapezoid(stats.norm.pdf(baseline) * inside**members, baseline))


def look_levels(seeds: Iterable[int], spent: Iterable[float]) -> list[float]:
    """Return the two-sided level of one comparison at each of several looks.

    Parameters
    ----------
    seeds : iterable of int
        How many there are at each look, growing.
    spent : iterable of float
        The chance that the comparison is wrong at this look or an earlier one, growing.

    Returns
    -------
    list of float

    Notes
    -----
    Looks have their seeds in common and are taken to have nothing else in common, as if the test
    images were endless. With fewer images they are more alike, and the levels err to the safe side.
    """
    return list(_look_levels(tuple(seeds), tuple(spent)))


@lru_cache(maxsize=1024)
def _look_levels(seeds: tuple[int, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    if len(seeds) < 2:
        return spent
    *earlier, last = zip(seeds, spent, strict=True)
    levels = _look_levels(seeds[:-1], spent[:-1])
    grid, density = _undecided(seeds[:-1], levels)
    scale = np.sqrt(last[0] - earlier[-1][0])
    due = last[1] - earlier[-1][1]

    def crossing(critical: float) -> float:
        edge = critical * np.sqrt(last[0])
        beyond = stats.norm.sf((edge - grid) / scale) + stats.norm.sf((edge + grid) / scale)
        return float(np.trapezoid(density * beyond, grid))

    critical = optimize.brentq(lambda c: crossing(c) - due, 0.0, 12.0)
    return (*levels, float(2 * stats.norm.sf(critical)))


def _undecided(
    seeds: tuple[int, ...], levels: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the density of the sum over seeds where no look so far was significant."""
    edges = stats.norm.isf(np.asarray(levels) / 2) * np.sqrt(seeds)
    grid = np.linspace(-edges[0], edges[0], _POINTS)
    density = stats.norm.pdf(grid, scale=np.sqrt(seeds[0]))
    for step, edge in zip(np.diff(seeds), edges[1:], strict=True):
        wider = np.linspace(-edge, edge, _POINTS)
        reached = stats.norm.pdf(wider[:, None] - grid, scale=np.sqrt(step))
        density = np.trapezoid(reached * density, grid, axis=1)
        grid = wider
    return grid, density


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
