"""What the parts of a summary are made of, and the way to them from the statistics' arrays.

They are frozen values that become JSON and come back as equals. A figure without meaning (of a
class that has no image, say) is None: JSON knows no NaN.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, BeforeValidator, ConfigDict

from equipoise.studies.inference import Difference, FigureTable, Level, levels
from equipoise.studies.multiplicity import holm

__all__ = [
    "Estimate",
    "Key",
    "Number",
    "Value",
    "corrected",
    "estimate_of",
    "over_runs",
    "runs_alone",
]


class Value(BaseModel):
    """A part of a summary: named fields, none of them unknown, none of them changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _finite(value: Any) -> Any:
    """Return a plain number of any library's, and None in the place of NaN and infinities."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Tested(Protocol):
    """A `Value` with a p-value."""

    p: Number

    def model_copy(self, *, update: dict[str, Any]) -> Self: ...


AnyTested = TypeVar("AnyTested", bound=Tested)
Where = TypeVar("Where")


def corrected(found: Mapping[Where, AnyTested]) -> dict[Where, AnyTested]:
    """Return all that was tested, its p-values corrected for their number (Holm, 1979)."""
    p_values = holm([np.nan if one.p is None else one.p for one in found.values()])
    return {
        place: one.model_copy(update={"p": _finite(p)})
        for (place, one), p in zip(found.items(), p_values, strict=True)
    }


class Estimate(Value):
    """A mean over runs with its 95 % interval.

    Attributes
    ----------
    mean : float, optional
    low, high : float, optional
        Ends of the interval; None with fewer than three runs, or where there is none.
    values : tuple of float
        One a run.
    """

    mean: Number
    low: Number = None
    high: Number = None
    values: tuple[Number, ...] = ()

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2


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
