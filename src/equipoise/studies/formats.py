"""Figures as readers see them: percentages, points, seconds, and the names of the metrics."""

from collections.abc import Iterable, Mapping

from equipoise.metrics import FIGURES
from equipoise.objectives import figure_is_share as is_share
from equipoise.objectives import figure_label as metric_name
from equipoise.objectives import within_sentence

__all__ = [
    "MADE_AGAIN",
    "METRICS",
    "ORACLE",
    "assigned",
    "change",
    "count",
    "duration",
    "higher_is_better",
    "in_sentence",
    "interval",
    "is_share",
    "level",
    "listed",
    "metric_name",
    "percent",
    "points",
    "quantity",
    "quoted",
]

# What mends a study whose files are not what was written.
MADE_AGAIN = "Give the command that made it again."

# The reserved name of the reference recipe when it is trained on real images.
ORACLE = "oracle"

_THIN = "\u202f"  # narrow no-break space: a figure never parts from its unit
_MINUS = "\u2212"
NOTHING = "–"

METRICS = {name: figure.label for name, figure in FIGURES.items()}


def in_sentence(metric: str) -> str:
    """Return a metric's name as it stands within a sentence."""
    return within_sentence(metric_name(metric))


def higher_is_better(metric: str) -> bool:
    """Return whether more of a metric is better."""
    return metric != "cost" and (metric not in FIGURES or FIGURES[metric].higher_is_better)


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


def points(metric: str, value: float | None) -> str:
    """Return a size without a sign and with its unit: "2.8 points", "1 point", or "0.012"."""
    if value is None:
        return NOTHING
    if not is_share(metric):
        return f"{abs(value):.3f}"
    text = f"{100 * abs(value):.1f}"
    return f"{text.removesuffix('.0')} point{'s' * (text != '1.0')}"


def quantity(metric: str, value: float | None) -> str:
    """Return a metric's value as it stands in a sentence, with its unit."""
    return percent(value, 1) if is_share(metric) else level(metric, value)


def interval(metric: str, low: float | None, high: float | None) -> str:
    """Return the ends of an interval of differences: "−0.4 to +3.1"; empty without one."""
    if low is None or high is None:
        return ""
    return f"{change(metric, low)} to {change(metric, high)}"


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


def assigned(fields: Mapping[str, object]) -> str:
    """Return fields with their values as they stand in a cell: "learning_rate 0.01, ema None"."""
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in fields.items()
    )


def quoted(recipe: str) -> str:
    """Return a recipe's name as it stands in a sentence."""
    return f"“{recipe}”"


def listed(recipes: Iterable[str]) -> str:
    """Return several recipes' names as they stand in a sentence."""
    return ", ".join(map(quoted, recipes))
