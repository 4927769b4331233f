"""What the tables of the page show: the summary turned into cells and words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import plural
from equipoise.studies.charts import reasons, tone_of
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import (
    METRICS,
    ORACLE,
    change,
    count,
    duration,
    higher_is_better,
    is_share,
    level,
    metric_name,
    percent,
)
from equipoise.studies.summary import Comparison, Question, RecipeFigures, StudySummary

__all__ = [
    "MATRIX",
    "Cell",
    "Confused",
    "Row",
    "beside",
    "comparison",
    "confusions",
    "costs",
    "every_metric",
    "headline_metrics",
    "overall_heads",
    "verdicts",
]

_MARKS = {"better": "▲", "worse": "▼", "even": "○", "": "·"}
MATRIX = 12  # classes up to which a confusion matrix is shown in full
_LARGEST = 20  # confusions shown of more


@dataclass(frozen=True)
class Confused:
    """Images of one class that were taken for another: how many of how many."""

    actual: str
    called: str
    count: int
    of: int
    share: float


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller second line, the value to sort by, a verdict and its tone.

    `tint` is how strongly it is coloured, from 0 to 1.
    """

    text: str
    small: str = ""
    value: float | None = None
    verdict: str = ""
    tone: str = ""
    tint: float = 0.0

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
    """Rows under a heading of their own, such as a decision."""

    title: str
    rows: list[Row]


def headline_metrics(summary: StudySummary) -> list[str]:
    """Return the metrics of the first table: the objective with its floors, and their parts."""
    two = summary.positive_class is not None
    parts = ("recall", "precision") if two else ("macro_f1", "accuracy")
    return list(dict.fromkeys([*summary.tuned_for.figures, *parts]))


def with_unit(metric: str, positive: str | None) -> tuple[str, str]:
    """Return a metric's name and the small print under it: its unit and its class."""
    unit = "%" if is_share(metric) else ""
    of = f"of {positive}" if positive and metric in ("recall", "precision") else ""
    return metric_name(metric), ", ".join(part for part in (of, unit) if part)


def level_cell(metric: str, value: Estimate | None) -> Cell:
    """Return a figure and its interval."""
    if value is None or value.mean is None:
        return Cell("–")
    return Cell(level(metric, value.mean), _interval(metric, value, level), value.mean)


def _interval(metric: str, value: Estimate, write: Any) -> str:
    if value.low is None or value.high is None:
        return ""
    return f"{write(metric, value.low)} to {write(metric, value.high)}"


def verdicts(summary: StudySummary, chosen: str) -> list[Row]:
    """Return the table of the question that decides: level, difference and verdict a recipe."""
    question = summary.question
    if question is None:
        return []
    metric, decision = question.metric, question.decision
    rows = []
    for name in summary.recipes:
        now = level_cell(metric, summary.figure(name, decision, metric))
        one = question.of(name)
        if name == summary.reference:
            rows.append(Row(name, [now, Cell("baseline", value=0.0), Cell("")], reference=True))
        elif one is not None:
            cells = [now, _difference(metric, one), _verdict(summary, one)]
            rows.append(Row(name, cells, chosen=name == chosen))
    return rows


def _difference(metric: str, one: Estimate) -> Cell:
    if one.mean is None:
        return Cell("–")
    return Cell(change(metric, one.mean), _interval(metric, one, change), one.mean)


def _verdict(summary: StudySummary, one: Comparison) -> Cell:
    """What is said of a recipe, and what would have to happen for more to be said."""
    return Cell(one.verdict, reasons(summary, one), None, one.verdict, tone_of(one.verdict))


def comparison(summary: StudySummary, chosen: str) -> list[Row]:
    """Return the table of levels: for each decision the headline metrics.

    Cells: for plain and then tuned the metrics of `headline_metrics`; over all, those of
    `overall_heads`.
    """
    metrics = headline_metrics(summary)
    return [
        Row(
            name,
            [
                level_cell(metric, summary.figure(name, decision, metric))
                for decision in decisions(summary)
                for metric in metrics
            ],
            name == summary.reference,
            name == chosen,
            _runs(summary, name),
            _overall(summary, name),
        )
        for name in (summary.recipes if summary.table else ())
    ]


def decisions(summary: StudySummary) -> list[str]:
    """Return the decisions that the table of levels has."""
    return ["plain", "tuned"] if any(row.tuned for row in summary.table) else ["plain"]


def overall_heads(summary: StudySummary) -> list[tuple[str, str]]:
    """Return what is said of a recipe over all, with its small print."""
    ranked = any(row.rank for row in summary.table)
    heads = [("Mean rank", "1 is best")] if ranked else []
    return [*heads, ("Gap closed", "%")] if summary.oracle is not None else heads


def _overall(summary: StudySummary, name: str) -> list[Cell]:
    """A recipe's mean rank, and how much of the gap to the oracle it closes."""
    row, oracle = summary.row(name), summary.oracle
    rank = None if row is None else row.rank.get(summary.decision)
    share = None if oracle is None else oracle.closed.get(name, {}).get("tuned")
    closed = Cell("–")
    if share is not None and oracle is not None and oracle.opens:
        closed = level_cell("balanced_accuracy", share)  # a share, in per cent
    cells = {"Mean rank": Cell("–" if rank is None else f"{rank:.1f}", value=rank)}
    cells["Gap closed"] = closed
    return [cells[title] for title, _ in overall_heads(summary)]


def _runs(summary: StudySummary, name: str) -> str:
    row = summary.row(name)
    if row is None:
        return "no run yet"
    each = f" of {duration(row.seconds.mean)}" if row.seconds else ""
    real = ", with the real images that were left out" if name == ORACLE else ""
    return f"{plural(row.runs, 'run')}{each}{real}"


def every_metric(summary: StudySummary) -> tuple[list[str], list[Block]]:
    """Return all metrics there are, and a block of rows for each decision."""
    rows = summary.table
    there = {metric for row in rows for metric in (*row.plain, *row.tuned, *row.adjusted)}
    metrics = [m for m in METRICS if m in there] + sorted(there - set(METRICS))
    blocks = []
    for decision in ("plain", "tuned", "adjusted"):
        if not any(row.figures(decision) for row in rows):
            continue
        block = [
            Row(
                name,
                [level_cell(m, summary.figure(name, decision, m)) for m in metrics],
                name == summary.reference,
            )
            for name in summary.recipes
        ]
        blocks.append(Block(f"{decision.capitalize()} decision", block))
    return metrics, blocks


def beside(summary: StudySummary) -> list[tuple[str, str, list[Row]]]:
    """Return the questions beside the one that decides: title, small print and rows."""
    found = []
    for question, title, small in (
        (summary.tuning, "Does tuning the decision help the baseline?", "tuned less plain"),
        (summary.ranking, "Do the nets rank the images better?", "no decision changes that"),
    ):
        if question is not None and question.comparisons:
            found.append((title, small, _question_rows(summary, question)))
    return found


def _question_rows(summary: StudySummary, question: Question) -> list[Row]:
    return [
        Row(
            one.recipe,
            [
                _difference(question.metric, one),
                Cell(one.verdict, "", None, one.verdict, tone_of(one.verdict)),
            ],
            one.recipe == summary.reference,
        )
        for one in question.comparisons
    ]


def costs(summary: StudySummary) -> list[Row]:
    """Return what each recipe took: seconds, steps, passes, different images of each class."""
    return [
        Row(row.recipe, _cost_cells(row, summary.data.classes), row.recipe == summary.reference)
        for row in summary.table
        if row.seconds is not None
    ]


def _cost_cells(row: RecipeFigures, classes: Sequence[str]) -> list[Cell]:
    seconds = None if row.seconds is None else row.seconds.mean
    passes = "–" if row.passes is None else f"{row.passes:.1f}"
    seen = [row.distinct_images.get(name) for name in classes]
    return [
        Cell(duration(seconds), value=seconds),
        Cell(count(row.steps), value=row.steps),
        Cell(passes, value=row.passes),
        *(Cell(count(images), value=images) for images in seen),
    ]


def confusions(
    row: RecipeFigures, classes: Sequence[str]
) -> dict[str, list[list[dict[str, Any]]] | list[Confused]]:
    """Return a recipe's confusion matrices as rows of cells; of many classes the largest fields."""
    many = len(classes) > MATRIX
    return {
        decision: _largest(matrix, classes) if many else _shares(matrix)
        for decision, matrix in row.confusion.items()
    }


def _largest(matrix: Sequence[Sequence[float]], classes: Sequence[str]) -> list[Confused]:
    sizes = [sum(line) or 1 for line in matrix]
    fields = [
        Confused(classes[i], classes[j], int(value), int(sizes[i]), round(value / sizes[i], 3))
        for i, line in enumerate(matrix)
        for j, value in enumerate(line)
        if i != j and value
    ]
    return sorted(fields, key=lambda field: (-field.count, -field.share))[:_LARGEST]


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
    return "" if higher_is_better(metric) else "lower is better"
