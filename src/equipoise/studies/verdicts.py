"""What a paired difference of the summary says: better, worse, or nothing that is shown."""

from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.studies.formats import LOWER_IS_BETTER

__all__ = [
    "AGAINST_PLAIN",
    "Differences",
    "correction",
    "is_shown",
    "judged",
    "questions",
    "told",
]

# A tuned decision, the reference's own too, against the plain one of the reference.
AGAINST_PLAIN = "tuned vs plain baseline"


class Differences:
    """The summary's paired differences, found by recipe, decision and metric."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._entries = {(e.get("recipe"), e.get("decision"), e.get("metric")): e for e in entries}

    def get(self, recipe: str, decision: str, metric: str) -> Mapping[str, Any] | None:
        """Return an entry as the summary has it, or None."""
        return self._entries.get((recipe, decision, metric))

    def verdict(self, recipe: str, decision: str, metric: str) -> str:
        """Return what an entry shows, or '' where nothing is said.

        'better' and 'worse' stand after Holm's correction; 'better alone' and 'worse alone' are
        what the interval says where the correction takes it back; else 'even'.
        """
        entry = self.get(recipe, decision, metric) or {}
        found = judged(metric, str(entry.get("verdict", "")))
        return found if found in ("", "even") or is_shown(entry) else f"{found} alone"


def questions(objective: str) -> tuple[tuple[str, str], ...]:
    """Return what pages and answers put in words: decision and metric, the first question first.

    Does acting so help at all, the tuned decision of the reference included? Does a recipe add to
    what the tuned decision does? Does it help where the decision stays plain? Does it rank better?
    All other figures are given without a verdict.
    """
    return (
        (AGAINST_PLAIN, objective),
        ("tuned", objective),
        ("plain", objective),
        ("plain", "roc_auc"),
    )


def is_shown(entry: Mapping[str, Any]) -> bool:
    """Whether what an interval says stands after Holm's correction, or there is none."""
    return entry.get("shown") is not False


def told(entry: Mapping[str, Any]) -> str:
    """Return an entry's verdict, with 'alone' where Holm's correction takes it back."""
    verdict = str(entry.get("verdict", ""))
    return verdict if verdict not in ("higher", "lower") or is_shown(entry) else f"{verdict} alone"


def correction(entry: Mapping[str, Any]) -> str:
    """Return what took a verdict back, in words."""
    number = entry.get("comparisons")
    return "Holm's correction" + (f" for {number} comparisons" if number else "")


def judged(metric: str, verdict: str) -> str:
    """Return what 'higher' or 'lower' means for a metric: 'better' or 'worse'."""
    if verdict == "no difference shown":
        return "even"
    if verdict not in ("higher", "lower"):
        return ""
    return "better" if (verdict == "higher") != (metric in LOWER_IS_BETTER) else "worse"
