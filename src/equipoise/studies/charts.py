"""The two figures of a study as SVG: the forest plot of its recipes, and recall class by class.

Places are in per cent of the width and sizes in pixels, so that a figure fills a screen, a phone or
a notebook's cell and its text stays as large as it is. The colours are those of the light page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from pathlib import Path

from equipoise.errors import InputError, require
from equipoise.files import atomic
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import (
    change,
    count,
    higher_is_better,
    interval,
    is_share,
    level,
    metric_name,
    points,
)
from equipoise.studies.inference import Verdict
from equipoise.studies.summary import Comparison, StudySummary

__all__ = [
    "CHARTS",
    "COLOURS",
    "Change",
    "Chart",
    "ClassRow",
    "Scale",
    "chart",
    "class_rows",
    "compared",
    "reasons",
    "scale_of",
    "tone_of",
]

# Blue and vermillion are Okabe and Ito's, darkened until they read as text: apart for every kind
# of colour vision, and in grey.
COLOURS = {
    "ink": "#1d1f23",
    "muted": "#5b616a",
    "line": "#d9dade",
    "paper": "#fefefd",
    "accent": "#00609c",
    "warm": "#b84a00",
}
_INK, _MUTED, _LINE, _PAPER, _ACCENT, _WARM = COLOURS.values()
_LOOKS: dict[str, tuple[str, str]] = {
    "better": (_ACCENT, "▲"),
    "worse": (_WARM, "▼"),
    "even": (_INK, "○"),
    "": (_MUTED, "?"),
}
_TONES = {"better": "better", "worse": "worse", "no difference that matters": "even"}
_ROW, _CELL = 48, 30
_STRONGEST = 0.2  # a change of recall that has the full colour
CHARTS = ("recipes", "classes")


@dataclass(frozen=True)
class Chart:
    """A figure: its SVG, and the words for those who do not see it. A notebook shows it."""

    svg: str
    words: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write the figure to an SVG file and return its path."""
        place = Path(path)
        with atomic(place) as draft:
            draft.write_bytes(self.svg.encode("utf-8", "backslashreplace"))
        return place


@dataclass(frozen=True)
class Scale:
    """A common scale for a column of intervals."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value lies, in per cent of the width."""
        return round(min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0), 2)

    def ticks(self, most: int = 7) -> list[float]:
        """Return round values on the scale."""
        rough = (self.high - self.low) / most
        unit = 10.0 ** floor(log10(rough))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
        first, last = ceil(self.low / step), floor(self.high / step)
        return [round(k * step, 12) for k in range(first, last + 1)]


@dataclass(frozen=True)
class Change:
    """A class's recall with a recipe, what it gained, and whether that is more than luck alone."""

    recall: float | None
    gain: float | None = None
    clear: bool = False

    @property
    def strength(self) -> float:
        """How strongly it is coloured, from −1 to 1; what may be luck only faintly."""
        share = max(-1.0, min(1.0, (self.gain or 0.0) / _STRONGEST))
        return round(share if self.clear else share / 4, 2)

    @property
    def mark(self) -> str:
        """A sign for a clear change, for those who do not see its colour."""
        return "" if not self.clear or not self.gain else "▲" if self.gain > 0 else "▼"


@dataclass(frozen=True)
class ClassRow:
    """A class: its training images, and its recall with each recipe."""

    name: str
    training: int | None
    cells: tuple[Change, ...]

    @property
    def most(self) -> float:
        """Its largest change, whichever way."""
        return max((abs(cell.gain or 0.0) for cell in self.cells), default=0.0)


def chart(summary: StudySummary, what: str) -> Chart:
    """Return a study's figure: of its `recipes`, or of its `classes`.

    Raises
    ------
    InputError
        If there is no such figure, or nothing to draw yet.
    """
    require(what in CHARTS, f"one of {', '.join(CHARTS)}", what=what)
    if what == "recipes" and compared(summary):
        return _forest(summary)
    if what == "classes" and summary.table:
        return _classes(summary)
    raise InputError(f"There is no figure of the {what} yet: no two recipes have finished runs.")


def tone_of(verdict: Verdict) -> str:
    """Return the tone of a verdict: better, worse, even, or empty."""
    return _TONES.get(verdict, "")


def compared(summary: StudySummary) -> list[Comparison]:
    """Return what is said of each recipe, the best first."""
    question = summary.question
    if question is None:
        return []
    sign = -1 if higher_is_better(question.metric) else 1
    known = [one for one in question.comparisons if one.mean is not None]
    return sorted(known, key=lambda one: sign * (one.mean or 0.0))


def scale_of(values: Iterable[Estimate], margin: float) -> Scale:
    """Return the scale that holds all of the intervals, zero, and the margin about it."""
    ends = [-margin, margin, 0.0]
    for value in values:
        ends += [v for v in (value.mean, value.low, value.high) if v is not None]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    return Scale(min(ends) - room, max(ends) + room)


def reasons(summary: StudySummary, one: Comparison) -> str:
    """Return what would have to happen for more to be said of a recipe."""
    margin = points(summary.objective, summary.margin)
    if one.verdict == "better" and not one.recommended:
        return f"by less than {margin}"
    if one.verdict != "undecided":
        return ""
    return {
        "more test images": "more test images would be needed",
        "more seeds than planned": "more seeds than planned would be needed",
        "no hope of the margin": f"no gain of {margin} in sight",
    }.get(one.stopped or "", "")


def class_rows(summary: StudySummary, decision: str) -> list[ClassRow]:
    """Return the recall of every class with every recipe, and the change to the baseline.

    The change is always to the baseline with the decision that the recipes are compared with. It is
    clear where the baseline's recall lies outside the interval of the recipe's.
    """
    audit = summary.data.audit
    counts = {} if audit is None else {c.name: c.training for c in audit.classes}
    rows = []
    for name in summary.data.classes:
        base = summary.class_figure(summary.reference, summary.decision, name, "recall")
        cells = []
        for row in summary.table:
            value = row.per_class.get(decision, {}).get(name, {}).get("recall")
            same = row.recipe == summary.reference and decision == summary.decision
            cells.append(_change(value, None if same else base))
        rows.append(ClassRow(name, counts.get(name), tuple(cells)))
    return rows


def _change(value: Estimate | None, base: Estimate | None) -> Change:
    if value is None or value.mean is None:
        return Change(None)
    if base is None or base.mean is None:
        return Change(value.mean)
    known = value.low is not None and value.high is not None
    inside = known and value.low <= base.mean <= value.high  # type: ignore[operator]
    return Change(value.mean, value.mean - base.mean, known and not inside)


def _forest(summary: StudySummary) -> Chart:
    question = summary.question
    assert question is not None
    rows = compared(summary)
    scale = scale_of(rows, summary.margin)
    parts = [_forest_row(summary, one, scale, _ROW * k) for k, one in enumerate(rows)]
    bottom = _ROW * len(rows) + 4
    for tick in scale.ticks():
        at = f"{scale.at(tick)}%"
        text = "0" if abs(tick) < 1e-9 else change(question.metric, tick)
        parts.append(_line(at, bottom, at, bottom + 5, _MUTED))
        parts.append(_text(at, bottom + 20, text, _MUTED, "middle", 12))
    up = higher_is_better(question.metric)
    ends = ("◀ worse", "better ▶") if up else ("◀ better", "worse ▶")
    unit = ", points" if is_share(question.metric) else ""
    parts.append(_text("0%", bottom + 40, ends[0], _WARM if up else _ACCENT, "start", 12))
    parts.append(_text("100%", bottom + 40, ends[1], _ACCENT if up else _WARM, "end", 12))
    parts.append(_text("50%", bottom + 40, f"difference{unit}", _MUTED, "middle", 12))
    said = "; ".join(
        f"{one.recipe} {change(question.metric, one.mean)}"
        f"{_bracketed(question.metric, one)}, {one.verdict}"
        for one in rows
    )
    words = (
        f"Difference in {metric_name(question.metric)} to {summary.reference}, "
        f"{question.decision} as well: {said}. "
        f"The margin that matters is {points(question.metric, summary.margin)}."
    )
    return Chart(_document(bottom + 48, parts), words)


def _bracketed(metric: str, one: Comparison) -> str:
    ends = interval(metric, one.low, one.high)
    return f" ({ends})" if ends else ""


def _forest_row(summary: StudySummary, one: Comparison, scale: Scale, top: int) -> str:
    metric, tone = summary.objective, tone_of(one.verdict)
    colour, mark = _LOOKS[tone]
    left, right = scale.at(-summary.margin), scale.at(summary.margin)
    middle, why = top + 34, reasons(summary, one)
    value = f"{change(metric, one.mean)}{_bracketed(metric, one)}"
    more = f' <tspan class="aside" fill="{_MUTED}">{escape(f"({why})")}</tspan>' if why else ""
    place = list(summary.recipes).index(one.recipe)
    parts = [
        f'<g data-recipe="{place}">',
        f'<rect x="{left}%" y="{top + 24}" width="{round(right - left, 2)}%" height="20" '
        f'fill="{_LINE}"/>',
        _line("0%", middle, "100%", middle, _LINE),
        _line(f"{scale.at(0.0)}%", top + 24, f"{scale.at(0.0)}%", top + 44, _MUTED),
        f'<text x="0" y="{top + 17}" fill="{_INK}"><tspan font-weight="600">'
        f'{escape(_short(one.recipe))}</tspan> <tspan class="aside" fill="{_MUTED}">'
        f"{escape(value)}</tspan></text>",
        f'<text x="100%" y="{top + 17}" fill="{colour}" text-anchor="end">'
        f'<tspan font-weight="600">{mark} {escape(one.verdict)}</tspan>{more}</text>',
    ]
    if one.low is not None and one.high is not None:
        dashes = "" if tone else ' stroke-dasharray="5 3"'
        ends = (f"{scale.at(one.low)}%", middle, f"{scale.at(one.high)}%", middle)
        parts.append(_line(*ends, colour, f' stroke-width="2.5"{dashes}'))
    filled = colour if tone in ("better", "worse") else _PAPER
    parts.append(
        f'<circle cx="{scale.at(one.mean or 0.0)}%" cy="{middle}" r="5" fill="{filled}" '
        f'stroke="{colour}" stroke-width="2"/></g>'
    )
    return "".join(parts)


def _classes(summary: StudySummary, most: int = 60) -> Chart:
    """Draw recall class by class with the deciding decision; of many classes, what changed most."""
    rows = class_rows(summary, summary.decision)
    if len(rows) > most:
        rows = sorted(rows, key=lambda row: -row.most)[:most]
    names = [row.recipe for row in summary.table]
    width = 76 / max(len(names), 1)
    heads = [
        _text(f"{24 + width * (k + 0.5):.2f}%", 16, _short(name, 18), _MUTED, "middle", 12)
        for k, name in enumerate(names)
    ]
    parts = [
        _class_row(row, width, 24 + _CELL * k, reference=summary.reference == names[0])
        for k, row in enumerate(rows)
    ]
    words = (
        f"Recall of {count(len(rows))} classes with {len(names)} recipes, {summary.decision} "
        f"decision, with the change to {summary.reference} in points."
    )
    return Chart(_document(32 + _CELL * len(rows), [*heads, *parts]), words)


def _class_row(row: ClassRow, width: float, top: int, *, reference: bool) -> str:
    parts = [_text("0%", top + 20, _short(row.name), _INK, "start", 13)]
    for k, cell in enumerate(row.cells):
        left, strength = 24 + width * k, abs(cell.strength)
        colour = _ACCENT if cell.strength > 0 else _WARM
        text = level("recall", cell.recall)
        if cell.gain is not None and not (reference and k == 0):
            text += f" {cell.mark}{change('recall', cell.gain)}"
        parts.append(
            f'<rect x="{left:.2f}%" y="{top}" width="{width - 0.3:.2f}%" height="{_CELL - 2}" '
            f'fill="{colour}" fill-opacity="{0.38 * strength:.2f}"/>'
        )
        parts.append(_text(f"{left + width / 2:.2f}%", top + 19, text, _INK, "middle", 12))
    return "".join(parts)


def _short(text: str, width: int = 24) -> str:
    """Return a name fit for a figure: one line, printable, cut to `width` characters."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _text(x: str, y: int, text: str, colour: str, anchor: str, size: int) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )


def _line(x1: str, y1: int, x2: str, y2: int, colour: str, more: str = "") -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{more}/>'


def _document(height: int, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}">\n'
        f'<g font-family="system-ui, sans-serif" font-size="14">\n{body}\n</g>\n</svg>\n'
    )
