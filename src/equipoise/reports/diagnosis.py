"""The diagnostics as tables: label safety, memorised copies, calibration at a prior."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise.reports import plots
from equipoise.reports.figures import Gallery, slug
from equipoise.reports.folder import named
from equipoise.reports.shortcut import ProbeCell
from equipoise.reports.tables import Cell, Row, level_cell
from equipoise.studies.formats import count, estimate, number, percent

__all__ = ["calibration_rows", "context", "draw_calibration", "memory_rows", "safety_rows"]

Summary = Mapping[str, Any]

_KINDS = ("copies", "fresh", "validation")
_PRIORS = {"training": "as in training", "given": "the prior given"}
_LISTED = 5  # classes whose shares are told one by one
_CALIBRATION = ("ece", "brier", "log_loss")


def context(summary: Summary, classes: list[str]) -> dict[str, Any]:
    """Return what the templates of the diagnostics need; `classes` are those with a column."""
    calibration = summary.get("calibration") or {}
    return {
        "safety": safety_rows(summary, classes),
        "memory": memory_rows(summary),
        "memory_of": _memory_of(summary),
        "gain_words": [entry["words"] for entry in (summary.get("gain") or {}).values()],
        "calibration_words": calibration.get("words") or [],
        "calibrated": calibration_rows(summary),
        "priors": _priors_in_words(calibration.get("priors") or {}),
        "generated": _generated(summary),
    }


def safety_rows(summary: Summary, classes: list[str]) -> list[tuple[str, list[ProbeCell]]]:
    """Return, for each technique and class, the share that is no longer recognised after it."""
    return [
        (technique, [_safety_cell(found.get(name) or {}) for name in classes])
        for technique, found in (summary.get("label_safety") or {}).items()
    ]


def _safety_cell(entry: Mapping[str, Any]) -> ProbeCell:
    lost = number(entry.get("lost"))
    if lost is None:
        return ProbeCell("–")
    toward = f" → {entry['toward']}" if entry.get("toward") else ""
    small = f"of {count(number(entry.get('images')))}{toward}"
    return ProbeCell(percent(lost), small, lost, round(lost, 3) if entry.get("unsafe") else 0.0)


def memory_rows(summary: Summary) -> list[Row]:
    """Return a row for each recipe and technique: recall on images trained on and their like."""
    rows = []
    for recipe, found in (summary.get("memory") or {}).items():
        ends = [level_cell("recall", estimate(found.get(key))) for key in ("clean", "validation")]
        of = found.get("techniques") or {}
        if not of:
            blanks = [Cell("–")] * (1 + len(_KINDS))
            rows.append(Row(recipe, [Cell("–"), *ends, *blanks]))
        for technique, kinds in of.items():
            cells = [level_cell("recall", estimate(kinds.get(kind))) for kind in _KINDS]
            gap = level_cell("recall", estimate(kinds.get("gap")))
            rows.append(Row(recipe, [Cell(technique), *ends, *cells, gap]))
    return rows


def _memory_of(summary: Summary) -> str:
    found: Mapping[str, Any] = next(iter((summary.get("memory") or {}).values()), {})
    return ", ".join(map(str, found.get("classes") or ()))


def calibration_rows(summary: Summary) -> list[Row]:
    """Return a row for each recipe and prior: each figure before and after temperature scaling."""
    recipes = (summary.get("calibration") or {}).get("recipes") or {}
    names = [name for name in named(summary) if name in recipes]
    return [
        Row(
            name,
            [
                Cell(_PRIORS[prior]),
                *(
                    level_cell(metric, estimate(recipes[name][prior][when].get(metric)))
                    for metric in _CALIBRATION
                    for when in ("before", "after")
                ),
            ],
        )
        for prior in _PRIORS
        for name in names
        if prior in recipes[name]
    ]


def _priors_in_words(priors: Mapping[str, Any]) -> list[str]:
    return [f"{_PRIORS[name]}: {_shares(shares)}" for name, shares in priors.items()]


def _shares(shares: Mapping[str, float]) -> str:
    told = {name: f"{name} {percent(share, 1)}" for name, share in shares.items()}
    if len(told) <= _LISTED:
        return ", ".join(told.values())
    least, most = (end(shares, key=lambda name: shares[name]) for end in (min, max))
    return f"from {told[least]} to {told[most]}"


def _generated(summary: Summary) -> list[str]:
    return [
        f"{recipe}: " + ", ".join(f"{count(n)} of {name}" for name, n in counts.items())
        for recipe, counts in (summary.get("generated") or {}).items()
    ]


def draw_calibration(gallery: Gallery, summary: Summary) -> None:
    """Put reliability diagrams before and after temperature scaling in the place of the plain ones.

    Nothing is changed where the summary has none.
    """
    recipes = (summary.get("calibration") or {}).get("recipes") or {}
    lowest = 1 / max(len((summary.get("data") or {}).get("classes") or ()), 1)
    panels = []
    for k, name in enumerate(named(summary)):
        for prior in _PRIORS:
            found = (recipes.get(name) or {}).get(prior)
            if not found:
                continue
            before, after = (_bins(found[when]["reliability"]) for when in ("before", "after"))
            file = plots.reliability_plot(before, lowest, after)
            told = (
                f"Reliability of {name}, {_PRIORS[prior]}: {_told(before)}; after temperature "
                f"scaling {_told(after)}."
            )
            key = f"calibration-{prior}-{slug(k, name)}"
            note = _PRIORS[prior] if len(found) and "given" in recipes[name] else ""
            panels.append(gallery.panel(name, file, key, told, note))
    if panels:
        gallery.calibration = panels


def _bins(rows: list[list[float]]) -> plots.Bins:
    confidence, accuracy, share = (np.array(row, np.float64) for row in rows)
    return confidence, accuracy, share


def _told(bins: plots.Bins) -> str:
    confidence, accuracy, share = bins
    sure, right = percent(float(confidence @ share)), percent(float(accuracy @ share))
    return f"mean confidence {sure}, right in {right} of the answers"
