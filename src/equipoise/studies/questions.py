"""The questions to a study, and what its runs say to each.

One decides: does a recipe beat the baseline on the objective, both with the decision that is asked
for? Only what does is ever recommended. Beside it stand two of their own: does tuning help the
baseline, and does a recipe's net rank the images better?
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from equipoise.metrics import HIGHER_IS_BETTER
from equipoise.studies.formats import ORACLE
from equipoise.studies.inference import UNCORRECTED, Difference, FigureTable, differences, verdict
from equipoise.studies.scoring import Setting, tuning_of
from equipoise.studies.sequential import Ledger, nominal_levels, take_look
from equipoise.studies.summary import Comparison, DecisionName, Question

__all__ = ["deciding", "looked", "ranking", "tuning"]


def looked(
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


def deciding(
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
        comparison = _compared(name, difference, margin, objective.higher_is_better)
        if name in waiting:
            update = {"verdict": "no verdict", "recommended": False}
            comparison = comparison.model_copy(update=update)
        comparisons.append(comparison.model_copy(update={"stopped": stopped.get(name)}))
    return Question(
        asks="recipes", decision=decision, metric=objective.name, comparisons=tuple(comparisons)
    )


def tuning(
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


def ranking(table: FigureTable, recipes: Sequence[str], margin: float) -> Question:
    """Return whether the recipes' nets rank the images better, which no decision changes."""
    rows = [row for row, name in enumerate(recipes) if name != ORACLE]
    part = replace(table, values=table.values[rows], resampled=table.resampled[:, rows])
    found = zip(rows, differences(part), strict=True)
    return Question(
        asks="ranking",
        decision="plain",
        metric="roc_auc",
        comparisons=tuple(
            _compared(recipes[row], difference, margin, HIGHER_IS_BETTER["roc_auc"])
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
