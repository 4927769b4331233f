"""What a gain is made of: a threshold that moved, or a net that tells the classes apart better.

A recipe that makes a net say the rare class more often raises balanced accuracy, and so does moving
the threshold of the baseline's net, which costs nothing. What a threshold can give is what the
baseline gains by tuning its own. What it cannot give shows in two places: with both decisions
tuned, and in ROC-AUC, which no threshold changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.studies.formats import change, estimate, is_share, metric_name
from equipoise.studies.verdicts import AGAINST_PLAIN, Differences

__all__ = ["gains"]

# From whether the gain beyond the threshold and that in ranking are better, worse or even.
_ENDINGS = {
    "ranking": "its net tells the classes apart better, which no threshold can do",
    "threshold": (
        "a threshold that moved, and not a better net: the tuned decision of {reference} does the "
        "same for nothing"
    ),
    "both": (
        "better than a threshold alone, though ROC-AUC is not shown to rise: the better ranking, "
        "if it is one, lies where the decision is taken"
    ),
    "ranking alone": (
        "its net tells the classes apart better, but no better decision has come of it"
    ),
    "alone": "more than a threshold when looked at alone, not after Holm's correction",
    "none": "no gain is shown that could be made of anything",
    "worse": "with both decisions tuned it is worse than {reference}",
    "one run": "one run a recipe: no verdict",
}


def gains(
    differences: Sequence[Mapping[str, Any]], recipes: Sequence[str], objective: str
) -> dict[str, Any]:
    """Return `summary["gain"]`: for each recipe but the first, what its gain is made of.

    Each entry has the paired differences to the first recipe, with their intervals: ``plain``, both
    with the plain decision; ``threshold``, what the first recipe gains by its own tuned decision;
    ``beyond``, both with the tuned decision; ``roc_auc``. `kind` is the verdict, `words` says it.
    """
    found = Differences(differences)
    reference, *others = recipes
    result = {}
    for recipe in others:
        parts = {
            "plain": found.get(recipe, "plain", objective),
            "threshold": found.get(reference, AGAINST_PLAIN, objective),
            "beyond": found.get(recipe, "tuned", objective),
            "roc_auc": found.get(recipe, "plain", "roc_auc"),
        }
        if any(part is None for part in parts.values()):
            continue
        kind = _kind(found, recipe, objective)
        result[recipe] = {
            **{name: _interval(part) for name, part in parts.items() if part is not None},
            "kind": kind,
            "words": _words(recipe, reference, objective, parts, kind),
        }
    return result


def _interval(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry.get(key) for key in ("mean", "low", "high", "verdict")}


def _kind(found: Differences, recipe: str, objective: str) -> str:
    verdicts = {
        "plain": found.verdict(recipe, "plain", objective),
        "beyond": found.verdict(recipe, "tuned", objective),
        "ranking": found.verdict(recipe, "plain", "roc_auc"),
    }
    if not verdicts["beyond"]:
        return "one run"
    if verdicts["beyond"] == "worse":
        return "worse"
    if verdicts["ranking"] == "better":
        return "ranking" if "better" in (verdicts["plain"], verdicts["beyond"]) else "ranking alone"
    if verdicts["beyond"] == "better":
        return "both"
    if "better alone" in (verdicts["beyond"], verdicts["ranking"]):
        return "alone"
    return "threshold" if verdicts["plain"] == "better" else "none"


def _words(
    recipe: str,
    reference: str,
    objective: str,
    parts: Mapping[str, Mapping[str, Any] | None],
    kind: str,
) -> str:
    name = metric_name(objective)
    told = {key: _told("roc_auc" if key == "roc_auc" else objective, parts[key]) for key in parts}
    # Quotation marks keep a recipe's name apart from the sentence.
    ending = _ENDINGS[kind].format(reference=f"'{reference}'")
    return (
        f"'{recipe}': {name[0].lower() + name[1:]} {told['plain']} with the plain decision; the "
        f"tuned threshold of '{reference}' alone gives {told['threshold']}; with both tuned "
        f"{told['beyond']} is left; ROC-AUC {told['roc_auc']}: {ending}."
    )


def _told(metric: str, entry: Mapping[str, Any] | None) -> str:
    value = estimate(entry)
    if value is None:
        return "–"
    unit = " points" if is_share(metric) else ""
    text = f"{change(metric, value.mean)}{unit}"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({change(metric, value.low)} to {change(metric, value.high)})"
