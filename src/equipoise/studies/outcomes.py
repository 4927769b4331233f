"""What a run left for the statistics: one value for our own runs and for those made elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.files import read_json
from equipoise.studies.trials import Trial, folder_of
from equipoise.training.decisions import Decision, plain
from equipoise.training.predictions import Predictions, read_predictions
from equipoise.training.runs import METRICS

__all__ = ["Cost", "Outcome", "by_recipe", "read_outcome"]


@dataclass(frozen=True)
class Cost:
    """What a run of our own took, and what its net saw.

    Attributes
    ----------
    seconds, steps, passes : float
    images, sources : mapping of class to int
        Different images that the net was shown, and different images that these were made from.
    generated : mapping of class to int
        Training images that are from elsewhere than the data set.
    """

    seconds: float
    steps: float
    passes: float
    images: Mapping[str, int]
    sources: Mapping[str, int]
    generated: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes
    ----------
    recipe : str
    seed, draw : int
        A draw is one of the training images, or with folds the fold.
    test : Predictions
    validation : Predictions, optional
    tuned, adjusted : Decision, optional
        Chosen on validation images; None without them.
    temperature : float, optional
        Likewise.
    cost : Cost, optional
        Of our own runs.
    """

    recipe: str
    seed: int
    draw: int
    test: Predictions
    validation: Predictions | None = None
    tuned: Decision | None = None
    adjusted: Decision | None = None
    temperature: float | None = None
    cost: Cost | None = None
    remarks: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """What runs of two recipes are paired by: seed and draw."""
        return self.seed, self.draw

    @property
    def decisions(self) -> dict[str, Decision]:
        """Every decision that this run has, by its name."""
        every = {
            "plain": plain(self.test.logits.shape[1]),
            "tuned": self.tuned,
            "adjusted": self.adjusted,
        }
        return {name: decision for name, decision in every.items() if decision is not None}

    def decided(self, decision: str) -> NDArray[np.int64]:
        """Return the label of each test image by the plain, tuned or adjusted decision."""
        return self.decisions[decision].apply(self.test.logits)


def read_outcome(study: Path, trial: Trial) -> Outcome:
    """Read a finished run of our own."""
    folder = folder_of(study, trial)
    metrics = read_json(folder / METRICS)
    classes, positive = metrics["classes"], metrics["positive_class"]
    of = (classes, None if positive is None else classes.index(positive))
    adjusted = metrics.get("adjusted")
    tuned = Decision.from_dict(metrics["decision"], *of)
    return Outcome(
        recipe=trial.recipe.name,
        seed=trial.seed,
        draw=trial.draw,
        test=read_predictions(folder),
        validation=read_predictions(folder, "validation"),
        tuned=tuned,
        adjusted=Decision.from_dict(adjusted, *of) if adjusted else None,
        temperature=metrics.get("temperature"),
        cost=Cost(
            seconds=metrics["seconds"],
            steps=metrics["steps"],
            passes=metrics["passes"],
            images=metrics["seen"]["images"],
            sources=metrics["seen"]["sources"],
            generated=metrics.get("generated") or {},
        ),
        remarks=tuple(r for r in metrics.get("remarks", ()) if r not in tuned.remarks),
    )


def by_recipe(outcomes: Iterable[Outcome], recipes: Sequence[str]) -> dict[str, list[Outcome]]:
    """Return each recipe's runs, in the order of the recipes; those without one are left out."""
    runs: dict[str, list[Outcome]] = {name: [] for name in recipes}
    for outcome in outcomes:
        runs[outcome.recipe].append(outcome)
    return {name: of for name, of in runs.items() if of}
