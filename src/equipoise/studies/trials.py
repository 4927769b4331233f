"""One run of a study: a recipe trained with one seed on one draw of the data, in its own folder."""

from dataclasses import dataclass
from pathlib import Path

from equipoise.errors import DamagedError, WorkError
from equipoise.files import read_sealed, write_sealed, write_text
from equipoise.images import Splits
from equipoise.objectives import Objective
from equipoise.recipes import Recipe
from equipoise.studies.drawing import drawn, folded, with_real
from equipoise.studies.formats import ORACLE
from equipoise.training import Equal, Progress, Trainer, fit, write_run
from equipoise.training.runs import finished

__all__ = [
    "FAILED",
    "Trial",
    "failure",
    "finished",
    "folder_of",
    "over",
    "progress_of",
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


def run_trial(
    trial: Trial,
    data: Splits,
    trainer: Trainer,
    equal: Equal,
    objective: Objective,
    device: str,
    folder: Path,
    of: str,
) -> None:
    """Train, and write the run to `folder`; a run that fails leaves the reason there instead.

    `data` is the study's; the run's own is made from it here, where the run takes place. `of` is
    what the run's files are of, see `intact.of_trial`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "progress"

    def note(progress: Progress) -> None:
        if progress.row is not None:
            write_text(marker, str(progress.epoch))

    try:
        run = fit(
            trial.data(data),
            trial.recipe,
            trainer,
            seed=trial.seed,
            equal=equal,
            objective=objective,
            folder=folder,
            progress=note,
            device=device,
        )
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
