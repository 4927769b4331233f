"""What the tables of the page show: the summary turned into cells, worded and to scale."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import plural
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
    points,
)
from equipoise.studies.summary import Comparison, Question, RecipeFigures, StudySummary

__all__ = [
    "Cell",
    "Row",
    "Whisker",
    "beside",
    "class_recalls",
    "comparison",
    "confusions",
    "costs",
    "every_metric",
    "headline_metrics",
    "overall_heads",
    "verdicts",
]

_MARKS = {"better": "▲", "worse": "▼", "even": "○", "": "·"}
_TONES = {"better": "better", "worse": "worse", "no difference that matters": "even"}


@dataclass(frozen=True)
class Whisker:
    """Where an interval lies on its scale, in per cent of the width, and the margin about zero."""

    left: float
    right: float
    dot: float
    zero: float
    margin: tuple[float, float] | None = None


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
    whisker: Whisker | None = None
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
    """Rows under a heading of their own, such as a class or a decision."""

    title: str
    rows: list[Row]
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Scale:
    """A common scale for a column of intervals."""

    low: float
    high: float
    margin: float | None = None

    def at(self, value: float) -> float:
        """Return where a value lies, in per cent of the width."""
        return round(min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0), 2)

    def place(self, value: Estimate) -> Whisker:
        """Return an interval in its place."""
        mean = value.mean or 0.0
        low = mean if value.low is None else value.low
        high = mean if value.high is None else value.high
        margin = None
        if self.margin is not None:
            margin = (self.at(-self.margin), self.at(self.margin))
        return Whisker(self.at(low), self.at(high), self.at(mean), self.at(0.0), margin)


def scale_of(values: Iterable[Estimate | None], margin: float | None = None) -> Scale:
    """Return the scale that holds all of the intervals, zero, and the margin about it."""
    ends = [0.0] if margin is None else [-margin, margin]
    for value in values:
        if value is not None:
            ends += [v for v in (value.mean, value.low, value.high) if v is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    return Scale(low - room, high + room, margin)


def verdicts(summary: StudySummary, chosen: str) -> list[Row]:
    """Return the table of the question that decides: level, difference and verdict a recipe."""
    question = summary.question
    if question is None:
        return []
    metric, decision = question.metric, question.decision
    scale = scale_of(question.comparisons, summary.margin)
    rows = []
    for name in summary.recipes:
        now = level_cell(metric, summary.figure(name, decision, metric))
        one = question.of(name)
        if name == summary.reference:
            rows.append(Row(name, [now, Cell("baseline", value=0.0), Cell("")], reference=True))
        elif one is not None:
            cells = [now, _difference(metric, one, scale), _verdict(summary, one)]
            rows.append(Row(name, cells, chosen=name == chosen))
    return rows


def _difference(metric: str, one: Estimate, scale: Scale | None, tone: str = "") -> Cell:
    if one.mean is None:
        return Cell("–")
    place = None if scale is None else scale.place(one)
    return Cell(change(metric, one.mean), _interval(metric, one, change), one.mean, "", tone, place)


def _verdict(summary: StudySummary, one: Comparison) -> Cell:
    """What is said of a recipe, and what would have to happen for more to be said."""
    return Cell(one.verdict, _why(summary, one), None, one.verdict, _TONES.get(one.verdict, ""))


def _why(summary: StudySummary, one: Comparison) -> str:
    if one.verdict == "better" and not one.recommended:
        return f"by less than {points(summary.objective, summary.margin)}"
    if one.verdict != "undecided":
        return ""
    return {
        "more test images": "more test images would be needed",
        "more seeds than planned": "more seeds than planned would be needed",
        "no hope of the margin": f"no gain of {points(summary.objective, summary.margin)} in sight",
    }.get(one.stopped or "", "")


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
    scale = scale_of(question.comparisons, summary.margin)
    return [
        Row(
            one.recipe,
            [
                _difference(question.metric, one, scale),
                Cell(one.verdict, "", None, one.verdict, _TONES.get(one.verdict, "")),
            ],
            one.recipe == summary.reference,
        )
        for one in question.comparisons
    ]


def class_recalls(summary: StudySummary, most: int = 60) -> list[Block]:
    """Return, for each class, its recall before (plain reference) and after each recipe.

    Of more than `most` classes, those with the fewest training images.
    """
    names, reference = list(summary.recipes), summary.reference
    training = training_counts(summary)
    blocks = []
    for label, title in _rarest(summary.data.classes, training, most):
        before = summary.class_figure(reference, "plain", title, "recall")
        rows, dots = [], []
        for name in names:
            after = [summary.class_figure(name, d, title, "recall") for d in ("plain", "tuned")]
            cells = [level_cell("recall", value) for value in after]
            rows.append(Row(name, cells, name == reference))
            dots.append([_dot(value) for value in (before, *after)])
        number = training[label] if label < len(training) else None
        note = "" if number is None else f"{count(number)} training images"
        facts = {"dots": dots, "before": level_cell("recall", before).text}
        blocks.append(Block(title, rows, note, facts))
    return blocks


def _rarest(names: Sequence[str], training: list[int | None], most: int) -> list[tuple[int, str]]:
    labels = sorted(range(len(names)), key=lambda k: training[k] or 0)[:most]
    return [(k, names[k]) for k in sorted(labels)]


def _dot(value: Estimate | None) -> Whisker | None:
    if value is None or value.mean is None:
        return None
    return Scale(0.0, 1.0).place(value)


def training_counts(summary: StudySummary) -> list[int | None]:
    """Return how many training images each class has, by label; None where that is unknown."""
    audit = summary.data.audit
    counts = {} if audit is None else {c.name: c.training for c in audit.classes}
    return [counts.get(name) for name in summary.data.classes]


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
    summary: StudySummary,
) -> list[tuple[str, dict[str, list[list[dict[str, Any]]]]]]:
    """Return each recipe's confusion matrices as rows of cells: count, share of the row, hit."""
    return [
        (row.recipe, {decision: _shares(matrix) for decision, matrix in row.confusion.items()})
        for row in summary.table
        if row.confusion
    ]


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
