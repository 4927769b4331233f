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


def page(
    figures: Sequence[tuple[World, Said]], whole: Sequence[tuple[World, Said]], only: str
) -> str:
    """Return the published page.

    Parameters
    ----------
    figures, whole : sequence of world and what was said
        By the functions on figures, and by `eq.evaluate` on predictions.
    only : str
        Worlds without this in their name have not been simulated; '' for all.
    """
    options = (f" --worlds={only}" if only else "") + ("" if whole else " --evaluated 0")
    missing = ["other worlds (ten classes, 200 test images, draws)"] if only else []
    missing += [] if whole else ["studies judged by `eq.evaluate` from predictions"]
    words = f"\nNot run yet: {'; '.join(missing)}.\n" if missing else ""
    parts = [
        _INTRODUCTION.replace("{options}", options).replace("{missing}", words),
        _ranges(figures),
        _sections(figures),
    ]
    if whole:
        parts += [_WHOLE, _sections(whole, "#")]
    return "\n".join(parts)


def _ranges(found: Sequence[tuple[World, Said]]) -> str:
    """Return the least and the most of the shares below, by test images and kind of seeds."""
    cells = [
        (world, design, cell(world, said, design))
        for world, said in found
        for design in _designs(said)
    ]
    rows = []
    for images in sorted({world.images for world, _, _ in cells}, reverse=True):
        for auto in (False, True):
            of = [
                c
                for world, design, c in cells
                if world.images == images and design.endswith("auto") == auto
            ]
            if of:
                seeds = "by need" if auto else "fixed"
                shares = ([getattr(c, name) for c in of] for name in ("single", "family", "false"))
                rows.append([f"{images:,}", seeds, *map(_span, shares)])
    return f"## In short\n\n{_table(_SHORT, rows)}"


def _span(shares: Sequence[Share]) -> str:
    values = [share.value * 100 for share in shares]
    return f"{min(values):.1f} – {max(values):.1f}"


def _sections(found: Sequence[tuple[World, Said]], deeper: str = "") -> str:
    parts = []
    for kind, title in _KINDS.items():
        rows = [
            _null_row(world, said, design)
            for world, said in found
            if world.kind == kind
            for design in _designs(said)
        ]
        if rows:
            parts.append(f"##{deeper} {title}\n\n{_table(_NULL, rows)}")
    for gain in sorted({world.gain for world, _ in found if world.gain}):
        title = f"One recipe is better by {gain * 100:g} points"
        rows = [
            _power_row(world, said, design)
            for world, said in found
            if world.gain == gain
            for design in _designs(said)
        ]
        parts.append(f"##{deeper} {title}\n\n{_table(_POWER, rows)}")
    return "\n".join(parts)


def _null_row(world: World, said: Said, design: str) -> list[str]:
    c = cell(world, said, design)
    return [*_named(world, design), str(c.single), str(c.family), str(c.false), f"{c.runs:.1f}"]


def _power_row(world: World, said: Said, design: str) -> list[str]:
    c = cell(world, said, design)
    recipes, seeds = design.split("x")
    compared = seeds == "auto" and f"{recipes}x9" in said
    return [
        *_named(world, design), str(c.single), str(c.family), str(c.false), str(c.power),
        f"{c.ceiling * 100:.1f}", f"{c.power.value / c.ceiling:.2f}", f"{c.runs:.1f}",
        _runs_of_fixed(said, world, int(recipes), c.power.value) if compared else "",
    ]  # fmt: skip


_NULL = ("test images", "recipes", "seeds", "single interval holds", "all hold at once",
         'false "better"', "runs")  # fmt: skip
_POWER = (*_NULL[:-1], "found", "ceiling", "share of it", "runs", "runs of fixed seeds")

_SHORT = ("test images", "seeds", "single interval holds", "all hold at once", 'false "better"')

_INTRODUCTION = """# Verdicts: how often they are right

Whole studies are simulated of which the truth is known, and what is said of them is set beside it.

```sh
python benchmarks/verdicts.py --out runs/verdicts --page docs/results/verdicts.md{options}
```

A net's logits are noise around its skill; 60 % of the noise's variance belongs to the image, 15 %
to the image and the recipe, 25 % to the image and the run, as in real runs. Seeds and runs have a
quality of their own (the standard deviation of one paired difference between runs is about 1.5
points with 2,000 test images and 5 with 200) and thresholds of their own, and every run's decision
is tuned on the same validation images. The *truth* is a recipe's balanced accuracy over new seeds
and new test images, with this validation split; differences are to the first recipe. With two
classes 400 of 2,000 test images are of the rare one, and 15 of 200; with ten the rarest has a tenth
of the largest's (5 images of 200).

Of each world 2,000 studies are judged by the functions that `compare` and `evaluate` use, from the
figures of every run. All shares are percentages of studies, ± their Monte Carlo error.
{missing}
- *single interval holds*: the 95 % interval of a difference alone has the truth in it;
- *all hold at once*: those of the main question, which are simultaneous, all have it;
- *false "better"*: of any recipe that is not;
- *found*: the recipe that is better is called better; *ceiling*: the same test, had it known all
  variances;
- *runs*: how many nets were trained, the baseline's among them; *runs of fixed seeds*: how many a
  fixed number of seeds takes to find as much as `auto` does, interpolated between 3, 5, 7 and 9.
"""

_WHOLE = """## From predictions, by `eq.evaluate`

The same for 200 studies of a world, from the logits of every run on validation and test to the
summary, with the decision tuned as the package does it.
"""
