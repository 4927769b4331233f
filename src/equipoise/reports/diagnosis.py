"""The diagnostics as tables: label safety, memorised copies, calibration at a prior."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.reports import plots
from equipoise.reports.figures import Gallery, slug
from equipoise.reports.shortcut import ProbeCell
from equipoise.reports.tables import Cell, Row, level_cell
from equipoise.studies.calibration import Confidence
from equipoise.studies.formats import count, level, percent
from equipoise.studies.safety import Loss
from equipoise.studies.summary import StudySummary

__all__ = ["calibration_rows", "context", "draw_calibration", "memory_rows", "safety_rows"]

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


def safety_rows(summary: StudySummary, classes: Sequence[str]) -> list[tuple[str, list[ProbeCell]]]:
    """Return, for each technique and class, the share that is no longer recognised after it."""
    return [
        (technique, [_safety_cell(found.get(name)) for name in classes])
        for technique, found in summary.label_safety.items()
    ]


def _safety_cell(loss: Loss | None) -> ProbeCell:
    if loss is None or loss.lost is None:
        return ProbeCell("–")
    toward = f" → {loss.toward}" if loss.toward else ""
    small = f"of {count(loss.images)}{toward}"
    return ProbeCell(percent(loss.lost), small, loss.lost, round(loss.lost, 3) * loss.unsafe)


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
            gallery.calibration.append(gallery.panel(name, file, key, f"{told}.", note))


def _bins(found: Confidence) -> plots.Bins:
    confidence, accuracy, share = (np.array(row, np.float64) for row in found.reliability)
    return confidence, accuracy, share


def _told(bins: plots.Bins) -> str:
    confidence, accuracy, share = bins
    sure, right = percent(float(confidence @ share)), percent(float(accuracy @ share))
    return f"mean confidence {sure}, right in {right} of the answers"
