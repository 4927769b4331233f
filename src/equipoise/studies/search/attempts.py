"""What a search tries: an arm is a recipe with a trainer, an attempt a run of it of some length.

An attempt is judged on validation alone.
"""

from dataclasses import dataclass, field, replace
from math import isnan, nan
from pathlib import Path
from time import perf_counter

from equipoise.errors import DamagedError, WorkError
from equipoise.files import read_sealed, write_sealed
from equipoise.recipes import Recipe
from equipoise.studies.trials import TrainingSetup
from equipoise.training import Trainer
from equipoise.training.checkpoints import CHECKPOINT
from equipoise.training.fingerprints import identity

__all__ = [
    "ENTRANTS",
    "ETA",
    "Arm",
    "Attempt",
    "Result",
    "is_late",
    "key_of",
    "read_result",
    "run_attempt",
    "rungs",
]

# The named recipes that are tried before anything is suggested: the baseline, what is cheap to
# judge, then what takes a whole run.
ENTRANTS = (
    *("none", "balanced-softmax", "weights", "resample", "article", "duplicate", "undersample"),
    *("logit-adjusted", "square-root", "focal", "cutout", "balanced", "trivial-cutout", "drw"),
    *("mixup", "cmo", "cutmix", "drs"),
)

# Of the arms at a rung the best third go on, with three times the epochs.
ETA = 3
_RUNGS = 3

# A fresh choice among so many techniques is strong augmentation.
_MANY = 3
_POLICIES = ("chain", "trivial", "one_of")

_FILE = "attempt.json"


@dataclass(frozen=True)
class Arm:
    """A recipe with a trainer.

    Attributes
    ----------
    number : int
        Its place among all that was ever asked for; its runs lie under it.
    recipe, trainer : Recipe, Trainer
    rung : int
        Up to which rung it may go.
    state : {'running', 'complete', 'dropped'}
    choices : dict
        Where it lies in the space; empty where it does not.
    """

    number: int
    recipe: Recipe
    trainer: Trainer
    rung: int
    state: str = "running"
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What two arms must share to be the same."""
        return key_of(self.recipe, self.trainer)


def key_of(recipe: Recipe, trainer: Trainer) -> tuple[str, str]:
    """Return what tells an arm from others: all but the recipe's name."""
    return recipe.model_dump_json(exclude={"name"}), trainer.model_dump_json()


def is_late(recipe: Recipe) -> bool:
    """Whether a recipe shows its worth late: short runs would judge it too low.

    Mixed images, strong augmentation and whatever begins in the last part of the budget.
    """
    names = [technique.name for technique in recipe.resolved()]
    strong = len(names) >= _MANY or any(name in _POLICIES for name in names)
    fresh = recipe.augmentation == "fresh" and strong
    return recipe.mixing is not None or recipe.defer > 0 or fresh


def rungs(epochs: int) -> list[int]:
    """Return the lengths of runs, shortest first; the last is the trainer's own."""
    return sorted({max(1, round(epochs / ETA**k)) for k in range(_RUNGS)})


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

    def identity(self, search: str) -> str:
        """Return what a result of it in a search is of: nothing else may stand in its place."""
        return identity({"search": search, "of": [self.name, *key_of(self.recipe, self.trainer)]})


@dataclass(frozen=True)
class Result:
    """What an attempt showed on validation.

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


def run_attempt(attempt: Attempt, setup: TrainingSetup, seed: int, folder: Path, of: str) -> Result:
    """Train and write the result to `folder`; a killed attempt goes on from its last epoch.

    The schedule is laid over the rung's epochs, so that a short run is a whole one. `of` is the
    search that it is a part of.
    """
    started, place = perf_counter(), folder / attempt.name
    place.mkdir(parents=True, exist_ok=True)
    trainer = attempt.trainer.model_copy(update={"epochs": attempt.epochs})
    objective, failed = setup.objective, ""
    auc: float | None = 0.0
    try:
        run = replace(setup, trainer=trainer).fit(attempt.recipe, seed, place)
    except WorkError as error:
        worst, failed = objective.worst, str(error)
        tuned = {**dict.fromkeys(objective.figures, 0.0), objective.figure: worst}
        plain, spent = {objective.name: worst}, perf_counter() - started
    else:
        tuned, plain = (run.metrics["validation"][decision] for decision in ("tuned", "plain"))
        auc = None if isnan(plain["roc_auc"]) else plain["roc_auc"]
        spent = max(run.metrics["seconds"], perf_counter() - started)
    result = Result(
        attempt.arm, attempt.epochs, tuned[objective.name], plain[objective.name], auc, spent,
        failed, float(objective.utility(tuned)),
    )  # fmt: skip
    write_sealed(place / _FILE, {**vars(result), "of": attempt.identity(of)})
    (place / CHECKPOINT).unlink(missing_ok=True)
    return result


def read_result(folder: Path, attempt: Attempt, of: str) -> Result | None:
    """Return the result of an attempt of the search `of` that has ended; another's is none."""
    try:
        found = read_sealed(folder / attempt.name / _FILE)
    except DamagedError:
        return None
    return Result(**found) if found.pop("of") == attempt.identity(of) else None
