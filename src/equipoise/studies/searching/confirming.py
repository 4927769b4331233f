"""The confirmation: the best two and the baseline, new seeds, full length, through `compare`.

Only here is the test split read. The winner is chosen on validation all the same; the test split
says how good it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic
from typing import Any

import numpy as np

from equipoise.files import read_json
from equipoise.images import Splits
from equipoise.objectives import Objective
from equipoise.recipes import NAMED, Recipe
from equipoise.studies.comparing import Study, compare
from equipoise.studies.facts import read_facts
from equipoise.studies.searching.arms import Arm
from equipoise.studies.searching.attempts import Result
from equipoise.studies.searching.waves import Hunt, pace
from equipoise.training import Trainer

__all__ = ["BASELINE", "TAIL", "Finalists", "confirm", "finalists", "ranked", "validated"]

BASELINE = NAMED["none"]
# Seeds of a confirmation: at least, where trials are counted and not seconds, and at most.
_LEAST, _USUAL, _MOST = 2, 3, 20
# Seconds kept for what comes after the last run: the probe, the figures, the page.
TAIL = 6.0


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


def ranked(arms: Sequence[Arm], results: Sequence[Result]) -> list[tuple[Arm, Result]]:
    """Return the arms that were judged, best first, each with its result at its longest run.

    Those that came further stand first; of equal scores the arm that entered first.
    """
    longest: dict[int, Result] = {}
    for result in results:
        if result.arm not in longest or result.epochs > longest[result.arm].epochs:
            longest[result.arm] = result
    judged = [(arm, longest[arm.number]) for arm in arms if arm.number in longest]
    return sorted(judged, key=lambda pair: (-pair[1].epochs, -pair[1].utility, pair[0].number))


def finalists(arms: Sequence[Arm], results: Sequence[Result]) -> Finalists:
    """Return who is confirmed."""
    order = [(arm, result) for arm, result in ranked(arms, results) if not result.failed]
    chosen = [BASELINE]
    for arm, _ in order:
        if len(chosen) < 3 and all(_differs(arm.recipe, other) for other in chosen):
            chosen.append(arm.recipe)
    trainer = order[0][0].trainer if order else arms[0].trainer
    return Finalists(tuple(chosen), trainer)


def _differs(one: Recipe, other: Recipe) -> bool:
    return one.model_copy(update={"name": other.name}) != other


def confirm(hunt: Hunt, data: Splits, who: Finalists, *, command: str) -> Study:
    """Run the finalists with as many seeds as the time allows, two at least."""
    folder = hunt.folder / "confirm"

    def run(recipes: Sequence[Recipe], seeds: int) -> Study:
        return compare(
            data, recipes, seeds=seeds, out=folder, trainer=who.trainer, equal=hunt.equal,
            # The search's own seed is none of them: its luck must not count twice.
            seed=hunt.seed + 1, objective=hunt.objective, jobs=hunt.jobs,
            backend=hunt.backend, device=hunt.device, command=command,
        )  # fmt: skip

    recipes, seeds = who.recipes, _LEAST
    if (folder / "study.json").is_file():
        facts = read_facts(folder)
        recipes = tuple(r for r in recipes if r.name in facts["recipes"])
        seeds = len(facts["seeds"])
    elif hunt.clock.budget == inf:
        seeds = _USUAL
    elif _wall(hunt, len(recipes) * seeds, pace(hunt) * hunt.trainer.epochs) > hunt.clock.left:
        recipes = recipes[:2]
    before, started = 0, monotonic()
    study = run(recipes, seeds)
    while hunt.clock.budget < inf and study.summary["table"]:
        more = _fitting(hunt, study, before, seeds, monotonic() - started)
        if more == seeds:
            break
        before, seeds, started = seeds, more, monotonic()
        study = run(recipes, seeds)
    return study


def _fitting(hunt: Hunt, study: Study, before: int, seeds: int, took: float) -> int:
    """Return how many seeds there is time for, after those from `before` on took so long."""
    table = study.summary["table"]
    each = float(np.mean([row["seconds"]["mean"] for row in table]))
    # What came on top of the runs comes again with more of them, and with the page.
    besides = max(0.0, took - _wall(hunt, len(table) * (seeds - before), each))
    left = hunt.clock.left - TAIL - 2 * besides
    more = seeds
    while more < _MOST and _wall(hunt, len(table) * (more + 1 - seeds), each) <= left:
        more += 1
    return more


def _wall(hunt: Hunt, runs: int, seconds: float) -> float:
    """Seconds that so many whole runs take side by side."""
    return ceil(runs / hunt.jobs) * seconds


def validated(study: Study, objective: Objective) -> dict[str, dict[str, float]]:
    """Return each recipe's means on validation, over its runs, with the tuned decision.

    Of the objective's figure and those with floors.
    """
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((study.directory / "trials").glob("*/metrics.json")):
        metrics = read_json(path)
        runs.setdefault(metrics["recipe"], []).append(metrics["validation"]["tuned"])
    order = [name for name in study.summary["recipes"] if name in runs]
    return {
        name: {f: float(np.mean([of[f] for of in runs[name]])) for f in objective.figures}
        for name in order
    }
