"""The answer of a study in one sentence that a manager understands.

Pure functions of `summary.json`: a comparison has a reference (its first recipe, with the plain
decision), and every other pair of a recipe and a decision is a way to act. The answer names the
best way that is *shown* to be better, and gives credit to the tuned decision where that alone
does it. Shown is what an interval without zero says and Holm's correction for the number of
recipes leaves standing; what it does not is said to be seen alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from equipoise.studies.doubts import doubt, of_folds, of_oracle, of_others
from equipoise.studies.formats import (
    LOWER_IS_BETTER,
    ORACLE,
    Estimate,
    change,
    estimate,
    is_share,
    level,
    metric_name,
    percent,
    quoted,
)
from equipoise.studies.verdicts import AGAINST_PLAIN, Differences, correction, judged

__all__ = [
    "Answer",
    "answer",
    "class_figure",
    "figure",
    "runs_in_words",
]

Kind = Literal["use", "decision alone", "tune", "nothing", "one run", "one recipe", "no run"]


@dataclass(frozen=True)
class Answer:
    """What to do, what speaks for it, and what else a reader should know.

    Attributes
    ----------
    action, evidence : str
        The two halves of the sentence.
    recipe, decision : str
        The way to act that is recommended; empty where there is none.
    notes : tuple of str
        Further sentences: what made things worse, whether the ranking itself improved.
    others : tuple of str
        Those of the notes that are on all the other recipes.
    """

    kind: Kind
    action: str
    evidence: str
    recipe: str = ""
    decision: str = ""
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Both halves as one sentence."""
        return f"{self.action}: {self.evidence}." if self.evidence else f"{self.action}."


def figure(summary: Mapping[str, Any], recipe: str, decision: str, metric: str) -> Estimate | None:
    """Return a figure of the summary's table, or None where it is not there."""
    row = _row(summary, recipe)
    return estimate((row.get(decision) or {}).get(metric))


def class_figure(
    summary: Mapping[str, Any], recipe: str, decision: str, name: str, metric: str
) -> Estimate | None:
    """Return a class's recall or precision."""
    classes = (_row(summary, recipe).get("per_class") or {}).get(decision) or {}
    return estimate((classes.get(name) or {}).get(metric))


def _row(summary: Mapping[str, Any], recipe: str) -> Mapping[str, Any]:
    rows = summary.get("table") or ()
    return next((row for row in rows if row.get("recipe") == recipe), {})


def answer(summary: Mapping[str, Any]) -> Answer:
    """Return the answer to "which measure helps on this data set?".

    Parameters
    ----------
    summary : mapping
        The content of `summary.json`; whatever is missing is taken for unfinished.
    """
    rows = [row for row in summary.get("table") or () if row.get("runs")]
    # The oracle has images that nobody else has: it is no way to act.
    names = [row["recipe"] for row in rows if row["recipe"] != ORACLE]
    reference = next(iter(summary.get("recipes") or names), "")
    if not names:
        return Answer("no run", "No run has finished yet", "make this page again later")
    if reference not in names:
        return Answer(
            "no run",
            f"{quoted(reference)} has no finished run yet",
            "there is nothing to compare to",
        )
    if len(names) == 1:
        return _alone(summary, reference)
    if max(row["runs"] for row in rows) == 1:
        return _one_run(summary, reference, names)
    differences = Differences(summary.get("differences") or ())
    found = _judge(summary, differences, reference, names)
    rest = [name for name in names if name != reference]
    others = of_others(differences, rest, _objective(summary), reference)
    oracle = of_oracle(summary, found.recipe, found.decision, reference)
    notes = (*found.notes, *others, *oracle, *of_folds(summary))
    return replace(found, notes=notes, others=others)


def _judge(
    summary: Mapping[str, Any], differences: Differences, reference: str, names: list[str]
) -> Answer:
    metric = _objective(summary)
    others = [name for name in names if name != reference]

    def best(decision: str, *against: str) -> str:
        """Of the recipes shown to be better in every comparison, the one best on average; or ''."""
        shown = [
            name
            for name in others
            if all(differences.verdict(name, one, metric) == "better" for one in against)
        ]
        return max(shown, key=lambda name: _height(summary, name, decision, metric), default="")

    alone = differences.verdict(reference, AGAINST_PLAIN, metric) == "better"
    beyond = best("tuned", "tuned", AGAINST_PLAIN)
    plain, either = best("plain", "plain"), best("tuned", AGAINST_PLAIN)
    if beyond:
        return _use(summary, differences, beyond, _decision(summary, differences, beyond, metric))
    if alone:
        return _decision_alone(summary, differences)
    if plain:
        return _use(summary, differences, plain, "plain")
    if either:
        return _tune(summary, differences, either)
    return _nothing(summary, differences, names)


def _decision(
    summary: Mapping[str, Any], differences: Differences, recipe: str, metric: str
) -> str:
    """The tuned decision, unless the plain one is shown to help and is at least as high."""
    plain, tuned = (_height(summary, recipe, d, metric) for d in ("plain", "tuned"))
    helps = differences.verdict(recipe, "plain", metric) == "better"
    return "plain" if helps and plain >= tuned else "tuned"


def _use(
    summary: Mapping[str, Any],
    differences: Differences,
    recipe: str,
    decision: str,
) -> Answer:
    against = _against(decision)
    evidence = _rise(summary, differences, recipe, decision, against)
    action = f"Use {quoted(recipe)}" + (" with the tuned decision" if decision == "tuned" else "")
    return Answer(
        "use",
        action,
        f"{evidence}, shown over {runs_in_words(summary, recipe)}",
        recipe,
        decision,
        _ranking(differences, recipe),
    )


def _tune(summary: Mapping[str, Any], differences: Differences, recipe: str) -> Answer:
    """Better than the plain reference, and not than the reference's own tuned decision."""
    found = _use(summary, differences, recipe, "tuned")
    beside = f"That {quoted(recipe)} does better than {quoted(_reference(summary))} with its own "
    return replace(
        found,
        kind="tune",
        action="Tune the decision; no recipe is shown to add to that",
        evidence=f"with {quoted(recipe)} tuned, {found.evidence}",
        notes=(f"{beside}tuned decision is not shown.", *found.notes),
    )


def _decision_alone(summary: Mapping[str, Any], differences: Differences) -> Answer:
    reference = _reference(summary)
    evidence = _rise(summary, differences, reference, "tuned", AGAINST_PLAIN)
    return Answer(
        "decision alone",
        f"The tuned decision alone does it; keep {quoted(reference)}",
        f"{evidence}, shown over {runs_in_words(summary, reference)}; "
        "no other recipe is shown to do better than that",
        reference,
        "tuned",
    )


def _nothing(summary: Mapping[str, Any], differences: Differences, names: list[str]) -> Answer:
    reference, metric = _reference(summary), _objective(summary)
    ways = [(name, decision) for name in names for decision in ("plain", "tuned")]
    alone = {
        way: entry
        for way in ways
        if (entry := differences.get(way[0], _against(way[1]), metric)) is not None
        and differences.verdict(way[0], _against(way[1]), metric) == "better alone"
    }
    if alone:
        best = max(alone, key=lambda way: _height(summary, way[0], way[1], metric))
        evidence = _ahead(summary, best, alone[best])
        return Answer("nothing", "Nothing is shown to help yet", evidence)
    return Answer(
        "nothing",
        "Nothing is shown to help",
        f"no measure is shown to raise {_lower(metric)} above the "
        f"{_level(metric, figure(summary, reference, 'plain', metric))} of {quoted(reference)}, "
        f"over {runs_in_words(summary, reference)}",
        notes=doubt(summary, metric),
    )


def _ahead(summary: Mapping[str, Any], way: tuple[str, str], entry: Mapping[str, Any]) -> str:
    """What came out ahead and is not shown, and how many runs might show it."""
    metric, reference = _objective(summary), _reference(summary)
    now = _level(metric, figure(summary, way[0], way[1], metric))
    then = _level(metric, figure(summary, reference, "plain", metric))
    name = quoted(way[0]) + (" with the tuned decision" if way[1] == "tuned" else "")
    other = "its plain one" if way[0] == reference else quoted(reference)
    words = (
        f"{name} came out ahead of {other}, {_lower(metric)} {now} against {then} over "
        f"{runs_in_words(summary, way[0])}, but that does not stand after {correction(entry)}"
    )
    needed = entry.get("runs_needed")
    if not needed or needed <= (entry.get("runs") or 0):
        return f"{words}; more seeds may show it"
    return f"{words}; about {needed:,} runs a recipe might show it"


def _against(decision: str) -> str:
    """The comparison that sets a decision against the reference's plain one."""
    return "plain" if decision == "plain" else AGAINST_PLAIN


def _one_run(summary: Mapping[str, Any], reference: str, names: list[str]) -> Answer:
    metric = _objective(summary)
    ways = [(name, decision) for name in names for decision in ("plain", "tuned")]
    recipe, decision = max(ways, key=lambda way: _height(summary, way[0], way[1], metric))
    name = quoted(recipe) + (" with the tuned decision" if decision == "tuned" else "")
    best = _level(metric, figure(summary, recipe, decision, metric))
    base = _level(metric, figure(summary, reference, "plain", metric))
    top = f"{name} came out best, {_lower(metric)} {best}"
    return Answer(
        "one run",
        "One run a recipe: no verdict",
        (
            top
            if (recipe, decision) == (reference, "plain")
            else f"{top} against {base} of {quoted(reference)}"
        )
        + "; only more seeds can tell this from luck",
    )


def _alone(summary: Mapping[str, Any], reference: str) -> Answer:
    metric = _objective(summary)
    value = _level(metric, figure(summary, reference, "plain", metric))
    return Answer(
        "one recipe",
        f"Only {quoted(reference)} has been run",
        f"{_lower(metric)} is {value}, and there is nothing to compare it to yet",
    )


def _rise(
    summary: Mapping[str, Any],
    differences: Differences,
    recipe: str,
    decision: str,
    against: str,
) -> str:
    """What changes from the plain reference, in words about images."""
    metric, reference = _objective(summary), _reference(summary)
    now = figure(summary, recipe, decision, metric)
    then = figure(summary, reference, "plain", metric)
    parts = []
    rare = _positive(summary) or _rarest(summary)
    if rare is not None:
        parts = _found(summary, differences, rare, recipe, decision, against)
    if metric not in ("recall", "precision") or not parts:
        parts.append(f"{_lower(metric)} goes from {_level(metric, then)} to {_level(metric, now)}")
    return "; ".join(parts)


def _found(
    summary: Mapping[str, Any],
    differences: Differences,
    rare: str,
    recipe: str,
    decision: str,
    against: str,
) -> list[str]:
    reference = _reference(summary)
    recall = class_figure(summary, recipe, decision, rare, "recall")
    before = class_figure(summary, reference, "plain", rare, "recall")
    if recall is None or before is None:
        return []
    found = (
        f"it finds {percent(recall.mean)} of the {rare} images instead of {percent(before.mean)}"
    )
    precision = class_figure(summary, recipe, decision, rare, "precision")
    former = class_figure(summary, reference, "plain", rare, "precision")
    if precision is None or former is None:
        return [found]
    right = f"{percent(precision.mean)} of its {rare} answers are right"
    # The summary has differences of a class's precision for the positive class of two alone, and
    # they are outside Holm's correction: no more is said than that there may be none.
    entry = differences.get(recipe, against, "precision") if _positive(summary) else None
    even = judged("precision", str((entry or {}).get("verdict", ""))) == "even"
    before_it = f"before {percent(former.mean)}" + (", no difference shown" if even else "")
    return [f"{found}, and {right} ({before_it})"]


def _ranking(differences: Differences, recipe: str) -> tuple[str, ...]:
    """Whether the net tells the classes apart better, or only draws the line elsewhere."""
    entry = differences.get(recipe, "plain", "roc_auc")
    if entry is None:
        return ()
    value = estimate(entry)
    gain = change("roc_auc", value.mean if value else None)
    verdict = differences.verdict(recipe, "plain", "roc_auc")
    if verdict == "better":
        return (f"Its net also tells the classes apart better: ROC-AUC {gain}.",)
    if verdict == "worse":
        return (f"Its net tells the classes apart less well: ROC-AUC {gain}.",)
    if verdict.endswith("alone"):
        return (
            f"Its net tells the classes apart {verdict.removesuffix(' alone')} when looked at "
            f"alone, not after {correction(entry)}: ROC-AUC {gain}.",
        )
    return (
        "Its net is not shown to tell the classes apart better (ROC-AUC "
        f"{gain}, no difference shown): the gain is in where the line between them is drawn.",
    )


def runs_in_words(summary: Mapping[str, Any], recipe: str) -> str:
    """Return "5 seeds × 3 draws", or "4 runs" where some of them are missing."""
    runs = int(_row(summary, recipe).get("runs") or 0)
    seeds, draws = len(summary.get("seeds") or ()), len(summary.get("draws") or ())
    folds = summary.get("folds")
    if runs != seeds * max(draws, 1):
        return f"{runs} run{'s' * (runs != 1)}"
    words = f"{seeds} seed{'s' * (seeds != 1)}"
    return words if draws <= 1 else f"{words} × {draws} {'folds' if folds else 'draws'}"


def _rarest(summary: Mapping[str, Any]) -> str | None:
    """The class with the fewest training images."""
    classes = ((summary.get("data") or {}).get("audit") or {}).get("classes") or ()
    counted = [c for c in classes if isinstance(c.get("training"), int) and c.get("name")]
    return min(counted, key=lambda c: c["training"])["name"] if counted else None


def _positive(summary: Mapping[str, Any]) -> str | None:
    positive = summary.get("positive_class")
    return None if positive is None else str(positive)


def _reference(summary: Mapping[str, Any]) -> str:
    rows = [row["recipe"] for row in summary.get("table") or ()]
    return str(next(iter(summary.get("recipes") or rows), ""))


def _objective(summary: Mapping[str, Any]) -> str:
    return str(summary.get("objective") or "balanced_accuracy")


def _height(summary: Mapping[str, Any], recipe: str, decision: str, metric: str) -> float:
    value = figure(summary, recipe, decision, metric)
    if value is None:
        return float("-inf")
    return -value.mean if metric in LOWER_IS_BETTER else value.mean


def _level(metric: str, value: Estimate | None) -> str:
    if value is None or not is_share(metric):
        return level(metric, value.mean if value else None)
    return percent(value.mean)


def _lower(metric: str) -> str:
    name = metric_name(metric)
    return name if name[:2].isupper() else name[0].lower() + name[1:]
