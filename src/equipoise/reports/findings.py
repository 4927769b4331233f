"""What else a study found, a line each with a small picture, ranked by how much it matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape
from PIL import Image, UnidentifiedImageError

from equipoise.errors import plural
from equipoise.images import LeftOut
from equipoise.reports.folder import StudyFiles
from equipoise.reports.thumbnails import thumbnail, uri
from equipoise.studies.charts import scale_of
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import change, listed, percent, points, quoted
from equipoise.studies.memorisation import Copies
from equipoise.studies.summary import StudySummary

__all__ = ["Finding", "findings"]

_WORDS = ("fine", "note", "look", "mend")
_MARKS = ("✓", "•", "●", "▲")
_TILE = 48  # pixels a side of a small picture
_LEAKS = ("leaks", "near_leaks", "straddling_groups", "label_conflicts")


@dataclass(frozen=True)
class Finding:
    """A finding: the name of its evidence, how much it matters (0 to 3), its line and picture."""

    id: str
    weight: int
    line: str
    picture: Markup = Markup()

    @property
    def word(self) -> str:
        """What to do about it, in a word."""
        return _WORDS[self.weight]

    @property
    def mark(self) -> str:
        """A sign for the word."""
        return _MARKS[self.weight]


def findings(summary: StudySummary, files: StudyFiles) -> list[Finding]:
    """Return the findings there are, what matters most first."""
    all_of_them = (
        _shortcut(summary, files),
        _leaks(summary),
        _safety(summary, files),
        _memory(summary),
        _untested(summary),
        _calibration(summary),
        _left_out(summary),
        _beside(summary),
    )
    found = [one for one in all_of_them if one is not None]
    return sorted(found, key=lambda one: -one.weight)


def _shortcut(summary: StudySummary, files: StudyFiles) -> Finding | None:
    if not summary.shortcut:
        return None
    if not summary.marks:
        probed = next((name for of in summary.shortcut.values() for name in of), "")
        line = "No technique has become the mark of a class."
        return Finding("shortcut", 0, line, _tiles(files, probed, 0, len(_rows(summary))))
    first, more = summary.marks[0], len(summary.marks) - 1
    line = f"{first.sentence.split(':')[0]}{f', and {more} more' if more else ''}."
    rows = _rows(summary)
    row = rows.index(first.lost[0]) if first.lost and first.lost[0] in rows else 0
    return Finding("shortcut", 3, line, _tiles(files, first.technique, row, len(rows)))


def _safety(summary: StudySummary, files: StudyFiles) -> Finding | None:
    if not summary.label_safety:
        return None
    lost = {
        technique: {name: loss.lost or 0.0 for name, loss in of.items() if loss.unsafe}
        for technique, of in summary.label_safety.items()
    }
    unsafe = {technique: classes for technique, classes in lost.items() if classes}
    if not unsafe:
        every = [loss.lost for of in summary.label_safety.values() for loss in of.values()]
        kept = [(1 - (share or 0.0), "accent") for share in every[:8]]
        return Finding(
            "safety", 0, "After every technique most images are recognised.", _bars(kept)
        )
    worst = max(unsafe, key=lambda technique: max(unsafe[technique].values()))
    label = max(unsafe[worst], key=lambda name: unsafe[worst][name])
    line = (
        f"Look at what {_and(list(unsafe))} {'does' if len(unsafe) == 1 else 'do'} to the "
        f"pictures: after {worst}, {percent(unsafe[worst][label])} of class {label} are no "
        "longer recognised."
    )
    rows = _rows(summary)
    row = rows.index(label) if label in rows else 0
    weight = 3 if summary.label_safety_warnings else 2
    return Finding("safety", weight, line, _tiles(files, worst, row, len(rows)))


def _memory(summary: StudySummary) -> Finding | None:
    if not summary.memory:
        return None
    gaps = {
        recipe: max(learned, key=_gap)
        for recipe, of in summary.memory.items()
        if (learned := [copies for copies in of.techniques.values() if copies.learned])
    }
    if not gaps:
        shown = [one for of in summary.memory.values() for one in of.techniques.values()]
        line = "No recipe has learned its copies by heart."
        return Finding("memory", 0, line, _heart(shown[0]) if shown else Markup())
    worst = max(gaps.values(), key=_gap)
    line = (
        f"{listed(gaps)} learned copies by heart: they are recognised "
        f"{points('recall', _gap(worst))} better than fresh ones of the same images."
    )
    return Finding("memory", 2, line, _heart(worst))


def _gap(copies: Copies) -> float:
    return 0.0 if copies.gap is None else copies.gap.mean or 0.0


def _heart(copies: Copies) -> Markup:
    """The recall on copies beside that on fresh ones."""
    ends = ((copies.copies, "warm"), (copies.fresh, "muted"))
    return _bars([(one.mean or 0.0, tone) for one, tone in ends if one is not None])


def _calibration(summary: StudySummary) -> Finding | None:
    calibration, chosen = summary.calibration, summary.answer.recipe or summary.reference
    if calibration is None or chosen not in calibration.recipes:
        return None
    found = next(iter(calibration.recipes[chosen].at.values()))
    before, after = found.before, found.after
    line = f"The confidence of {quoted(chosen)} is off by {percent(before.ece.mean, 1)} on average"
    if after is not None:
        line += f", after temperature scaling by {percent(after.ece.mean, 1)}"
    doubtful = before.doubtful or (after is not None and after.doubtful)
    confidence, right, _ = before.reliability
    return Finding("calibration", int(doubtful), f"{line}.", _dots(confidence, right))


def _leaks(summary: StudySummary) -> Finding | None:
    audit = summary.data.audit
    if audit is None:
        return None
    known = audit.to_dict()
    names = ("leak", "near leak", "group in two splits", "label conflict")
    many = ("leaks", "near leaks", "groups in two splits", "label conflicts")
    counts = [len(known.get(key) or ()) for key in _LEAKS]
    told = [plural(n, *words) for n, *words in zip(counts, names, many, strict=True) if n]
    sizes = [c["training"] for c in known["classes"]]
    picture = _bars([(n / max(max(sizes, default=1), 1), "accent") for n in sizes[:8]])
    if told:
        return Finding("data", 3, f"The data has {_and(told)}.", picture)
    line = f"No image stands in two splits; the classes are {known['imbalance_ratio']:.1f} : 1."
    return Finding("data", 0, line, picture)


def _left_out(summary: StudySummary) -> Finding | None:
    audit = summary.data.audit
    known = {} if audit is None else audit.to_dict()
    left = [LeftOut(e["reason"], e["count"], tuple(e["names"])) for e in known.get("left_out", ())]
    broken = len(known.get("broken") or ())
    told = [f"{one.reason} ({one.count:,})" for one in left]
    told += [plural(broken, "broken file")] if broken and not left else []
    lost = sum(one.count for one in left) or broken
    if not told:
        return None
    used = known.get("images") or 1
    picture = _bars([(used / (used + lost), "accent"), (lost / (used + lost), "warm")])
    return Finding("left-out", 1, f"Left out of the data: {_and(told)}.", picture)


def _untested(summary: StudySummary) -> Finding | None:
    if not summary.untested_words:
        return None
    return Finding("untested", 2, summary.untested_words[0])


def _beside(summary: StudySummary) -> Finding | None:
    tuning, ranking = summary.tuning, summary.ranking
    helps = None if tuning is None else tuning.of(summary.reference)
    parts = []
    if tuning is not None and helps is not None and helps.mean is not None:
        gain = change(tuning.metric, helps.mean)
        parts.append(f"tuning the decision of {quoted(summary.reference)} alone: {gain}")
    if ranking is not None and ranking.comparisons:
        better = [one.recipe for one in ranking.having("better")]
        parts.append(
            f"nets that rank the images better: {listed(better) if better else 'none is shown'}"
        )
    if not parts:
        return None
    line = "; ".join(parts)
    picture = Markup() if helps is None else _whisker(helps, summary.margin)
    return Finding("beside", 1, f"{line[:1].upper()}{line[1:]}.", picture)


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _rows(summary: StudySummary) -> list[str]:
    """The classes that the sheets of example pictures have a row of."""
    return list(summary.data.classes[:10])


def _bars(shares: Sequence[tuple[float, str]]) -> Markup:
    """Small bars, a share and its colour each."""
    step = _TILE / max(len(shares), 1)
    bars = "".join(
        f'<rect x="{k * step + step * 0.15:.1f}" y="{_TILE * (1 - share):.1f}" '
        f'width="{step * 0.7:.1f}" height="{max(_TILE * share, 1):.1f}" fill="var(--{tone})"/>'
        for k, (share, tone) in enumerate(shares)
    )
    return _small(bars)


def _dots(across: Sequence[float], up: Sequence[float]) -> Markup:
    """Small dots about a diagonal."""
    dots = "".join(
        f'<circle cx="{_TILE * x:.1f}" cy="{_TILE * (1 - y):.1f}" r="3" fill="var(--accent)"/>'
        for x, y in zip(across, up, strict=True)
    )
    return _small(f'<path d="M0 {_TILE}L{_TILE} 0" stroke="var(--muted)"/>{dots}')


def _whisker(value: Estimate, margin: float) -> Markup:
    """A small interval about zero, the margin shaded."""
    scale = scale_of([value], margin)
    ends = (-margin, margin, value.low, value.mean, value.high)
    places = [_TILE * scale.at(end or 0.0) / 100 for end in ends]
    least, most, low, mean, high = (f"{place:.1f}" for place in places)
    return _small(
        f'<path d="M{least} 8H{most}V40H{least}Z" fill="var(--line)"/>'
        f'<path d="M{low} 24H{high}" stroke="var(--accent)" stroke-width="2"/>'
        f'<circle cx="{mean}" cy="24" r="4" fill="var(--accent)"/>'
    )


def _small(body: str) -> Markup:
    return Markup(
        f'<svg class="small" viewBox="0 0 {_TILE} {_TILE}" aria-hidden="true">{body}</svg>'
    )


def _tiles(files: StudyFiles, technique: str, row: int, rows: int) -> Markup:
    """A class's first example as it is and after a technique, side by side."""
    words = {"clean": "An example as it is", technique: f"The same after {technique}"}
    shown = {name: _tile(path, row, rows) for name in words if (path := files.examples.get(name))}
    pictures = (
        f'<img class="small" src="{picture}" width="{_TILE}" height="{_TILE}" '
        f'alt="{escape(words[name])}">'
        for name, picture in shown.items()
        if picture
    )
    return Markup("".join(pictures))


def _tile(path: Path, row: int, rows: int) -> str:
    try:
        with Image.open(path) as sheet:
            side = sheet.height // rows
            tile = sheet.crop((1, row * side + 1, side - 1, (row + 1) * side - 1)).convert("RGB")
            return uri(thumbnail(np.asarray(tile), 2 * _TILE))
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return ""
