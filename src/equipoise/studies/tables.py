"""From figures to the tables of a summary: levels, differences and ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from equipoise.studies.estimates import Estimate, estimate_of, over_runs
from equipoise.studies.formats import ORACLE, higher_is_better
from equipoise.studies.inference import UNCORRECTED, FigureTable, differences, levels
from equipoise.studies.scoring import Name, Runs, Scored
from equipoise.studies.summary import Difference, RecipeFigures
from equipoise.studies.trials import Outcome

__all__ = ["difference_rows", "recipe_rows"]

# Every class has figures under these two; the adjusted decision is given for comparison.
_BY_CLASS = ("plain", "tuned")


def recipe_rows(
    runs: Runs, scored: Scored, classes: Sequence[str], objective: str
) -> tuple[RecipeFigures, ...]:
    """Return the figures of each recipe, in order."""
    levels_of = {key: list(map(estimate_of, levels(t))) for key, t in scored.tables.items()}
    ranked = _ranks(scored, objective)
    by_class = [decision for decision in scored.confusion if decision in _BY_CLASS]
    return tuple(
        RecipeFigures(
            recipe=name,
            runs=len(of),
            **_costs(of, classes),
            **{d: _figures(levels_of, d, row) for d in scored.confusion},
            per_class={d: _of_classes(levels_of, d, row, classes) for d in by_class},
            confusion={d: scored.confusion[d][row].tolist() for d in by_class},
            rank=ranked.get(name, {}),
        )
        for row, (name, of) in enumerate(runs.items())
    )


Levels = Mapping[tuple[str, Name], Sequence[Estimate]]


def _figures(found: Levels, decision: str, row: int) -> Any:
    """Return a recipe's figures under one decision."""
    return {
        name: of[row]
        for (under, name), of in found.items()
        if under == decision and isinstance(name, str)
    }


def _of_classes(found: Levels, decision: str, row: int, classes: Sequence[str]) -> Any:
    """Return each class's recall and precision."""
    return {
        label: {name: found[decision, (name, k)][row] for name in ("recall", "precision")}
        for k, label in enumerate(classes)
    }


def _costs(of: Sequence[Outcome], classes: Sequence[str]) -> dict[str, Any]:
    """What a recipe's runs took and what their nets saw, where that is known."""
    costs = [outcome.cost for outcome in of if outcome.cost is not None]
    if len(costs) < len(of):
        return {}
    keys = [outcome.key for outcome in of]

    def mean(kind: str) -> dict[str, float]:
        known = [getattr(cost, kind) for cost in costs]
        return {n: float(np.mean([of[n] for of in known])) for n in classes if n in known[0]}

    return {
        "seconds": over_runs([c.seconds for c in costs], keys, (0.0, np.inf)),
        "steps": costs[0].steps,
        "passes": costs[0].passes,
        "distinct_images": mean("images"),
        "distinct_sources": mean("sources"),
    }


def difference_rows(scored: Scored, objective: str) -> tuple[Difference, ...]:
    """Return every figure's difference to the baseline, each with the interval of it alone.

    Plain against plain, tuned against tuned, and each tuned decision (the baseline's own included)
    against the plain baseline.
    """
    figures = [name for decision, name in scored.tables if decision == "plain"]
    rows = []
    for figure in (name for name in figures if isinstance(name, str)):
        plain, tuned = (scored.tables.get((d, figure)) for d in ("plain", "tuned"))
        assert plain is not None
        rows += _differences(scored.recipes, "plain", figure, plain)
        if tuned is not None:
            rows += _differences(scored.recipes, "tuned", figure, tuned)
            both = _stacked(plain, tuned)
            names = ("", *scored.recipes)
            rows += _differences(names, "tuned vs plain baseline", figure, both)
    # The objective first, then the order of the figures; within a figure recipe by recipe.
    return tuple(sorted(rows, key=lambda row: (row.metric != objective, figures.index(row.metric))))


def _stacked(plain: FigureTable, tuned: FigureTable) -> FigureTable:
    """The plain baseline above every tuned recipe."""
    return replace(
        tuned,
        values=np.concatenate([plain.values[:1], tuned.values]),
        resampled=np.concatenate([plain.resampled[:, :1], tuned.resampled], axis=1),
    )


def _differences(
    recipes: Sequence[str], decision: str, figure: str, table: FigureTable
) -> list[Difference]:
    found = differences(table, nominal=[UNCORRECTED] * len(recipes))
    return [
        Difference(
            **estimate_of(one).model_dump(),
            recipe=name,
            decision=decision,  # type: ignore[arg-type]
            metric=figure,
            runs=len(one.values),
        )
        for name, one in zip(recipes, found, strict=True)
        if one is not None
    ]


def _ranks(scored: Scored, metric: str) -> dict[str, dict[str, float]]:
    """Each recipe's mean rank under either decision, 1 best, ties sharing theirs.

    Over the runs that are finished for every recipe; the oracle is not ranked.
    """
    rows = [row for row, name in enumerate(scored.recipes) if name != ORACLE]
    found: dict[str, dict[str, float]] = {}
    for decision in ("plain", "tuned"):
        table = scored.tables.get((decision, metric))
        if table is None:
            continue
        values = table.values[rows]
        values = values[:, np.isfinite(values).all(0)]
        if not values.size:
            continue
        ranked = rankdata(-values if higher_is_better(metric) else values, axis=0).mean(1)
        for row, rank in zip(rows, ranked, strict=True):
            found.setdefault(scored.recipes[row], {})[decision] = float(rank)
    return found
