"""What a study does not show, in sentences: what could have been missed, and how it could be told.

Pure functions of `summary.json`, like the answer that they stand under.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.studies.formats import change, estimate, is_share, listed, percent, quoted
from equipoise.studies.verdicts import Differences, correction

__all__ = ["doubt", "of_folds", "of_oracle", "of_others"]

Summary = Mapping[str, Any]


def doubt(summary: Summary, metric: str) -> tuple[str, ...]:
    """Say how large a difference the runs could have missed, where that is worth saying."""
    found = [e for e in summary.get("differences") or () if e.get("metric") == metric]
    values = [value for value in map(estimate, found) if value is not None]
    halves = [(v.high - v.low) / 2 for v in values if v.low is not None and v.high is not None]
    if not halves or max(halves) < 0.02:
        return ()
    width = change(metric, max(halves)).lstrip("+")
    unit = " points" if is_share(metric) else ""
    return (f"The intervals reach up to ±{width}{unit}: more seeds might show a difference.",)


def of_others(
    differences: Differences, others: Sequence[str], metric: str, reference: str
) -> tuple[str, ...]:
    """Say which recipes are worse, and of which nothing is shown, under either decision."""
    notes = []
    for decision in ("plain", "tuned"):
        verdicts = {recipe: differences.verdict(recipe, decision, metric) for recipe in others}
        entries = {recipe: differences.get(recipe, decision, metric) or {} for recipe in others}
        start = f"With the {decision} decision,"

        def having(verdict: str, verdicts: Mapping[str, str] = verdicts) -> list[str]:
            return [recipe for recipe, found in verdicts.items() if found == verdict]

        if found := having("worse"):
            notes.append(f"{start} worse than {quoted(reference)}: {listed(found)}.")
        for word in ("better", "worse"):
            if found := having(f"{word} alone"):
                names = _with_needs({recipe: entries[recipe] for recipe in found})
                notes.append(
                    f"{start} {word} than {quoted(reference)} when each is looked at alone, not "
                    f"after {correction(entries[found[0]])}: {names}."
                )
        if found := having("even"):
            names = _with_needs({recipe: entries[recipe] for recipe in found})
            notes.append(f"{start} no difference to {quoted(reference)} is shown for {names}.")
    return tuple(notes)


def _with_needs(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Return recipes, each with how many runs would show a difference such as it has."""
    parts, said = [], False
    for recipe, entry in entries.items():
        needed = entry.get("runs_needed")
        if not needed or needed <= (entry.get("runs") or 0):
            parts.append(quoted(recipe))
            continue
        more = "" if said else " runs would be needed to show a difference of this size"
        parts.append(f"{quoted(recipe)} (about {needed:,}{more})")
        said = True
    return ", ".join(parts)


def of_folds(summary: Summary) -> tuple[str, ...]:
    """Say what folds have in common, where there are any."""
    folds = summary.get("folds")
    if not folds:
        return ()
    return (
        f"The {folds} folds are of one set and share training images; intervals and p-values are "
        "widened for it (Nadeau and Bengio, 2003).",
    )


def of_oracle(summary: Summary, recipe: str, decision: str, reference: str) -> tuple[str, ...]:
    """Say how far what is recommended goes towards what real images would give."""
    oracle = summary.get("oracle") or {}
    gap = estimate(oracle.get("gap"))
    if gap is None:
        return ()
    metric = str(oracle["metric"])
    size = f"{change(metric, gap.mean)}{' points' if is_share(metric) else ''}"
    ahead = f"The real images that were left out would bring {size} beyond the tuned decision"
    if not oracle.get("opens"):
        return (f"{ahead}, which is not shown to be a difference: there is no gap to close.",)
    share = estimate((oracle["closed"].get(recipe) or {}).get(decision))
    if share is None:
        return (f"{ahead} of {quoted(reference)}.",)
    ends = ""
    if share.low is not None and share.high is not None:
        ends = f" ({percent(share.low)} to {percent(share.high)})"
    return (
        f"{ahead} of {quoted(reference)}; {quoted(recipe)} closes {percent(share.mean)}{ends} of "
        "that gap.",
    )
