"""From a summary to its answer, in sentences that say no more than the questions do."""

from collections.abc import Sequence

from equipoise.errors import plural
from equipoise.studies.formats import (
    ORACLE,
    change,
    higher_is_better,
    in_sentence,
    interval,
    is_share,
    listed,
    percent,
    points,
    quantity,
    quoted,
)
from equipoise.studies.inference import FEWEST
from equipoise.studies.summary import Answer, Comparison, Kind, Question, StudySummary

__all__ = ["caveats", "of_others", "recommend", "runs_in_words", "what_it_is_about"]


def recommend(summary: StudySummary) -> Answer:
    """Return the answer to "which measure helps on this data set?"."""
    names = [row.recipe for row in summary.table if row.recipe != ORACLE]
    found = _too_little(summary, names) or _judged(summary)
    told = found.kind != "no verdict"
    return found.model_copy(
        update={
            "notes": (*found.notes, *caveats(summary, found.recipe)),
            "others": of_others(summary, found.recipe),
            "about": what_it_is_about(summary) if told else "",
        }
    )


def _answer(
    kind: Kind, action: str, evidence: str, *notes: str, recipe: str = "", decision: str = ""
) -> Answer:
    return Answer(
        kind=kind,
        action=action,
        evidence=evidence,
        notes=notes,
        recipe=recipe,
        decision=decision,
        sentence=f"{action}: {evidence}.",
    )


def _too_little(summary: StudySummary, names: list[str]) -> Answer | None:
    """Return the answer where there is too little for a verdict, else None."""
    if not names:
        return _answer("no verdict", "No run has finished yet", "make this page again later")
    reference = summary.reference
    if reference not in names:
        evidence = "there is nothing to compare to"
        return _answer("no verdict", f"{quoted(reference)} has no finished run yet", evidence)
    metric = summary.objective
    if len(summary.recipes) - (ORACLE in summary.recipes) == 1:
        now = summary.figure(reference, summary.decision, metric)
        evidence = (
            f"{in_sentence(metric)} is {quantity(metric, now.mean if now else None)} with the "
            f"{summary.decision} decision, and there is nothing to compare it to yet"
        )
        return _answer("no verdict", f"Only {quoted(reference)} has been run", evidence)
    compared = () if summary.question is None else summary.question.comparisons
    if any(one.verdict != "no verdict" for one in compared):
        return None
    return _without_verdict(summary, names, compared)


def _without_verdict(
    summary: StudySummary, names: list[str], compared: Sequence[Comparison]
) -> Answer:
    """Say why there is no verdict, and what came out best all the same."""
    if not summary.finished:
        done = sum(row.runs for row in summary.table)
        finished = plural(done, "run is finished", "runs are finished")
        evidence = f"{finished} and {len(summary.missing)} missing"
        return _answer("no verdict", "The study is still running, so no verdict yet", evidence)
    if not compared:
        evidence = f"no recipe has a run with a seed of {quoted(summary.reference)}"
        return _answer("no verdict", "There is nothing to compare", evidence)
    leading = _leading(summary, names)
    if all(max(one.seeds, one.draws) >= FEWEST for one in compared):
        evidence = f"{leading}; neither runs nor test images vary, so luck cannot be told"
        return _answer("no verdict", "No verdict can be given", evidence)
    evidence = f"{leading}; at least {FEWEST} seeds are needed to tell a difference from luck"
    return _answer("no verdict", "Too few runs for a verdict", evidence)


def _leading(summary: StudySummary, names: list[str]) -> str:
    """What came out best, which says little by itself."""
    metric, reference = summary.objective, summary.reference
    levels = {name: summary.figure(name, summary.decision, metric) for name in names}
    known = {n: e.mean for n, e in levels.items() if e is not None and e.mean is not None}
    if not known:
        return f"{in_sentence(metric)} has no meaning here"
    sign = 1 if higher_is_better(metric) else -1
    best = max(known, key=lambda name: sign * known[name])
    top = (
        f"over {runs_in_words(summary, best)} {quoted(best)} came out best, {in_sentence(metric)} "
        f"{quantity(metric, known[best])}"
    )
    if best != reference:
        top += f" against {quantity(metric, known.get(reference))} of {quoted(reference)}"
    return f"{top} ({_both(summary)})"


def _both(summary: StudySummary) -> str:
    return f"{summary.decision} decisions"


def _judged(summary: StudySummary) -> Answer:
    question, tuning = summary.question, summary.tuning
    assert question is not None
    sign = 1 if higher_is_better(question.metric) else -1
    good = sorted(
        (one for one in question.comparisons if one.recommended),
        key=lambda one: -sign * (one.mean or 0.0),
    )
    if good:
        return _use(summary, good[0], good[1:])
    helps = None if tuning is None or summary.decision == "plain" else tuning.of(summary.reference)
    if helps is not None and helps.recommended:
        return _tune(summary, question, helps)
    asked = question.comparisons if helps is None else (*question.comparisons, helps)
    if all(_settled(one, summary.margin, sign) for one in asked):
        return _keep(summary, question, helps)
    return _undecided(summary, question, helps, sign)


def _settled(one: Comparison, margin: float, sign: int) -> bool:
    """Whether no gain that matters is left to be found, or it is found and too small."""
    if one.verdict in ("better", "worse", "no difference that matters"):
        return True
    most = one.high if sign > 0 else one.low
    return one.verdict == "undecided" and most is not None and sign * most < margin


def _use(summary: StudySummary, best: Comparison, more: Sequence[Comparison]) -> Answer:
    decision = summary.decision
    notes = [*_of_rarest(summary, best.recipe), *_of_ranking(summary, best.recipe)]
    if more:
        told = ", ".join(f"{quoted(one.recipe)} ({_gain(summary, one)})" for one in more)
        notes.append(f"Better than {quoted(summary.reference)}, too: {told}.")
    return _answer(
        "use",
        f"Use {quoted(best.recipe)} with the {decision} decision",
        _rise(summary, best, f"with {quoted(summary.reference)}, both {decision}"),
        *notes,
        recipe=best.recipe,
        decision=decision,
    )


def _tune(summary: StudySummary, question: Question, helps: Comparison) -> Answer:
    reference = summary.reference
    waiting = question.having("undecided", "no verdict")
    names = [one.recipe for one in waiting]
    rest = (
        f"whether {listed(names)} would add to that is undecided"
        if waiting
        else f"no recipe adds {points(summary.objective, summary.margin)} or more to that"
    )
    return _answer(
        "tune",
        f"Keep {quoted(reference)} and tune its decision",
        f"{_rise(summary, helps, 'with the plain decision')}; {rest}",
        *_what_helps(waiting),
        recipe=reference,
        decision="tuned",
    )


def _keep(summary: StudySummary, question: Question, helps: Comparison | None) -> Answer:
    metric, reference = summary.objective, quoted(summary.reference)
    least = points(metric, summary.margin)
    tuned = "" if helps is None else ", nor does tuning its decision"
    return _answer(
        "keep",
        f"Keep {reference}",
        f"no recipe gains {least} or more in {in_sentence(metric)} over "
        f"{runs_in_words(summary, summary.reference)}{tuned}",
        *(
            f"{quoted(one.recipe)} is better than {reference}, but by less than {least}: "
            f"{_gain(summary, one)}."
            for one in question.having("better")
        ),
        recipe=summary.reference,
        decision="plain",
    )


def _undecided(
    summary: StudySummary, question: Question, helps: Comparison | None, sign: int
) -> Answer:
    metric, reference = summary.objective, summary.reference
    waiting = question.having("undecided", "no verdict")
    parts = []
    if waiting:
        first = max(waiting, key=lambda one: sign * (one.mean or 0.0))
        runs = runs_in_words(summary, first.recipe)
        parts.append(
            f"{quoted(first.recipe)} {_possible(metric, first, sign)} in {in_sentence(metric)} "
            f"against {quoted(reference)} ({_both(summary)}, over {runs})"
        )
    elif helps is not None:
        parts.append(
            f"tuning the decision of {quoted(reference)} {_possible(metric, helps, sign)} in "
            f"{in_sentence(metric)}"
        )
    evidence = "; ".join(parts)
    return _answer("undecided", "It cannot be decided yet", evidence, *_what_helps(waiting))


def _possible(metric: str, one: Comparison, sign: int) -> str:
    """What is still possible, in the words of gains and losses."""
    if one.low is None or one.high is None:
        return "has no interval yet"
    gain, loss = (one.high, one.low) if sign > 0 else (-one.low, -one.high)
    return f"may still gain up to {points(metric, gain)} or lose up to {points(metric, loss)}"


def _what_helps(waiting: Sequence[Comparison]) -> list[str]:
    """Whether more seeds or more test images would decide it."""
    images = [one.recipe for one in waiting if one.stopped == "more test images"]
    more = ("last look", "more seeds than planned")
    seeds = [one.recipe for one in waiting if one.stopped in more]
    notes = []
    if images:
        notes.append(f"More seeds cannot decide {listed(images)}: more test images could.")
    if seeds:
        notes.append(
            f"More seeds may decide {listed(seeds)}; the chance of a false claim over all looks "
            "stays 5\u202f%."
        )
    return notes


def _rise(summary: StudySummary, one: Comparison, than: str) -> str:
    """By how much the objective is better, with interval, levels and runs."""
    metric = summary.objective
    way = "higher" if (one.mean or 0.0) > 0 else "lower"
    now = summary.figure(one.recipe, summary.decision, metric)
    was_tuned = one.recipe == summary.reference
    then = summary.figure(summary.reference, "plain" if was_tuned else summary.decision, metric)
    levels = (
        f"{quantity(metric, now.mean if now else None)} against "
        f"{quantity(metric, then.mean if then else None)}"
    )
    return (
        f"{in_sentence(metric)} is {points(metric, one.mean)} {way} than {than} "
        f"({_ends(metric, one)}; {levels}, over {runs_in_words(summary, one.recipe)})"
    )


def _ends(metric: str, one: Comparison) -> str:
    return f"95\u202f% interval {interval(metric, one.low, one.high)}"


def _gain(summary: StudySummary, one: Comparison) -> str:
    metric = summary.objective
    return f"{change(metric, one.mean)}, {interval(metric, one.low, one.high)}"


def _of_rarest(summary: StudySummary, recipe: str) -> list[str]:
    """What the recipe finds of the class that matters, beside the baseline decided alike."""
    label, decision = summary.positive_class or _rarest(summary), summary.decision
    if label is None:
        return []
    found = [
        [summary.class_figure(name, decision, label, what) for name in (recipe, summary.reference)]
        for what in ("recall", "precision")
    ]
    (now, then), (right, before) = [[e.mean if e else None for e in pair] for pair in found]
    if None in (now, then, right, before):
        return []
    return [
        f"It finds {percent(now)} of class {label} where {quoted(summary.reference)} finds "
        f"{percent(then)}, and {percent(right)} of its answers for it are right where "
        f"{percent(before)} are ({_both(summary)})."
    ]


def _rarest(summary: StudySummary) -> str | None:
    """The class with the fewest training images."""
    classes = () if summary.data.audit is None else summary.data.audit.classes
    return min(classes, key=lambda c: c.training).name if classes else None


def _of_ranking(summary: StudySummary, recipe: str) -> list[str]:
    """Whether the net ranks the images better, which no decision changes."""
    one = None if summary.ranking is None else summary.ranking.of(recipe)
    if one is None:
        return []
    size = f"ROC-AUC {change('roc_auc', one.mean)}, {interval('roc_auc', one.low, one.high)}"
    told = {
        "better": "Its net also ranks the images better",
        "worse": "Its net ranks the images less well",
        "no difference that matters": "Its net ranks the images as well, to within the margin",
        "undecided": "Whether its net ranks the images better is undecided",
    }
    return [f"{told[one.verdict]}: {size}."] if one.verdict in told else []


def runs_in_words(summary: StudySummary, recipe: str) -> str:
    """Return "5 seeds", "5 seeds × 3 draws", or "4 runs" where some of them are missing."""
    row = summary.row(recipe)
    runs = 0 if row is None else row.runs
    draws = max(len(summary.draws), 1)
    question = summary.question
    one = question.of(recipe) if question is not None else None
    seeds = one.seeds if one is not None else runs // draws
    if runs != seeds * draws:
        return plural(runs, "run")
    words = plural(seeds, "seed")
    return words if draws <= 1 else f"{words} × {draws} {'folds' if summary.folds else 'draws'}"


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
        return ", ".join(f"{quoted(one.recipe)} ({_gain(summary, one)})" for one in some)

    sentences = {
        "better": f"Better than {reference}, but by less than {margin}",
        "worse": f"Worse than {reference}",
        "no difference that matters": f"No difference of {margin} or more to {reference}",
        "undecided": f"Undecided, with what is still possible against {reference}",
    }
    return tuple(f"{start}: {text}." for key, start in sentences.items() if (text := told(key)))


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
        f"{in_sentence(summary.objective)} by {_gain(summary, one)}.",
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
        f"Decisions were tuned on {plural(doubt.images, 'validation image')} of "
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
