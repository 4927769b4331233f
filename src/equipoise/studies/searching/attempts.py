"""One run of the search: an arm trained for a rung's epochs and judged on validation alone."""

from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from time import perf_counter
from typing import Any

from equipoise.errors import DamagedError, WorkError
from equipoise.files import read_sealed, write_sealed
from equipoise.images import Splits
from equipoise.objectives import Objective
from equipoise.recipes import Recipe
from equipoise.studies.searching.arms import key_of
from equipoise.training import Equal, Trainer, fit
from equipoise.training.checkpoints import CHECKPOINT
from equipoise.training.fingerprints import identity

__all__ = ["Attempt", "Result", "blind", "carry_out", "result_of"]

_FILE = "attempt.json"


@dataclass(frozen=True)
class Attempt:
    """A run to be done: an arm's number, what is trained, and for how many epochs."""

    arm: int
    recipe: Recipe
    trainer: Trainer
    epochs: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.arm:03d}-{self.epochs}"


@dataclass(frozen=True)
class Result:
    """What a run showed on validation.

    Attributes
    ----------
    arm, epochs : int
    score : float
        The objective's figure with the tuned decision; the worst there is where training failed.
    plain, roc_auc : float
        The objective with the plain decision, and how well the net ranks; None where validation
        lacks a class.
    seconds : float
    failed : str
        Why training failed; empty where it did not.
    utility : float
        The score as a number of which more is better, the objective's floors counted.
    """

    arm: int
    epochs: int
    score: float
    plain: float
    roc_auc: float | None
    seconds: float
    failed: str = ""
    utility: float = nan

    def __post_init__(self) -> None:
        if isnan(self.utility):  # as it was kept before there were objectives of other kinds
            object.__setattr__(self, "utility", self.score)


def blind(data: Splits) -> Splits:
    """Return the data without its test split: validation stands in its place."""
    return replace(data, test=data.validation)


def carry_out(
    attempt: Attempt,
    data: Splits,
    seed: int,
    equal: Equal,
    objective: Objective,
    device: str,
    folder: Path,
    of: str,
) -> Result:
    """Do a run and leave its result in `folder`; a killed one goes on from its last epoch.

    The schedule is laid over the rung's epochs, so that a short run is a whole one. `of` is the
    search that the run is a part of.
    """
    started, place = perf_counter(), folder / attempt.name
    place.mkdir(parents=True, exist_ok=True)
    trainer = attempt.trainer.model_copy(update={"epochs": attempt.epochs})
    try:
        run = fit(
            data, attempt.recipe, trainer, seed=seed, equal=equal, objective=objective,
            folder=place, device=device,
        )  # fmt: skip
    except WorkError as error:
        worst = objective.worst
        tuned = {**dict.fromkeys(objective.figures, 0.0), objective.figure: worst}
        fields: dict[str, Any] = {"plain": worst, "roc_auc": 0.0, "failed": str(error)}
        spent = perf_counter() - started
    else:
        tuned, plain = (run.metrics["validation"][decision] for decision in ("tuned", "plain"))
        fields = {
            "plain": plain[objective.name],
            "roc_auc": None if isnan(auc := plain["roc_auc"]) else auc,
        }
        spent = max(run.metrics["seconds"], perf_counter() - started)
    fields |= {"score": tuned[objective.name], "utility": float(objective.utility(tuned))}
    result = Result(attempt.arm, attempt.epochs, seconds=spent, **fields)
    write_sealed(place / _FILE, {**vars(result), "of": _of(attempt, of)})
    (place / CHECKPOINT).unlink(missing_ok=True)
    return result


def _of(attempt: Attempt, search: str) -> str:
    """What a result is of: nothing else may stand in its place."""
    measure, trainer = key_of(attempt.recipe, attempt.trainer)
    return identity({"search": search, "of": [attempt.name, measure, trainer]})


def result_of(folder: Path, attempt: Attempt, of: str) -> Result | None:
    """Return the result of a run of the search `of` that has ended; another's is none."""
    try:
        found = read_sealed(folder / attempt.name / _FILE)
    except DamagedError:
        return None
    return Result(**found) if found.pop("of") == _of(attempt, of) else None
