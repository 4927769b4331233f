"""The shortcut probe as tables: does a technique itself push a net towards a class?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.reports.folder import named
from equipoise.studies.formats import change, number, percent

__all__ = ["ProbeCell", "overview", "technique_table", "techniques_probed", "telling_classes"]


@dataclass(frozen=True)
class ProbeCell:
    """One cell: its text, the small print under it, its value and how strong its tint is."""

    text: str
    small: str = ""
    value: float | None = None
    tint: float = 0.0


def techniques_probed(summary: Mapping[str, Any]) -> list[str]:
    """Return the techniques that any recipe was probed with, in the order they were."""
    probe = summary.get("shortcut") or {}
    return list(dict.fromkeys(t for recipe in probe.values() for t in recipe or ()))


def overview(summary: Mapping[str, Any]) -> list[tuple[str, list[ProbeCell]]]:
    """Return, for each recipe and technique, the class that it harms most beyond the control.

    The control is the reference, whose net never saw a technique: its row shows the bare rise.
    """
    probe, names = summary.get("shortcut") or {}, named(summary)
    rows = []
    for name in [n for n in names if n in probe]:
        cells = []
        for technique in techniques_probed(summary):
            classes = (probe[name] or {}).get(technique) or {}
            cells.append(_worst(classes, control=name == names[0]))
        rows.append((name, cells))
    return rows


def _worst(classes: Mapping[str, Any], *, control: bool) -> ProbeCell:
    risen = {name: _rise(c) if control else number(c.get("excess")) for name, c in classes.items()}
    known = {name: value for name, value in risen.items() if value is not None}
    if not known:
        return ProbeCell("–")
    worst = max(known, key=lambda name: known[name])
    toward = classes[worst].get("toward")
    small = f"{worst} → {toward}" if toward else worst
    return ProbeCell(change("recall", known[worst]), small, known[worst], _tint(known[worst]))


def _rise(cell: Mapping[str, Any]) -> float | None:
    clean, augmented = number(cell.get("clean")), number(cell.get("augmented"))
    return None if clean is None or augmented is None else augmented - clean


def _tint(excess: float) -> float:
    """How strongly an excess is coloured: not at all up to 2 points, fully from 30."""
    return round(min(max((excess - 0.02) / 0.28, 0.0), 1.0), 3)


def telling_classes(summary: Mapping[str, Any], classes: list[str], most: int = 12) -> list[str]:
    """Return the classes that the techniques' tables show: of many, those harmed most."""
    if len(classes) <= most:
        return classes
    probe, worst = summary.get("shortcut") or {}, dict.fromkeys(classes, -1.0)
    cells = [cell for recipe in probe.values() for cell in (recipe or {}).values()]
    for cell in cells:
        for name in classes:
            excess = number((cell.get(name) or {}).get("excess"))
            worst[name] = max(worst[name], -1.0 if excess is None else excess)
    kept = sorted(classes, key=lambda name: -worst[name])[:most]
    return [name for name in classes if name in kept]


def technique_table(
    summary: Mapping[str, Any], technique: str, classes: list[str]
) -> list[tuple[str, list[ProbeCell]]]:
    """Return a technique's rows: for each recipe and class, mistaken when clean → augmented."""
    probe, names = summary.get("shortcut") or {}, named(summary)
    rows = []
    for name in [n for n in names if n in probe]:
        found = (probe[name] or {}).get(technique) or {}
        rows.append((name, [_cell(found.get(c) or {}, control=name == names[0]) for c in classes]))
    return rows


def _cell(cell: Mapping[str, Any], *, control: bool) -> ProbeCell:
    clean, augmented = number(cell.get("clean")), number(cell.get("augmented"))
    if clean is None or augmented is None:
        return ProbeCell("–")
    excess = number(cell.get("excess"))
    text = f"{percent(clean)} → {percent(augmented)}"
    if control or excess is None:
        return ProbeCell(text, "control" if control else "", augmented - clean)
    return ProbeCell(text, f"{change('recall', excess)} beyond control", excess, _tint(excess))
