"""Figures as readers see them: percentages, points, seconds, and the names of the metrics."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.metrics import FIGURES
from equipoise.objectives import figure_is_share, figure_label

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "ORACLE",
    "Estimate",
    "change",
    "count",
    "duration",
    "estimate",
    "is_share",
    "level",
    "listed",
    "metric_name",
    "percent",
    "quoted",
]

# The reserved name of the reference recipe when it is trained on real images.
ORACLE = "oracle"

_THIN = "\u202f"  # narrow no-break space: a figure never parts from its unit
_MINUS = "\u2212"
NOTHING = "–"

METRICS = {name: figure.label for name, figure in FIGURES.items()}
LOWER_IS_BETTER = frozenset(
    ("cost", *(name for name, figure in FIGURES.items() if not figure.higher_is_better))
)


@dataclass(frozen=True)
class Estimate:
    """A mean over runs and its interval; `low` and `high` are None where there is one run."""

    mean: float
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()


def number(value: Any) -> float | None:
    """Return a finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def estimate(entry: Any) -> Estimate | None:
    """Return the summary's `{"mean", "low", "high", "values"}` as an `Estimate`, if it is one."""
    if not isinstance(entry, Mapping):
        entry = {"mean": entry}
    mean = number(entry.get("mean"))
    if mean is None:
        return None
    values = (number(value) for value in entry.get("values") or ())
    return Estimate(
        mean,
        number(entry.get("low")),
        number(entry.get("high")),
        tuple(value for value in values if value is not None),
    )


def metric_name(metric: str) -> str:
    """Return how a reader calls a metric."""
    return figure_label(metric)


def is_share(metric: str) -> bool:
    """Return whether a metric is shown in per cent; the others are shown as decimals."""
    return figure_is_share(metric)


def percent(share: float | None, digits: int = 0) -> str:
    """Return 0.384 as "38 %"."""
    return NOTHING if share is None else f"{100 * share:.{digits}f}{_THIN}%"


def level(metric: str, value: float | None) -> str:
    """Return a metric's value without its unit, as a table cell holds it."""
    if value is None:
        return NOTHING
    text = f"{100 * value:.1f}" if is_share(metric) else f"{value:.3f}"
    return _signed(text, plus=False)


def change(metric: str, value: float | None) -> str:
    """Return a difference with its sign: points for a share, else decimals."""
    if value is None:
        return NOTHING
    return _signed(f"{100 * value:+.1f}" if is_share(metric) else f"{value:+.3f}", plus=True)


def _signed(text: str, *, plus: bool) -> str:
    if not text.strip("+-0."):  # a rounded nought has no sign
        return text.lstrip("+-")
    return text.replace("-", _MINUS) if plus else text.lstrip("+").replace("-", _MINUS)


def count(value: float | None) -> str:
    """Return a number of things, thousands apart: 12,400."""
    return NOTHING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Return a time in the unit a person would use."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f}{_THIN}s"
    if seconds < 120:
        return f"{seconds:.0f}{_THIN}s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}{_THIN}min"
    return f"{seconds / 3600:.1f}{_THIN}h"


def quoted(recipe: str) -> str:
    """Return a recipe's name as it stands in a sentence."""
    return f"“{recipe}”"


def listed(recipes: Iterable[str]) -> str:
    """Return several recipes' names as they stand in a sentence."""
    return ", ".join(map(quoted, recipes))
