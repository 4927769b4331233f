"""What the tables of the page show: the summary turned into cells, worded and to scale."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.reports.folder import named
from equipoise.studies.formats import (
    LOWER_IS_BETTER,
    METRICS,
    ORACLE,
    Estimate,
    change,
    count,
    duration,
    estimate,
    is_share,
    level,
    metric_name,
    number,
    percent,
)
from equipoise.studies.verdicts import AGAINST_PLAIN, Differences, is_shown, judged, told
from equipoise.studies.words import class_figure, figure

__all__ = [
    "Cell",
    "Whisker",
    "class_recalls",
    "comparison",
    "confusions",
    "costs",
    "every_metric",
    "gains",
    "headline_metrics",
    "overall_heads",
]

_MARKS = {"better": "▲", "worse": "▼", "even": "○", "": "·"}
Summary = Mapping[str, Any]


@dataclass(frozen=True)
class Whisker:
    """Where an interval lies on its scale, in per cent of the width."""

    left: float
    right: float
    dot: float
    zero: float


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller second line, the value to sort by, a verdict and its tone."""

    text: str
    small: str = ""
    value: float | None = None
    verdict: str = ""
    tone: str = ""
    whisker: Whisker | None = None

    @property
    def mark(self) -> str:
        """A sign for the verdict, for those who do not see its colour."""
        return _MARKS[self.tone] if self.verdict else ""


@dataclass(frozen=True)
class Row:
    """A recipe's row."""

    name: str
    cells: list[Cell]
    reference: bool = False
    chosen: bool = False
    note: str = ""
    overall: list[Cell] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """Rows under a heading of their own, such as a class or a decision."""

    title: str
    rows: list[Row]
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def headline_metrics(summary: Summary) -> list[str]:
    """Return the metrics of the first table: the objective, then what it is made of."""
    two = summary.get("positive_class") is not None
    objective = str(summary.get("objective") or "balanced_accuracy")
    metrics = [objective, *(("recall", "precision") if two else ("macro_f1", "accuracy"))]
    return list(dict.fromkeys(metrics))


def with_unit(metric: str, positive: str | None) -> tuple[str, str]:
    """Return a metric's name and the small print under it: its unit and its class."""
    unit = "%" if is_share(metric) else ""
    of = f"of {positive}" if positive and metric in ("recall", "precision") else ""
    return metric_name(metric), ", ".join(part for part in (of, unit) if part)


def level_cell(metric: str, value: Estimate | None) -> Cell:
    """Return a figure and its interval."""
    if value is None:
        return Cell("–")
    return Cell(level(metric, value.mean), _interval(metric, value, level), value.mean)


def _interval(metric: str, value: Estimate, write: Any) -> str:
    if value.low is None or value.high is None:
        return ""
    return f"{write(metric, value.low)} to {write(metric, value.high)}"


def difference_cell(metric: str, entry: Mapping[str, Any] | None, scale: "Scale") -> Cell:
    """Return a paired difference with its interval, its verdict and its place on the scale.

    What Holm's correction takes back is marked like what is not shown.
    """
    value = estimate(entry) if entry else None
    if entry is None or value is None:
        return Cell("–")
    verdict = str(entry.get("verdict", ""))
    tone = judged(metric, verdict)
    if tone in ("better", "worse"):
        p = number(entry.get("p_holm"))
        size = "" if p is None else ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"
        tone = tone if is_shown(entry) else "even"
        verdict = told(entry) + size
    return Cell(
        change(metric, value.mean),
        _interval(metric, value, change),
        value.mean,
        verdict,
        tone,
        scale.place(value),
    )


@dataclass(frozen=True)
class Scale:
    """A common scale for a column of intervals."""

    low: float
    high: float

    def at(self, value: float) -> float:
        # A Student interval of few runs may leave the scale of a share; the drawing does not.
        return round(min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0), 2)

    def place(self, value: Estimate) -> Whisker:
        low = value.mean if value.low is None else value.low
        high = value.mean if value.high is None else value.high
        return Whisker(self.at(low), self.at(high), self.at(value.mean), self.at(0.0))


def scale_of(values: Iterable[Estimate | None]) -> Scale:
    """Return the scale that holds all of the intervals, and zero."""
    ends = [0.0]
    for value in values:
        if value is not None:
            ends += [v for v in (value.mean, value.low, value.high) if v is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    return Scale(low - room, high + room)


def comparison(summary: Summary, chosen: str) -> list[Row]:
    """Return the first table: for each decision the headline metrics and the difference.

    Cells: for plain and then tuned, the objective, its difference to the reference under the
    same decision, and the other headline metrics; over all, those of `overall_heads`.
    """
    metrics, names = headline_metrics(summary), named(summary)
    differences = Differences(summary.get("differences") or ())
    ways = [(name, decision) for name in names for decision in ("plain", "tuned")]
    scale = scale_of(estimate(differences.get(*way, metrics[0])) for way in ways)
    rows = []
    for name in names:
        cells = []
        for decision in ("plain", "tuned"):
            levels = [level_cell(m, figure(summary, name, decision, m)) for m in metrics]
            entry = differences.get(name, decision, metrics[0])
            apart = difference_cell(metrics[0], entry, scale)
            if name == names[0]:
                apart = Cell("reference", value=0.0)
            cells += [levels[0], apart, *levels[1:]]
        flags = (name == names[0], name == chosen, _runs(summary, name))
        rows.append(Row(name, cells, *flags, _overall(summary, name)))
    return rows


def overall_heads(summary: Summary) -> list[tuple[str, str]]:
    """Return what is said of a recipe over all, with its small print."""
    ranked = any(row.get("rank") for row in summary.get("table") or ())
    heads = [("Mean rank", "1 is best")] if ranked else []
    return [*heads, ("Gap closed", "%")] if summary.get("oracle") else heads


def _overall(summary: Summary, name: str) -> list[Cell]:
    """A recipe's mean rank, and how much of the gap to the oracle it closes; both tuned."""
    row: Summary = next((r for r in summary.get("table") or () if r["recipe"] == name), {})
    rank = number((row.get("rank") or {}).get("tuned"))
    oracle = summary.get("oracle") or {}
    share = estimate(((oracle.get("closed") or {}).get(name) or {}).get("tuned"))
    closed = Cell("–")
    if share is not None and oracle.get("opens"):
        closed = level_cell("balanced_accuracy", share)  # a share, in per cent
    cells = {"Mean rank": Cell("–" if rank is None else f"{rank:.1f}", value=rank)}
    cells["Gap closed"] = closed
    return [cells[title] for title, _ in overall_heads(summary)]


def _runs(summary: Summary, name: str) -> str:
    runs = next((r.get("runs") for r in summary.get("table") or () if r["recipe"] == name), 0)
    if not runs:
        return "no run yet"
    row = next(r for r in summary["table"] if r["recipe"] == name)
    seconds = estimate(row.get("seconds"))
    each = f" of {duration(seconds.mean)}" if seconds else ""
    real = ", with the real images that were left out" if name == ORACLE else ""
    return f"{runs} run{'s' * (runs != 1)}{each}{real}"


def every_metric(summary: Summary) -> tuple[list[str], list[Block]]:
    """Return all metrics there are, and a block of rows for each decision."""
    rows = summary.get("table") or ()
    decisions = [d for d in ("plain", "tuned", "adjusted") if any(row.get(d) for row in rows)]
    there = {m for row in rows for d in decisions for m in row.get(d) or ()}
    metrics = [m for m in METRICS if m in there]
    names = named(summary)
    blocks = []
    for decision in decisions:
        block = [
            Row(
                name,
                [level_cell(m, figure(summary, name, decision, m)) for m in metrics],
                name == names[0],
            )
            for name in names
        ]
        blocks.append(Block(f"{decision.capitalize()} decision", block))
    return metrics, blocks


def gains(summary: Summary) -> list[Row]:
    """Return where each recipe's gain comes from, as four paired differences.

    The recipe with the plain decision, the recipe with the tuned one, what that is beyond the
    tuned reference, and the ranking (ROC-AUC), which no threshold changes.
    """
    objective = headline_metrics(summary)[0]
    differences = Differences(summary.get("differences") or ())
    columns = [
        ("plain", objective),
        (AGAINST_PLAIN, objective),
        ("tuned", objective),
        ("plain", "roc_auc"),
    ]
    names = named(summary)
    scales = {
        metric: scale_of(
            estimate(differences.get(name, decision, m))
            for name in names
            for decision, m in columns
            if m == metric
        )
        for _, metric in columns
    }
    rows = []
    for name in names:
        cells = [
            difference_cell(metric, differences.get(name, decision, metric), scales[metric])
            for decision, metric in columns
        ]
        if name == names[0]:
            cells[0] = Cell("reference", value=0.0)
            cells[2] = cells[3] = Cell("–")
        rows.append(Row(name, cells, name == names[0]))
    return rows


def class_recalls(summary: Summary, most: int = 60) -> list[Block]:
    """Return, for each class, its recall before (plain reference) and after each recipe.

    Of more than `most` classes, those with the fewest training images.
    """
    names = named(summary)
    training = training_counts(summary)
    blocks = []
    for label, title in _rarest(class_names(summary), training, most):
        before = class_figure(summary, names[0], "plain", title, "recall") if names else None
        rows = []
        for name in names:
            after = [class_figure(summary, name, d, title, "recall") for d in ("plain", "tuned")]
            dots = [before, *after]
            cells = [level_cell("recall", value) for value in after]
            row = Row(name, cells, name == names[0])
            rows.append((row, [_dot(value) for value in dots]))
        note = ""
        if label < len(training) and training[label] is not None:
            note = f"{count(training[label])} training images"
        blocks.append(
            Block(
                title,
                [row for row, _ in rows],
                note,
                {"dots": [dots for _, dots in rows], "before": level_cell("recall", before).text},
            )
        )
    return blocks


def _rarest(names: list[str], training: list[int | None], most: int) -> list[tuple[int, str]]:
    labels = sorted(range(len(names)), key=lambda k: training[k] or 0)[:most]
    return [(k, names[k]) for k in sorted(labels)]


def _dot(value: Estimate | None) -> Whisker | None:
    if value is None:
        return None
    return Scale(0.0, 1.0).place(value)


def class_names(summary: Summary) -> list[str]:
    """Return the classes, by label."""
    return [str(name) for name in (summary.get("data") or {}).get("classes") or ()]


def training_counts(summary: Summary) -> list[int | None]:
    """Return how many training images each class has, by label; None where that is unknown."""
    audit = (summary.get("data") or {}).get("audit") or {}
    counts = {str(c.get("name")): c.get("training") for c in audit.get("classes") or ()}
    return [counts.get(name) for name in class_names(summary)]


def costs(summary: Summary) -> list[Row]:
    """Return what each recipe took: seconds, steps, passes, different images of each class."""
    rows: list[Row] = []
    for row in summary.get("table") or ():
        seconds = estimate(row.get("seconds"))
        spent = [estimate(row.get(key)) for key in ("steps", "passes")]
        seen = row.get("distinct_images") or {}
        cells = [
            Cell(duration(seconds.mean), value=seconds.mean) if seconds else Cell("–"),
            Cell(count(spent[0].mean), value=spent[0].mean) if spent[0] else Cell("–"),
            Cell(f"{spent[1].mean:.1f}", value=spent[1].mean) if spent[1] else Cell("–"),
        ]
        for name in class_names(summary):
            images = number(seen.get(name))
            cells.append(Cell(count(images), value=images))
        rows.append(Row(str(row["recipe"]), cells, not rows))
    return rows


def confusions(summary: Summary) -> list[tuple[str, dict[str, list[list[dict[str, Any]]]]]]:
    """Return each recipe's confusion matrices as rows of cells: count, share of the row, hit."""
    found = []
    for row in summary.get("table") or ():
        matrices = {
            decision: _shares(matrix)
            for decision, matrix in (row.get("confusion") or {}).items()
            if matrix
        }
        if matrices:
            found.append((str(row["recipe"]), matrices))
    return found


def _shares(matrix: Sequence[Sequence[float]]) -> list[list[dict[str, Any]]]:
    return [
        [
            {
                "count": count(value),
                "share": value / max(sum(line), 1),
                "percent": percent(value / max(sum(line), 1)),
                "hit": i == j,
            }
            for j, value in enumerate(line)
        ]
        for i, line in enumerate(matrix)
    ]


def better_when(metric: str) -> str:
    """Return the small print of a metric that is good when low."""
    return "lower is better" if metric in LOWER_IS_BETTER else ""
