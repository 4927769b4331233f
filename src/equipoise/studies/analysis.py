"""From runs to a summary: the same for runs that were made here and for those made elsewhere."""

from collections.abc import Collection, Sequence
from typing import Any

from equipoise.studies.calibration import calibrate_study
from equipoise.studies.formats import ORACLE, in_sentence, listed
from equipoise.studies.oracle import gap_closed
from equipoise.studies.questions import deciding, ranking, tuning
from equipoise.studies.recommendation import recommend
from equipoise.studies.scoring import Runs, Scored, Setting
from equipoise.studies.summary import Answer, Question, StudySummary
from equipoise.studies.tables import difference_rows, recipe_rows
from equipoise.studies.thresholds import doubt_of

__all__ = ["PENDING", "analysed"]

# Stands in a summary until its parts are there that an answer is made of.
PENDING = Answer(kind="no verdict", action="No run has finished yet")


def analysed(
    summary: StudySummary,
    runs: Runs,
    scored: Scored | None,
    setting: Setting,
    waiting: Collection[str] = (),
) -> StudySummary:
    """Return a summary with the figures of its runs, what they say, and the answer.

    Parameters
    ----------
    summary : StudySummary
        With all that does not follow from the runs.
    runs : mapping of recipe to its runs
        In the order of the recipes; those without a run are left out.
    scored : Scored, optional
        Their figures; None without a run.
    setting : Setting
    waiting : collection of str
        Recipes with runs that are still to be made.
    """
    parts: dict[str, Any] = {}
    if scored is not None:
        rows = recipe_rows(runs, scored, summary.data.classes, setting.objective.name)
        parts = {"table": rows}
        if summary.reference in runs:
            parts |= _compared(summary, runs, scored, setting, frozenset(waiting))
    whole = summary.model_copy(update={**parts, "remarks": _remarks(runs, summary.data.classes)})
    return whole.model_copy(update={"answer": recommend(whole)})


def _remarks(runs: Runs, classes: Sequence[str]) -> tuple[str, ...]:
    """Say what one should know about images and decisions, once for all runs."""
    tuned = [(run.recipe, run.tuned) for of in runs.values() for run in of if run.tuned is not None]
    few = [decision.remarks[0] for _, decision in tuned if decision.few]
    unmet: dict[str, dict[str, None]] = {}
    for recipe, decision in tuned:
        for name in decision.unmet:
            unmet.setdefault(name, {})[recipe] = None
    tested = {int(label) for of in runs.values() for run in of for label in set(run.test.labels)}
    absent = [name for label, name in enumerate(classes) if runs and label not in tested]
    untested = f"No test image is of {', '.join(absent)}: all figures are of the other classes."
    return (
        *([untested] if absent else []),
        *dict.fromkeys(remark for of in runs.values() for run in of for remark in run.remarks),
        *dict.fromkeys(few),
        *(
            f"The floor under {in_sentence(name)} cannot be met on the validation images by runs "
            f"of {listed(recipes)}; their decisions come as near as they can."
            for name, recipes in unmet.items()
        ),
    )


def _compared(
    summary: StudySummary, runs: Runs, scored: Scored, setting: Setting, waiting: frozenset[str]
) -> dict[str, Any]:
    classes, audit = summary.data.classes, summary.data.audit
    training = None if audit is None else [c.training for c in audit.classes]
    objective = setting.objective
    questions = _questions(summary, scored, setting, waiting)
    oracle = ORACLE in runs and "tuned" in scored.confusion
    return {
        "differences": difference_rows(scored, objective.name),
        **questions,
        "threshold": _doubt(summary, runs, setting, questions["question"]),
        "oracle": (
            gap_closed(scored, objective.name, objective.higher_is_better) if oracle else None
        ),
        "calibration": calibrate_study(runs, classes, training, summary.prior, setting.seed),
    }


def _questions(
    summary: StudySummary, scored: Scored, setting: Setting, waiting: frozenset[str]
) -> dict[str, Question]:
    name, margin = setting.objective.name, summary.margin
    found = {
        "question": deciding(
            scored.tables[summary.decision, name],
            scored.recipes,
            summary.looks,
            margin,
            decision=summary.decision,
            setting=setting,
            waiting=waiting,
        ),
        "ranking": ranking(scored.tables["plain", "roc_auc"], scored.recipes, margin),
    }
    if "tuned" in scored.confusion:
        plain, tuned = (scored.tables[d, name] for d in ("plain", "tuned"))
        found["tuning"] = tuning(plain, tuned, summary.reference, margin, setting)
    return found


def _doubt(summary: StudySummary, runs: Runs, setting: Setting, question: Question) -> Any:
    """How much the leading recipe's difference owes to the validation images."""
    if summary.decision == "plain" or not question.comparisons:
        return None
    sign = 1 if setting.objective.higher_is_better else -1
    leading = max(question.comparisons, key=lambda one: sign * (one.mean or 0.0))
    return doubt_of(runs, leading.recipe, setting)
