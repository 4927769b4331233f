"""The same simulated studies through `eq.evaluate` itself: from predictions to the summary."""

import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.studies.summary import Comparison
from equipoise.training.tuning import tune
from simulated_studies import Kind, Study, Validation, World

__all__ = ["EVALUATED", "evaluated"]

VERDICTS = ("better", "worse", "no difference that matters", "undecided", "no verdict")
# `tune` is no quick formula: the truth is worked out from fewer runs.
TRUTH_RUNS = 60

_KINDS: tuple[Kind, ...] = ("nothing", "thresholds", "population", "gain")
_GAINS = {2000: 0.04, 200: 0.08}


def _worlds() -> tuple[World, ...]:
    cells = [(classes, images, 5, 3) for classes, images in ((2, 2000), (2, 200), (10, 200))]
    cells += [(2, 200, 2, 5), (2, 200, 12, 3)]
    return tuple(
        World(kind, classes, images, _GAINS[images] * (kind == "gain"), 1, recipes, seeds)
        for classes, images, recipes, seeds in cells
        for kind in _KINDS
        if recipes == 5 or kind in ("population", "gain")
    )


EVALUATED = _worlds()


def evaluated(world: World, number: int, studies: int) -> dict[str, NDArray[np.float64]]:
    """Return what `eq.evaluate` says of studies, as `verdicts.simulated` does for one design."""
    validation = Validation(world, number)
    truth = validation.truth(_offsets, runs=TRUTH_RUNS)
    rows, means = [], []
    for _ in range(studies):
        study = validation.study()
        asked = eq.evaluate(_predictions(study, validation.labels, world.labels)).summary.question
        assert asked is not None
        rows.append([_row(comparison) for comparison in asked.comparisons])
        gains = [0.0, *(comparison.mean or 0.0 for comparison in asked.comparisons)]
        means.append(np.repeat(np.array(gains)[:, None], world.seeds, axis=1))
    return {
        "truth": truth,
        "means": np.stack(means),
        f"{world.recipes}x{world.seeds}": np.array(rows),
    }


def _offsets(logits: NDArray[np.floating], labels: NDArray[np.int_]) -> NDArray[np.float64]:
    return np.array([[tune(run, labels).offsets for run in recipe] for recipe in logits])


def _row(found: Comparison) -> list[float]:
    answer = VERDICTS.index(found.verdict)
    ends = (found.alone_low, found.alone_high, found.low, found.high)
    numbers = (*ends, answer, found.seeds, found.p)
    return [float("nan") if number is None else float(number) for number in numbers]


def _predictions(
    study: Study, validation: NDArray[np.int_], test: NDArray[np.int_]
) -> dict[str, NDArray[np.generic]]:
    """Return the columns that `eq.evaluate` takes."""
    parts = [
        _columns(study, study.validation, validation, "validation", 0),
        _columns(study, study.test, test, "test", len(validation)),
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _columns(
    study: Study,
    logits: NDArray[np.floating],
    labels: NDArray[np.int_],
    split: str,
    first: int,
) -> dict[str, NDArray[np.generic]]:
    recipes, runs, images, classes = logits.shape
    return {
        "recipe": np.repeat([f"recipe{number:02d}" for number in range(recipes)], runs * images),
        "seed": np.tile(np.repeat(study.seeds, images), recipes),
        "split": np.full(recipes * runs * images, split),
        "id": np.tile(np.arange(first, first + images), recipes * runs),
        "label": np.tile(labels, recipes * runs),
        **{f"logit_{k}": logits[..., k].ravel() for k in range(classes)},
    }
