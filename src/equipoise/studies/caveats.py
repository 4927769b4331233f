"""What a reader should know beside the answer: the other recipes, doubts, and what it is about."""

from equipoise.studies.formats import (
    change,
    in_sentence,
    interval,
    is_share,
    percent,
    points,
    quantity,
    quoted,
)
from equipoise.studies.summary import Comparison, StudySummary

__all__ = ["caveats", "of_others", "what_it_is_about"]


def what_it_is_about(summary: StudySummary) -> str:
    """Return in one sentence what the intervals are about."""
    if summary.folds:
        what = "new seeds and new images cut into folds in the same way"
    elif len(summary.draws) > 1:
        what = (
            "this validation data, new seeds, new draws of the training images and new test images"
        )
    else:
        what = "this training and validation data, new seeds and new test images"
    return f"The intervals are about {what}; other data or another trainer may give another order."


def caveats(summary: StudySummary, recipe: str) -> tuple[str, ...]:
    """Return what qualifies the answer, which recommends `recipe`."""
    return (
        *_of_decision(summary),
        *_of_floors(summary, recipe),
        *_of_threshold(summary),
        *_of_oracle(summary, recipe),
        *_of_folds(summary),
        *summary.remarks,
    )


def of_others(summary: StudySummary, recipe: str) -> tuple[str, ...]:
    """Say of each recipe that is not recommended what the question says of it."""
    if summary.question is None:
        return ()
    rest = [one for one in summary.question.comparisons if one.recipe != recipe]
    reference, margin = quoted(summary.reference), points(summary.objective, summary.margin)

    def told(verdict: str) -> str:
        some = [one for one in rest if one.verdict == verdict and not one.recommended]
        return ", ".join(f"{quoted(one.recipe)} ({_size(summary, one)})" for one in some)

    sentences = {
        "better": f"Better than {reference}, but by less than {margin}",
        "worse": f"Worse than {reference}",
        "no difference that matters": f"No difference of {margin} or more to {reference}",
        "undecided": f"Undecided, with what is still possible against {reference}",
    }
    return tuple(f"{start}: {text}." for key, start in sentences.items() if (text := told(key)))


def _size(summary: StudySummary, one: Comparison) -> str:
    metric = summary.objective
    return f"{change(metric, one.mean)}, {interval(metric, one.low, one.high)}"


def _of_decision(summary: StudySummary) -> tuple[str, ...]:
    """Say what tuning would give to those who keep the plain decision, or that it cannot be."""
    if summary.decision == "tuned":
        return ()
    one = None if summary.tuning is None else summary.tuning.of(summary.reference)
    if one is None:
        return (
            "There are no validation images, so no decision was tuned: the plain decisions are "
            "compared, and a tuned one might do for nothing what a recipe does.",
        )
    return (
        f"Tuning the decision of {quoted(summary.reference)} changes "
        f"{in_sentence(summary.objective)} by {_size(summary, one)}.",
    )


def _of_floors(summary: StudySummary, recipe: str) -> tuple[str, ...]:
    """Say how the floors of the objective were kept on the test images."""
    notes = []
    for name, least in summary.tuned_for.at_least.items():
        found = summary.figure(recipe or summary.reference, summary.decision, name)
        if found is None or found.mean is None:
            continue
        kept = "kept" if found.mean >= least else "missed"
        notes.append(
            f"The floor under {in_sentence(name)}, {quantity(name, least)}, is {kept} on the test "
            f"images by {quoted(recipe or summary.reference)}: {quantity(name, found.mean)}."
        )
    return tuple(notes)


def _of_threshold(summary: StudySummary) -> tuple[str, ...]:
    doubt = summary.threshold
    if doubt is None or doubt.spread is None:
        return ()
    metric = summary.objective
    return (
        f"Decisions were tuned on {doubt.images} validation image{'s' * (doubt.images != 1)} of "
        f"the rarest class: other ones would move the difference of {quoted(doubt.recipe)} by "
        f"±{points(metric, doubt.spread)} (one standard deviation).",
    )


def _of_folds(summary: StudySummary) -> tuple[str, ...]:
    if not summary.folds:
        return ()
    return (
        f"The {summary.folds} folds are of one set and share training images; intervals and "
        "p-values are widened for it (Nadeau and Bengio, 2003).",
    )


def _of_oracle(summary: StudySummary, recipe: str) -> tuple[str, ...]:
    """Say how far what is recommended goes towards what real images would give."""
    oracle = summary.oracle
    if oracle is None or oracle.gap.mean is None:
        return ()
    size = f"{change(oracle.metric, oracle.gap.mean)}{' points' * is_share(oracle.metric)}"
    ahead = (
        f"The real images that were left out would bring {size} beyond "
        f"{quoted(summary.reference)}, both tuned"
    )
    if not oracle.opens:
        return (f"{ahead}, which is not shown to be a difference: there is no gap to close.",)
    share = oracle.closed.get(recipe, {}).get("tuned")
    if share is None or share.mean is None:
        return (f"{ahead}.",)
    ends = ""
    if share.low is not None and share.high is not None:
        ends = f" ({percent(share.low)} to {percent(share.high)})"
    return (f"{ahead}; {quoted(recipe)} closes {percent(share.mean)}{ends} of that gap.",)
