"""The diagnostics as tables: shortcuts, label preservation, memorised copies, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.reports import plots
from equipoise.reports.figures import Gallery, slug
from equipoise.reports.tables import Cell, Row, level_cell
from equipoise.studies.calibration import Confidence
from equipoise.studies.formats import change, count, level, percent
from equipoise.studies.label_preservation import Loss
from equipoise.studies.shortcut import Rise
from equipoise.studies.summary import StudySummary

__all__ = [
    "calibration_rows",
    "context",
    "draw_calibration",
    "memory_rows",
    "overview",
    "safety_rows",
    "technique_table",
    "techniques_probed",
    "telling_classes",
]

_PRIORS = {
    "training": "as in training",
    "validation": "as in validation",
    "test": "as in the test images",
    "given": "the prior given",
}
_LISTED = 5  # classes whose shares are told one by one


def context(summary: StudySummary, classes: Sequence[str]) -> dict[str, Any]:
    """Return what the templates of the diagnostics need; `classes` are those with a column."""
    calibration = summary.calibration
    return {
        "safety": safety_rows(summary, classes),
        "memory": memory_rows(summary),
        "memory_of": next((", ".join(m.classes) for m in summary.memory.values()), ""),
        "calibration_words": () if calibration is None else calibration.words,
        "calibrated": calibration_rows(summary),
        "priors": [] if calibration is None else _priors_in_words(calibration.priors),
        "generated": _generated(summary),
    }


def safety_rows(summary: StudySummary, classes: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    """Return, for each technique and class, the share that is no longer recognised after it."""
    return [
        (technique, [_safety_cell(found.get(name)) for name in classes])
        for technique, found in summary.label_safety.items()
    ]


def _safety_cell(loss: Loss | None) -> Cell:
    if loss is None or loss.lost is None:
        return Cell("–")
    toward = f" → {loss.toward}" if loss.toward else ""
    small = f"of {count(loss.images)}{toward}"
    return Cell(percent(loss.lost), small, loss.lost, tint=round(loss.lost, 3) * loss.unsafe)


def memory_rows(summary: StudySummary) -> list[Row]:
    """Return a row for each recipe and technique: recall on images trained on and their like."""
    rows = []
    for recipe, found in summary.memory.items():
        ends = [level_cell("recall", value) for value in (found.clean, found.validation)]
        if not found.techniques:
            rows.append(Row(recipe, [Cell("–"), *ends, *[Cell("–")] * 4]))
        for technique, of in found.techniques.items():
            values = (of.copies, of.fresh, of.validation, of.gap)
            cells = [level_cell("recall", value) for value in values]
            rows.append(Row(recipe, [Cell(technique), *ends, *cells]))
    return rows


def calibration_rows(summary: StudySummary) -> list[Row]:
    """Return a row for each recipe and prior: each figure before and after temperature scaling."""
    calibration = summary.calibration
    if calibration is None:
        return []
    return [
        Row(name, [Cell(_PRIORS[prior]), *_confidence(found.before), *_confidence(found.after)])
        for prior in calibration.priors
        for name, of in calibration.recipes.items()
        for found in (of.at[prior],)
    ]


def _confidence(found: Confidence | None) -> list[Cell]:
    if found is None:
        return [Cell("–")] * 3
    error = level_cell("ece", found.ece)
    expected = Cell(error.text, f"{level('ece', found.expected)} by chance", error.value)
    return [expected, level_cell("brier", found.brier), level_cell("log_loss", found.log_loss)]


def _priors_in_words(priors: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [f"{_PRIORS[name]}: {_shares(shares)}" for name, shares in priors.items()]


def _shares(shares: Mapping[str, float]) -> str:
    told = {name: f"{name} {percent(share, 1)}" for name, share in shares.items()}
    if len(told) <= _LISTED:
        return ", ".join(told.values())
    least, most = (end(shares, key=lambda name: shares[name]) for end in (min, max))
    return f"from {told[least]} to {told[most]}"


def _generated(summary: StudySummary) -> list[str]:
    return [
        f"{recipe}: " + ", ".join(f"{count(n)} of {name}" for name, n in counts.items())
        for recipe, counts in summary.generated.items()
    ]


def draw_calibration(gallery: Gallery, summary: StudySummary) -> None:
    """Draw reliability diagrams, before and after temperature scaling."""
    calibration = summary.calibration
    if calibration is None:
        return
    lowest = 1 / max(len(summary.data.classes), 1)
    for k, (name, of) in enumerate(calibration.recipes.items()):
        for prior, found in of.at.items():
            before = _bins(found.before)
            after = None if found.after is None else _bins(found.after)
            file = plots.reliability_plot(before, lowest, after)
            told = f"Reliability of {name}, {_PRIORS[prior]}: {_told(before)}"
            if after is not None:
                told += f"; after temperature scaling {_told(after)}"
            key = f"calibration-{prior}-{slug(k, name)}"
            note = _PRIORS[prior] if len(of.at) > 1 else ""
            panel = gallery.panel("Calibration", file, key, f"{told}.", note)
            gallery.calibration.setdefault(name, []).append(panel)


def _bins(found: Confidence) -> plots.Bins:
    confidence, accuracy, share = (np.array(row, np.float64) for row in found.reliability)
    return confidence, accuracy, share


def _told(bins: plots.Bins) -> str:
    confidence, accuracy, share = bins
    sure, right = percent(float(confidence @ share)), percent(float(accuracy @ share))
    return f"mean confidence {sure}, right in {right} of the answers"


def techniques_probed(summary: StudySummary) -> list[str]:
    """Return the techniques that any recipe was probed with, in the order they were."""
    return list(dict.fromkeys(t for recipe in summary.shortcut.values() for t in recipe))


def overview(summary: StudySummary) -> list[tuple[str, list[Cell]]]:
    """Return, for each recipe and technique, the class that it harms most beyond the control.

    The control is the reference, whose net never saw a technique: its row shows the bare rise.
    """
    return [
        (
            name,
            [
                _worst(of.get(technique, {}), control=name == summary.reference)
                for technique in techniques_probed(summary)
            ],
        )
        for name, of in _probed(summary)
    ]


def _probed(summary: StudySummary) -> list[tuple[str, dict[str, dict[str, Rise]]]]:
    return [(n, summary.shortcut[n]) for n in summary.recipes if n in summary.shortcut]


def _worst(classes: Mapping[str, Rise], *, control: bool) -> Cell:
    risen = {n: r.augmented - r.clean if control else r.excess for n, r in classes.items()}
    known = {name: value for name, value in risen.items() if value is not None}
    if not known:
        return Cell("–")
    worst = max(known, key=lambda name: known[name])
    small = f"{worst} → {classes[worst].toward}"
    return Cell(change("recall", known[worst]), small, known[worst], tint=_tint(known[worst]))


def _tint(excess: float) -> float:
    """How strongly an excess is coloured: not at all up to 2 points, fully from 30."""
    return round(min(max((excess - 0.02) / 0.28, 0.0), 1.0), 3)


def telling_classes(summary: StudySummary, most: int = 12) -> list[str]:
    """Return the classes that the techniques' tables show: of many, those harmed most."""
    classes: Sequence[str] = summary.data.classes
    if len(classes) <= most:
        return list(classes)
    worst = dict.fromkeys(classes, -1.0)
    for recipe in summary.shortcut.values():
        for of in recipe.values():
            for name, rise in of.items():
                worst[name] = max(worst[name], -1.0 if rise.excess is None else rise.excess)
    kept = sorted(classes, key=lambda name: -worst[name])[:most]
    return [name for name in classes if name in kept]


def technique_table(
    summary: StudySummary, technique: str, classes: Sequence[str]
) -> list[tuple[str, list[Cell]]]:
    """Return a technique's rows: for each recipe and class, mistaken when clean → augmented."""
    return [
        (
            name,
            [
                _cell(of.get(technique, {}).get(label), control=name == summary.reference)
                for label in classes
            ],
        )
        for name, of in _probed(summary)
    ]


def _cell(rise: Rise | None, *, control: bool) -> Cell:
    if rise is None:
        return Cell("–")
    text = f"{percent(rise.clean)} → {percent(rise.augmented)}"
    if control or rise.excess is None:
        return Cell(text, "control" if control else "", rise.augmented - rise.clean)
    small = f"{change('recall', rise.excess)} beyond control"
    return Cell(text, small, rise.excess, tint=_tint(rise.excess))
