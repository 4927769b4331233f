"""The shortcut probe as tables: does a technique itself push a net towards a class?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.studies.formats import change, percent
from equipoise.studies.shortcut import Rise
from equipoise.studies.summary import StudySummary

__all__ = ["ProbeCell", "overview", "technique_table", "techniques_probed", "telling_classes"]


@dataclass(frozen=True)
class ProbeCell:
    """One cell: its text, the small print under it, its value and how strong its tint is."""

    text: str
    small: str = ""
    value: float | None = None
    tint: float = 0.0


def techniques_probed(summary: StudySummary) -> list[str]:
    """Return the techniques that any recipe was probed with, in the order they were."""
    return list(dict.fromkeys(t for recipe in summary.shortcut.values() for t in recipe))


def overview(summary: StudySummary) -> list[tuple[str, list[ProbeCell]]]:
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


def _worst(classes: Mapping[str, Rise], *, control: bool) -> ProbeCell:
    risen = {n: r.augmented - r.clean if control else r.excess for n, r in classes.items()}
    known = {name: value for name, value in risen.items() if value is not None}
    if not known:
        return ProbeCell("–")
    worst = max(known, key=lambda name: known[name])
    small = f"{worst} → {classes[worst].toward}"
    return ProbeCell(change("recall", known[worst]), small, known[worst], _tint(known[worst]))


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
) -> list[tuple[str, list[ProbeCell]]]:
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


def _cell(rise: Rise | None, *, control: bool) -> ProbeCell:
    if rise is None:
        return ProbeCell("–")
    text = f"{percent(rise.clean)} → {percent(rise.augmented)}"
    if control or rise.excess is None:
        return ProbeCell(text, "control" if control else "", rise.augmented - rise.clean)
    small = f"{change('recall', rise.excess)} beyond control"
    return ProbeCell(text, small, rise.excess, _tint(rise.excess))
