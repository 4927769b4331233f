"""One run of a study: a recipe trained with one seed on one draw of the data, and what it left."""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import DamagedError, Remark, WorkError, require
from equipoise.files import read_json, read_sealed, write_sealed, write_text
from equipoise.images import LeftOut, Splits
from equipoise.objectives import Objective, ObjectiveLike
from equipoise.parallel import check_backend
from equipoise.readers import check_apart, read
from equipoise.recipes import Recipe
from equipoise.selection import Selection
from equipoise.studies.drawing import drawn, folded, with_real
from equipoise.studies.formats import ORACLE
from equipoise.training import (
    Equal,
    Progress,
    Trainer,
    TrainerLike,
    aim,
    check,
    fit,
    get_device,
    large_side,
    with_trainer,
    write_run,
)
from equipoise.training.decisions import Decision, plain
from equipoise.training.predictions import Predictions, read_predictions
from equipoise.training.runs import METRICS, Run, finished

__all__ = [
    "FAILED",
    "Cost",
    "Outcome",
    "TrainingSetup",
    "Trial",
    "by_recipe",
    "check_output",
    "check_setup",
    "failure",
    "finished",
    "folder_of",
    "over",
    "progress_of",
    "read_for",
    "read_outcome",
    "run_trial",
]

FAILED = "failed.json"


@dataclass(frozen=True)
class Trial:
    """What one run is: everything about it that differs between the runs of a study.

    Attributes
    ----------
    recipe : Recipe
        The recipe called `ORACLE` is trained on the real images that a selection left out, too.
    seed : int
    draw : int
        Which draw of the training images; 0 is the data as given. With folds, which of them.
    folds : int, optional
        Of how many folds.
    """

    recipe: Recipe
    seed: int
    draw: int = 0
    folds: int | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.recipe.name}-seed{self.seed}-draw{self.draw}"

    def __str__(self) -> str:
        kind = "draw" if self.folds is None else "fold"
        return f"{self.recipe.name} seed {self.seed} {kind} {self.draw}"

    def data(self, data: Splits) -> Splits:
        """Return what this run is trained and tested on, made from the study's data."""
        if self.folds is not None:
            return folded(data, self.draw, self.folds)
        given = drawn(data, self.draw)
        return with_real(given) if self.recipe.name == ORACLE else given


@dataclass(frozen=True)
class TrainingSetup:
    """What all runs of a study or search have in common, and where they take place.

    Attributes
    ----------
    data : Splits
    trainer : Trainer
    equal : {'steps', 'epochs'}
    objective : Objective
        Of the data set's classes.
    device : str
    jobs : int, optional
        Runs side by side; None for one a core.
    backend : {'loky', 'ray'}
    left_out : tuple of LeftOut
        What is not used of the data and of the recipes' `extra` folders.
    """

    data: Splits
    trainer: Trainer
    equal: Equal
    objective: Objective
    device: str
    jobs: int | None = None
    backend: str = "loky"
    left_out: tuple[LeftOut, ...] = ()

    @property
    def blind(self) -> "TrainingSetup":
        """The same without a test split, in whose place validation stands."""
        return replace(self, data=replace(self.data, test=self.data.validation))

    def fit(
        self,
        recipe: Recipe,
        seed: int,
        folder: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Run:
        """Train with a recipe and a seed; in a folder a killed run goes on."""
        return fit(
            self.data, recipe, self.trainer, seed=seed, equal=self.equal,
            objective=self.objective, folder=folder, progress=progress, device=self.device,
        )  # fmt: skip


def read_for(
    trainer: TrainerLike | None,
    data: Splits | str | Path,
    *,
    epochs: int | None,
    seed: int,
) -> tuple[Splits, Trainer]:
    """Return the data as a trainer takes them, and the trainer; an unnamed one is by the data."""
    large = large_side(trainer)  # an unknown name is refused before anything is read
    splits = data if isinstance(data, Splits) else read(data, Selection(seed=seed, large=large))
    return with_trainer(splits, trainer, epochs=epochs)


def check_setup(
    data: Splits,
    recipes: Sequence[Recipe],
    trainer: Trainer,
    *,
    equal: str,
    objective: ObjectiveLike,
    device: str,
    jobs: int | None,
    backend: str,
) -> TrainingSetup:
    """Return how runs are trained on the data; what is left out of `extra` folders is told.

    Raises
    ------
    InputError
        For a value or recipe that is not right or does not go with the data.
    """
    require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
    check_backend(backend)
    device = get_device(device).type  # settled here: machines of a cluster may differ
    left_out = list(data.left_out)
    for recipe in recipes:
        joined = check(data, recipe, trainer, equal=equal, objective=objective)
        left_out += [one for one in joined.left_out if one not in left_out]
    for one in left_out[len(data.left_out) :]:
        warnings.warn(Remark(one.line), stacklevel=3)
    goal = aim(data, objective)
    same: Equal = "epochs" if equal == "epochs" else "steps"
    return TrainingSetup(data, trainer, same, goal, device, jobs, backend, tuple(left_out))


def check_output(out: str | Path | None, data: Splits, recipes: Sequence[Recipe]) -> Path:
    """Return the folder that is written to, by default a temporary one; it holds no source."""
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="equipoise-"))
    for source in (data.source, *(recipe.extra or "" for recipe in recipes)):
        check_apart(folder, source)
    return folder


def run_trial(trial: Trial, setup: TrainingSetup, folder: Path, of: str) -> None:
    """Train, and write the run to `folder`; a run that fails leaves the reason there instead.

    The setup's data are the study's; the run's own are made from them here, where the run takes
    place. `of` is what the run's files are of, see `integrity.trial_identity`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "progress"

    def note(progress: Progress) -> None:
        if progress.row is not None:
            write_text(marker, str(progress.epoch))

    try:
        own = replace(setup, data=trial.data(setup.data))
        run = own.fit(trial.recipe, trial.seed, folder, note)
    except WorkError as error:
        write_sealed(folder / FAILED, {"reason": str(error), "of": of})
    else:
        write_run(folder, run, of)
    marker.unlink(missing_ok=True)


def folder_of(study: Path, trial: Trial) -> Path:
    """Return a run's folder within its study's."""
    return study / "trials" / trial.name


def failure(folder: Path) -> str | None:
    """Return why a run failed, or None where it did not."""
    try:
        return None if finished(folder) else str(read_sealed(folder / FAILED)["reason"])
    except DamagedError:
        return None


def over(folder: Path) -> bool:
    """Whether a run has ended, one way or the other: it is not begun again."""
    return finished(folder) or failure(folder) is not None


def progress_of(folder: Path) -> int:
    """Return how many epochs of an unfinished run are done."""
    try:
        return int((folder / "progress").read_text())
    except (OSError, ValueError):
        return 0


@dataclass(frozen=True)
class Cost:
    """What a run of our own took, and what its net saw.

    Attributes
    ----------
    seconds, steps, passes : float
        None of a function's run, of which only the seconds are known.
    images, sources : mapping of class to int
        Different images that the net was shown, and different images that these were made from.
    generated : mapping of class to int
        Training images that are from elsewhere than the data set.
    """

    seconds: float
    steps: float | None
    passes: float | None
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
    remarks : tuple of str
        What should be said of the run, besides its decision's.
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
    adjusted, seen = metrics.get("adjusted"), metrics.get("seen") or {}
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
            steps=metrics.get("steps"),
            passes=metrics.get("passes"),
            images=seen.get("images", {}),
            sources=seen.get("sources", {}),
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
