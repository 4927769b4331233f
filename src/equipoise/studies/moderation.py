"""The spread of a difference between runs, moderated over the recipes of a study.

Three runs say next to nothing about their own spread, and five recipes with three runs each say
something about the spread of them all. The variance of one difference is therefore drawn towards
the common one: Smyth, "Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments", Statistical Applications in Genetics and Molecular Biology 3,
2004.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIOR_FREEDOM", "Spread", "moderated"]

Floats = NDArray[np.float64]

# How much the common variance counts, in degrees of freedom. Smyth estimates it, from thousands
# of genes; from a handful of recipes an estimate would mostly be "infinitely much".
PRIOR_FREEDOM = 4.0


@dataclass(frozen=True)
class Spread:
    """A variance and its degrees of freedom."""

    variance: float
    freedom: float


def moderated(differences: Floats, figures: Floats) -> Spread:
    """Return the variance of one unit's difference.

    Parameters
    ----------
    differences : (U,) floats
        Of one recipe to the baseline, one a unit.
    figures : (R, U) floats
        Of all recipes with these units, the baseline and this one among them.

    Notes
    -----
    The common variance is twice the residual mean square of recipe and unit effects. With two
    recipes that is the difference's own variance again, and moderation adds nothing.
    """
    recipes, units = figures.shape
    own = units - 1.0
    if units < 2:
        return Spread(float("nan"), 0.0)
    variance = float(differences.var(ddof=1))
    prior = min(PRIOR_FREEDOM, (recipes - 2) * own)
    if prior <= 0:
        return Spread(variance, own)
    residuals = figures - figures.mean(1, keepdims=True) - figures.mean(0) + figures.mean()
    common = 2 * float((residuals**2).sum()) / ((recipes - 1) * own)
    return Spread((prior * common + own * variance) / (prior + own), prior + own)
