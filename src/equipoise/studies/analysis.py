"""From runs to a summary: the same for runs that were made here and for those made elsewhere.

One question decides: does a recipe beat the baseline on the objective, both with the decision that
is asked for? Only what does is ever recommended. Beside it stand two of their own: does tuning help
the baseline, and does a recipe's net rank the images better?
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics import FIGURES, confusions
from equipoise.studies.calibration import calibrate_study
from equipoise.studies.formats import ORACLE, in_sentence, listed
from equipoise.studies.inference import UNCORRECTED, Difference, FigureTable, differences, verdict
from equipoise.studies.oracle_gap import oracle_gap
from equipoise.studies.recommendation import recommend
from equipoise.studies.scoring import Runs, Scored, Setting, tuning_of
from equipoise.studies.sequential import Ledger, nominal_levels, take_look
from equipoise.studies.summary import (
    Answer,
    Comparison,
    DecisionName,
    Question,
    StudySummary,
    ThresholdDoubt,
)
from equipoise.studies.tables import difference_rows, recipe_rows
from equipoise.studies.trials import Outcome
from equipoise.training.predictions import Predictions
from equipoise.training.tuning import tune

__all__ = [
    "PENDING",
    "after_look",
    "analysed",
    "compare_ranking",
    "compare_recipes",
    "compare_tuning",
    "threshold_doubt",
]

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
            parts |= _statistics(summary, runs, scored, setting, frozenset(waiting))
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


def _statistics(
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
            oracle_gap(scored, objective.name, objective.higher_is_better) if oracle else None
        ),
        "calibration": calibrate_study(runs, classes, training, summary.prior, setting.seed),
    }


def _questions(
    summary: StudySummary, scored: Scored, setting: Setting, waiting: frozenset[str]
) -> dict[str, Question]:
    name, margin = setting.objective.name, summary.margin
    found = {
        "question": compare_recipes(
            scored.tables[summary.decision, name],
            scored.recipes,
            summary.looks,
            margin,
            decision=summary.decision,
            setting=setting,
            waiting=waiting,
        ),
        "ranking": compare_ranking(scored.tables["plain", "roc_auc"], scored.recipes, margin),
    }
    if "tuned" in scored.confusion:
        plain, tuned = (scored.tables[d, name] for d in ("plain", "tuned"))
        found["tuning"] = compare_tuning(plain, tuned, summary.reference, margin, setting)
    return found


def _doubt(summary: StudySummary, runs: Runs, setting: Setting, question: Question) -> Any:
    """How much the leading recipe's difference owes to the validation images."""
    if summary.decision == "plain" or not question.comparisons:
        return None
    sign = 1 if setting.objective.higher_is_better else -1
    leading = max(question.comparisons, key=lambda one: sign * (one.mean or 0.0))
    return threshold_doubt(runs, leading.recipe, setting)


def after_look(
    ledger: Ledger,
    table: FigureTable,
    recipes: Sequence[str],
    margin: float,
    *,
    higher_is_better: bool,
) -> Ledger:
    """Return the ledger after a look at the runs that were due.

    Parameters
    ----------
    ledger : Ledger
    table : FigureTable
        Of the objective, with a row a recipe, the baseline first.
    recipes : sequence of str
    margin : float
    higher_is_better : bool
    """
    found = differences(table, nominal=nominal_levels(ledger, recipes))
    turned = found if higher_is_better else map(_turned, found)
    return take_look(ledger, dict(zip(recipes, turned, strict=True)), margin)


def _turned(difference: Difference | None) -> Difference | None:
    """Return a difference of a figure that is good when low as one that is good when high."""
    if difference is None:
        return None
    d = difference
    return replace(
        d, mean=-d.mean, low=-d.high, high=-d.low, family_low=-d.family_high,
        family_high=-d.family_low, values=tuple(-value for value in d.values),
    )  # fmt: skip


def compare_recipes(
    table: FigureTable,
    recipes: Sequence[str],
    ledger: Ledger,
    margin: float,
    *,
    decision: DecisionName,
    setting: Setting,
    waiting: frozenset[str] = frozenset(),
) -> Question:
    """Return the question that decides.

    Parameters
    ----------
    table : FigureTable
        Of the objective, with a row a recipe.
    recipes : sequence of str
    ledger : Ledger
        With all looks that have been taken.
    margin : float
    decision : {'plain', 'tuned'}
    setting : Setting
    waiting : set of str
        Recipes with runs that are still to be made: until then nothing is said of them.
    """
    found = differences(table, nominal=nominal_levels(ledger, recipes, coming=False))
    stopped = {stop.recipe: stop.reason for stop in ledger.stopped}
    objective = setting.objective
    comparisons = []
    for name, difference in zip(recipes, found, strict=True):
        if difference is None or name == ORACLE:
            continue
        comparison = _compared(
            name, difference, margin, higher_is_better=objective.higher_is_better
        )
        if name in waiting:
            update = {"verdict": "no verdict", "recommended": False}
            comparison = comparison.model_copy(update=update)
        comparisons.append(comparison.model_copy(update={"stopped": stopped.get(name)}))
    return Question(
        asks="recipes", decision=decision, metric=objective.name, comparisons=tuple(comparisons)
    )


def compare_tuning(
    plain: FigureTable, tuned: FigureTable, baseline: str, margin: float, setting: Setting
) -> Question:
    """Return whether tuning its decision helps the baseline."""
    table = tuning_of(plain, tuned)
    found = differences(table, nominal=[UNCORRECTED] * len(table.values))[1]
    objective = setting.objective
    compared = (
        () if found is None else (_compared(baseline, found, margin, objective.higher_is_better),)
    )
    return Question(asks="tuning", decision="tuned", metric=objective.name, comparisons=compared)


def compare_ranking(table: FigureTable, recipes: Sequence[str], margin: float) -> Question:
    """Return whether the recipes' nets rank the images better, which no decision changes."""
    rows = [row for row, name in enumerate(recipes) if name != ORACLE]
    part = replace(table, values=table.values[rows], resampled=table.resampled[:, rows])
    found = zip(rows, differences(part), strict=True)
    return Question(
        asks="ranking",
        decision="plain",
        metric="roc_auc",
        comparisons=tuple(
            _compared(recipes[row], difference, margin, FIGURES["roc_auc"].higher_is_better)
            for row, difference in found
            if difference is not None
        ),
    )


def _compared(recipe: str, found: Difference, margin: float, higher_is_better: bool) -> Comparison:
    said = verdict(found, margin, higher_is_better=higher_is_better)
    gain = found.mean if higher_is_better else -found.mean
    squared = found.standard_error**2
    return Comparison(
        recipe=recipe,
        mean=found.mean,
        low=found.family_low,
        high=found.family_high,
        alone_low=found.low,
        alone_high=found.high,
        values=found.values,
        p=found.p_family,
        seeds=found.seeds,
        draws=found.draws,
        standard_error=found.standard_error,
        image_share=found.image_part / squared if squared > 0 else np.nan,
        verdict=said,
        recommended=said == "better" and gain >= margin,
    )


# Tuning is the dearest of the statistics: so many resamples, of so many runs of two recipes.
_RESAMPLES, _RUNS = 20, 3


def threshold_doubt(runs: Runs, recipe: str, setting: Setting) -> ThresholdDoubt | None:
    """Return how far the difference to the baseline moves with other validation images.

    The validation images are drawn again with replacement, class by class and the same for both
    recipes, both decisions are tuned on them, and the test images are decided anew.

    Parameters
    ----------
    runs : mapping of recipe to its runs
        The baseline first.
    recipe : str
        Another than the baseline; of the baseline itself its level is looked at.
    setting : Setting
    """
    baseline = next(iter(runs))
    theirs = {outcome.key: outcome for outcome in runs[baseline]}
    mine = [o for o in runs[recipe] if o.key in theirs and o.validation is not None][:_RUNS]
    if not mine:
        return None
    moved = []
    for outcome in mine:
        levels = _levels(outcome, setting)
        if recipe != baseline:
            levels = levels - _levels(theirs[outcome.key], setting)
        moved.append(levels)
    validation = mine[0].validation
    assert validation is not None
    counts = np.bincount(validation.labels)
    return ThresholdDoubt(
        recipe=recipe,
        images=int(counts[counts > 0].min()),
        spread=float(np.mean(moved, axis=0).std(ddof=1)),
    )


def _levels(outcome: Outcome, setting: Setting) -> NDArray[np.float64]:
    """The objective on the test images, tuned on each resample of the validation images."""
    validation, test = outcome.validation, outcome.test
    assert validation is not None
    found = []
    for rows in _resamples(validation, setting.seed, outcome.draw if setting.folds else 0):
        decision = tune(validation.logits[rows], validation.labels[rows], setting.objective)
        decided = decision.apply(test.logits)
        once = np.ones((1, len(decided)))
        confusion = confusions(test.labels, decided, test.logits.shape[1], once)
        found.append(float(setting.objective.value(confusion)[0]))
    return np.array(found)


def _resamples(validation: Predictions, seed: int, fold: int) -> Sequence[NDArray[np.intp]]:
    rng = np.random.default_rng([seed, 3, fold])
    classes = [np.flatnonzero(validation.labels == k) for k in np.unique(validation.labels)]
    return [
        np.concatenate([rng.choice(members, len(members)) for members in classes])
        for _ in range(_RESAMPLES)
    ]
