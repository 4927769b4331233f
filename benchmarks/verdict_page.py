"""The tables of `verdicts.py`: coverage, false alarms, power and its ceiling, runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from equipoise.studies.sequential import begin, nominal_by_look, planned_looks
from simulated_studies import World

__all__ = ["Cell", "cell", "page"]

Floats = NDArray[np.float64]
Said = Mapping[str, Floats]


@dataclass(frozen=True)
class Share:
    """A share of studies, with its Monte Carlo error."""

    value: float
    error: float

    @classmethod
    def of(cls, studies: Floats) -> "Share":
        return cls(float(studies.mean()), float(studies.std(ddof=1) / len(studies) ** 0.5))

    def __str__(self) -> str:
        return f"{self.value * 100:.1f} ± {self.error * 100:.1f}"


@dataclass(frozen=True)
class Cell:
    """What a design came to in a world."""

    single: Share
    family: Share
    false: Share
    power: Share
    ceiling: float
    runs: float


def cell(world: World, said: Said, design: str) -> Cell:
    """Count what was said of the studies of one design."""
    rows = said[design]
    low, high, family_low, family_high, verdicts, seeds, _ = np.moveaxis(rows, -1, 0)
    recipes = rows.shape[1] + 1
    truth = said["truth"][:, 1:recipes] - said["truth"][:, :1]
    better = verdicts == 0
    return Cell(
        single=Share.of(((low <= truth) & (truth <= high)).mean(1)),
        family=Share.of(((family_low <= truth) & (truth <= family_high)).all(1)),
        # Where nothing helps, every "better" is false: also one that luck in validation makes true.
        false=Share.of((better[:, 1:] if world.gain else better).any(1)),
        power=Share.of(better[:, 0]),
        ceiling=_ceiling(said, recipes, design.split("x")[1]),
        runs=float((seeds.sum(1) + seeds.max(1)).mean() * world.draws),
    )


def _ceiling(said: Said, recipes: int, seeds: str) -> float:
    """Return how often the second recipe would be found better, were all variances known."""
    planned = planned_looks("auto" if seeds == "auto" else int(seeds))
    family = begin([str(recipe) for recipe in range(1, recipes)], planned).families[0]
    truth = said["truth"][:, 1] - said["truth"][:, 0]
    found = np.zeros(len(truth), bool)
    for number, nominal in nominal_by_look(family).items():
        means = said["means"][:, 1, number - 1] - said["means"][:, 0, number - 1]
        found |= means > stats.norm.isf(nominal.family / 2) * (means - truth).std(ddof=1)
    return float(found.mean())


def _runs_of_fixed(said: Said, world: World, recipes: int, power: float) -> str:
    """Return how many runs a fixed number of seeds would take to the same power."""
    cells = [cell(world, said, f"{recipes}x{seeds}") for seeds in (3, 5, 7, 9)]
    reached = [c.power.value for c in cells]
    if power <= reached[0]:
        return f"{cells[0].runs:.0f} or fewer"
    if power > reached[-1]:
        return f"more than {cells[-1].runs:.0f}"
    return f"{np.interp(power, reached, [c.runs for c in cells]):.0f}"


def _designs(said: Said) -> list[str]:
    return [name for name in said if "x" in name]


def _named(world: World, design: str) -> list[str]:
    recipes, seeds = design.split("x")
    data = f"{world.images:,}, {world.classes} classes"
    return [data + (f", {world.draws} draws" if world.draws > 1 else ""), recipes, seeds]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


_KINDS = {
    "nothing": "Nothing helps: all recipes give the same nets",
    "thresholds": "Only thresholds move",
    "population": "Recipes find different images hard, and are equal over all images",
}


def page(found: Sequence[tuple[World, Said]]) -> str:
    """Return the published page."""
    parts = [_INTRODUCTION]
    for kind, title in _KINDS.items():
        rows = [
            [*_named(world, design), str(c.single), str(c.family), str(c.false), f"{c.runs:.1f}"]
            for world, said in found
            if world.kind == kind
            for design in _designs(said)
            for c in [cell(world, said, design)]
        ]
        if rows:
            parts.append(f"## {title}\n\n{_table(_NULL, rows)}")
    for gain in sorted({world.gain for world, _ in found if world.gain}):
        rows = [
            _power_row(world, said, design)
            for world, said in found
            if world.gain == gain
            for design in _designs(said)
        ]
        parts.append(f"## One recipe is better by {gain * 100:g} points\n\n{_table(_POWER, rows)}")
    return "\n".join(parts)


def _power_row(world: World, said: Said, design: str) -> list[str]:
    c = cell(world, said, design)
    recipes, seeds = design.split("x")
    same = (
        _runs_of_fixed(said, world, int(recipes), c.power.value)
        if seeds == "auto" and f"{recipes}x9" in said
        else ""
    )
    return [
        *_named(world, design), str(c.single), str(c.family), str(c.false), str(c.power),
        f"{c.ceiling * 100:.1f}", f"{c.power.value / c.ceiling:.2f}", f"{c.runs:.1f}", same,
    ]  # fmt: skip


_NULL = ("test images", "recipes", "seeds", "single interval holds", "all hold at once",
         'false "better"', "runs")  # fmt: skip
_POWER = (*_NULL[:-1], "found", "ceiling", "share of it", "runs", "runs of fixed seeds")

_INTRODUCTION = """# Verdicts: how often they are right
"""
