"""How wide the intervals of a study will be, by the numbers of test pictures alone."""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from equipoise.deep.pool import Pool

__all__ = ["ClassForecast", "Forecast", "foresee"]

_Z = float(norm.ppf(0.975))
_NARROW = 0.05  # half of an interval that is narrow enough for most questions
_UNKNOWN = 0.8  # recall of a class that no probe has judged
_LEAST, _MOST = 0.5, 0.98  # the recalls that a forecast is made for


@dataclass(frozen=True)
class ClassForecast:
    """How well the recall of a class will be known.

    Attributes
    ----------
    name : str
    test : int
        Independent test pictures: groups and duplicates count once.
    recall : float
        What the class will have, roughly: that of the linear probe, from 50 to 98 %.
    low, high : float
        The 95 % interval (Wilson's) at that recall.
    needed : int
        Test pictures at which the recall is known to 5 points up and down.
    """

    name: str
    test: int
    recall: float
    low: float
    high: float
    needed: int


@dataclass(frozen=True)
class Forecast:
    """How well recalls and balanced accuracy will be known.

    Attributes
    ----------
    cut : bool
        Whether the test split is still to be cut: a fifth of all.
    classes : tuple of ClassForecast
    half_width : float, optional
        Half of the 95 % interval of balanced accuracy; None where a class has no test picture.
    """

    cut: bool
    classes: tuple[ClassForecast, ...]
    half_width: float | None


def foresee(
    pool: Pool, unit: NDArray[np.intp], recalls: NDArray[np.float64], test_fraction: float
) -> Forecast:
    """Return the intervals to expect.

    Parameters
    ----------
    pool : Pool
    unit : (N,) int
        Pictures of one unit count once.
    recalls : (K,) float64
        Of the linear probe; NaN where a class was not judged.
    test_fraction : float
        Share of the pictures that will be cut where there is no test split.
    """
    tested = pool.splits == "test"
    cut = not tested.any()
    rows = np.full(len(pool), True) if cut else tested
    pairs = np.unique(np.stack([pool.labels[rows], unit[rows]]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(pool.classes))
    if cut:
        counts = np.where(counts > 0, np.maximum(np.round(test_fraction * counts), 1), 0)
    shares = np.clip(np.nan_to_num(recalls, nan=_UNKNOWN), _LEAST, _MOST)
    classes = tuple(
        _of_class(name, int(count), float(share))
        for name, count, share in zip(pool.classes, counts, shares, strict=True)
    )
    half = None
    if (counts > 0).all():
        half = round(_Z * sqrt(float((shares * (1 - shares) / counts).sum())) / len(counts), 4)
    return Forecast(cut, classes, half)


def _of_class(name: str, count: int, share: float) -> ClassForecast:
    low, high = wilson(share, count)
    needed = ceil(share * (1 - share) * (_Z / _NARROW) ** 2)
    return ClassForecast(name, count, round(share, 4), round(low, 4), round(high, 4), needed)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many (E. B. Wilson, JASA 22, 1927)."""
    if not count:
        return 0.0, 1.0
    spread = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / spread
    half = _Z / spread * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)
