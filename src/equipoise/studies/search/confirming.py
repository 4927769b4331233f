"""The confirmation: the best two and the baseline, new seeds, full length, through `compare`.

Only here is the test split read. The winner is chosen on validation all the same; the test split
says how good it is.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equipoise.files import read_json
from equipoise.objectives import Objective
from equipoise.recipes import NAMED, Recipe
from equipoise.studies.comparing import compare
from equipoise.studies.search.attempts import Arm, Result
from equipoise.studies.search.halving import FINALISTS, SEEDS, confirmation
from equipoise.studies.search.state import SearchState
from equipoise.studies.study_file import earlier_study, read_plan
from equipoise.studies.summary import Study
from equipoise.studies.trials import folder_of
from equipoise.training import Trainer
from equipoise.training.runs import METRICS, finished

__all__ = ["BASELINE", "Finalists", "confirm", "finalists", "ranked", "validated"]

BASELINE = NAMED["none"]
# Seconds that are left to the end of the process, after the page.
_END = 2.0


@dataclass(frozen=True)
class Finalists:
    """Who is confirmed: the baseline first, then the best two other recipes, and one trainer.

    Attributes
    ----------
    recipes : tuple of Recipe
    trainer : Trainer
        That of the best arm: all get the same.
    """

    recipes: tuple[Recipe, ...]
    trainer: Trainer


def ranked(state: SearchState) -> list[tuple[Arm, Result]]:
    """Return the arms that were judged, best first, each with its result at its longest run.

    Those that came further stand first; of equal scores the arm that entered first.
    """
    longest: dict[int, Result] = {}
    for result in list(state.results.values()):
        if result.arm not in longest or result.epochs > longest[result.arm].epochs:
            longest[result.arm] = result
    judged = [(arm, longest[n]) for n, arm in list(state.arms.items()) if n in longest]
    return sorted(judged, key=lambda pair: (-pair[1].epochs, -pair[1].utility, pair[0].number))


def finalists(state: SearchState) -> Finalists:
    """Return who is confirmed."""
    order = [arm for arm, result in ranked(state) if not result.failed]
    chosen = [BASELINE]
    for arm in order:
        if len(chosen) < FINALISTS and all(_differs(arm.recipe, other) for other in chosen):
            chosen.append(arm.recipe)
    trainer = order[0].trainer if order else state.plan.setup.trainer
    return Finalists(tuple(chosen), trainer)


def _differs(one: Recipe, other: Recipe) -> bool:
    return one.model_copy(update={"name": other.name}) != other


def confirm(state: SearchState, who: Finalists) -> Study:
    """Compare the finalists with new seeds, as many as are needed and the time allows."""
    plan, setup, recipes = state.plan, state.plan.setup, who.recipes
    folder, most = plan.folder / "confirm", SEEDS
    if (earlier := earlier_study(folder)) is not None:
        recipes = tuple(recipe for recipe in recipes if recipe.name in earlier.recipes)
        most = earlier.ledger.most_seeds
    elif plan.timed:
        many, most = confirmation(state, state.left - _END)
        recipes = recipes[:many]
    return compare(
        # What was left out of training decides nothing here, whatever becomes of it.
        replace(setup.data, withheld=None), recipes,
        seeds="auto" if plan.timed else SEEDS, most_seeds=most, out=folder, trainer=who.trainer,
        budget=f"{max(state.left - _END, 1.0):.0f}s" if plan.timed else None,
        # The search's own seed is none of them: its luck must not count twice.
        seed=plan.seed + 1, objective=setup.objective, equal=setup.equal, jobs=plan.jobs,
        backend=setup.backend, device=setup.device, command=plan.command,
    )  # fmt: skip


def validated(study: Study, objective: Objective) -> dict[str, dict[str, float]]:
    """Return each recipe's means on validation, over its runs, with the tuned decision.

    Of the objective's figure and those with floors.
    """
    runs: dict[str, list[dict[str, Any]]] = {}
    folder = study.directory
    assert folder is not None
    places = [folder_of(folder, trial) for trial in read_plan(folder).trials]
    for place in filter(finished, places):
        metrics = read_json(place / METRICS)
        runs.setdefault(metrics["recipe"], []).append(metrics["validation"]["tuned"])
    order = [name for name in study.summary.recipes if name in runs]
    return {
        name: {f: float(np.mean([of[f] for of in runs[name]])) for f in objective.figures}
        for name in order
    }
