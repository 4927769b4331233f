"""Do verdicts hold? Whole studies are simulated, and what is said of them is set beside the truth.

    python benchmarks/verdicts.py --out runs/verdicts --page docs/results/verdicts.md

simulates 2,000 studies of each world (`simulated_studies`), each looked at as a study of 2, 5 and
12 recipes, with 3 and 5 seeds and with seeds by need, by the very functions that `compare` and
`evaluate` use. Finished parts are kept in --out and not made again; --studies takes fewer.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from equipoise.files import atomic, write_text
from equipoise.studies.inference import Difference, FigureTable, differences, levels, verdict
from equipoise.studies.scoring import image_weights
from equipoise.studies.sequential import (
    begin,
    nominal_levels,
    planned_looks,
    seeds_due,
    take_look,
)
from simulated_studies import Study, Validation, World, centred
from verdict_page import page
from verdicts_evaluated import EVALUATED, VERDICTS, evaluated

__all__ = ["DESIGNS", "WORLDS", "simulated"]

MARGIN = 0.01
SETS = 20  # validation splits a world: their truths are worked out once each
RESAMPLES = 500  # the package takes twice as many


@dataclass(frozen=True)
class Design:
    """How a study is made: how many recipes, and how many seeds, or 'auto'."""

    recipes: int
    seeds: str

    @property
    def name(self) -> str:
        return f"{self.recipes}x{self.seeds}"

    @property
    def planned(self) -> tuple[int, ...]:
        return planned_looks("auto" if self.seeds == "auto" else int(self.seeds))


DESIGNS = tuple(Design(r, s) for r in (2, 5, 12) for s in ("3", "5", "7", "9", "auto"))


def _worlds() -> Iterator[World]:
    for classes in (2, 10):
        for images, gains in ((2000, (0.02, 0.04)), (200, (0.08,))):
            for kind in ("nothing", "thresholds", "population"):
                yield World(kind, classes, images)
            for gain in gains:
                yield World("gain", classes, images, gain)
    for draws in (2, 5):
        yield World("nothing", 2, 2000, draws=draws, recipes=5, seeds=5)
        yield World("gain", 2, 2000, 0.04, draws=draws, recipes=5, seeds=5)


WORLDS = tuple(_worlds())


def designs_of(world: World) -> tuple[Design, ...]:
    """Return the designs that a world's studies are large enough for."""
    found = [d for d in DESIGNS if d.recipes <= world.recipes and d.planned[-1] <= world.seeds]
    # Seven and nine fixed seeds are there to be compared with seeds by need.
    return tuple(d for d in found if world.gain or d.seeds not in ("7", "9"))


def simulated(world: World, number: int, studies: int) -> dict[str, NDArray[np.float64]]:
    """Return what is said of the studies on one validation split, and the truth.

    Returns
    -------
    dict of str to arrays
        ``truth`` (recipes,), ``means`` (studies, recipes, seeds), where a mean is over the first so
        many seeds, ``level`` (studies, 2); and a (studies, recipes - 1, 7) array a design, of low,
        high, simultaneous low and high, verdict, seeds and p.
    """
    validation = Validation(world, number)
    truth = validation.truth(centred)
    weights = image_weights(world.labels, number, resamples=RESAMPLES).astype(np.float32)
    said: dict[str, list[NDArray[np.float64]]] = {}
    for _ in range(studies):
        study = validation.study()
        table = _table(world, validation, study, weights)
        means = [_first(table, n).values.mean(1) for n in range(1, world.seeds + 1)]
        said.setdefault("means", []).append(np.stack(means, axis=1))
        level = levels(_first(table, 3))[0]
        said.setdefault("level", []).append(np.array([level.low, level.high] if level else []))
        for design in designs_of(world):
            said.setdefault(design.name, []).append(judged(table, design))
    return {"truth": truth.astype(np.float64), **{n: np.stack(rows) for n, rows in said.items()}}


def _table(
    world: World, validation: Validation, study: Study, weights: NDArray[np.float32]
) -> FigureTable:
    """Return the balanced accuracy of every run, and under resampled test images."""
    offsets = centred(study.validation, validation.labels)
    right = (study.test + offsets[:, :, None]).argmax(-1) == world.labels
    each = 1 / (world.classes * np.bincount(world.labels))[world.labels]
    shape = (len(weights), *right.shape[:2])
    flat = right.reshape(-1, len(world.labels)).T.astype(np.float32)
    resampled = ((weights * each.astype(np.float32)) @ flat).reshape(shape)
    rarest = int(np.bincount(world.labels).min())
    return FigureTable(right @ each, resampled, study.seeds, study.draws, images=rarest)


def _first(table: FigureTable, seeds: int, recipes: int | None = None) -> FigureTable:
    runs = table.seeds < seeds
    return replace(
        table,
        values=table.values[:recipes, runs],
        resampled=table.resampled[:, :recipes, runs],
        seeds=table.seeds[runs],
        draws=table.draws[runs],
    )


def judged(table: FigureTable, design: Design) -> NDArray[np.float64]:
    """Return (recipes - 1, 7): what a study of this design says of each recipe."""
    names = [str(recipe) for recipe in range(design.recipes)]
    ledger = begin(names[1:], design.planned)
    last: dict[str, Difference] = {}
    while True:
        due = seeds_due(ledger)
        seeds = max(due.values())
        shown = _first(table, seeds, design.recipes)
        for row, name in enumerate(names[1:], start=1):
            shown.values[row, shown.seeds >= due[name]] = np.nan
        found = differences(shown, nominal=nominal_levels(ledger, names))
        last.update({n: d for n, d in zip(names, found, strict=True) if d is not None})
        ledger = take_look(ledger, dict(zip(names, found, strict=True)), MARGIN)
        if seeds_due(ledger) == due:
            return np.array([_row(last[name]) for name in names[1:]])


def _row(found: Difference) -> list[float]:
    answer = VERDICTS.index(verdict(found, MARGIN))
    ends = (found.low, found.high, found.family_low, found.family_high)
    return [*ends, answer, found.seeds, found.p_family]


Maker = Callable[[World, int, int], dict[str, NDArray[np.float64]]]


def _path(world: World, number: int, studies: int, out: Path) -> Path:
    size = f"{world.recipes}x{world.seeds}"
    return out / f"{world.name}-{size}" / f"{studies}-{number:02d}.npz"


def _kept(make: Maker, world: World, number: int, studies: int, out: Path) -> None:
    """Make one validation split's studies, unless that has been done."""
    path = _path(world, number, studies, out)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    found = make(world, number, studies)
    with atomic(path) as place, place.open("wb") as file:
        np.savez_compressed(file, **found)  # type: ignore[arg-type]
    print(path, flush=True)


def read(world: World, studies: int, out: Path) -> dict[str, NDArray[np.float64]]:
    """Return what was said in all studies of a world; the truth is repeated for each study."""
    parts = [dict(np.load(_path(world, number, studies, out))) for number in range(SETS)]
    for part in parts:
        part["truth"] = np.repeat(part["truth"][None], studies, axis=0)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/verdicts"))
    parser.add_argument("--studies", type=int, default=2000, help="a world")
    parser.add_argument("--evaluated", type=int, default=200, help="a world, by eq.evaluate")
    parser.add_argument("--worlds", default="", help="only those whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parts = []
    for make, every, studies, out in (
        (simulated, WORLDS, options.studies, options.out),
        (evaluated, EVALUATED, options.evaluated, options.out / "evaluated"),
    ):
        each, worlds = studies // SETS, [w for w in every if options.worlds in w.name]
        worlds = worlds if each else []
        Parallel(options.jobs)(
            delayed(_kept)(make, world, number, each, out)
            for world in worlds
            for number in range(SETS)
        )
        parts.append([(world, read(world, each, out)) for world in worlds])
    text = page(parts[0], parts[1], options.worlds)
    print(text)
    if options.page:
        write_text(options.page, text)


if __name__ == "__main__":
    main()
