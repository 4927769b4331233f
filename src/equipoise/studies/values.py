"""What the parts of a summary are made of: frozen values that become JSON and come back as equals.

A figure without meaning (of a class that has no image, say) is None: JSON knows no NaN.
"""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Estimate", "Number", "Value"]


class Value(BaseModel):
    """A part of a summary: named fields, none of them unknown, none of them changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _finite(value: Any) -> Any:
    """Return a plain number of any library's, and None in the place of NaN and infinities."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


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
