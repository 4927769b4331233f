"""Which runs of a study are what was written: damaged, edited and swapped ones are not used.

`compare` makes them again; what only reads a study leaves them out. Both name them.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree

from equipoise.errors import DamagedError, InputError, Remark
from equipoise.files import damage, read_sealed
from equipoise.studies.shortcut import PROBES
from equipoise.studies.study_file import StudyFile, read_plan, read_study_file
from equipoise.studies.trials import FAILED, Trial, folder_of
from equipoise.training.fingerprints import identity
from equipoise.training.runs import finished, wrong_with

__all__ = ["damaged", "is_intact", "left_out", "remove_damaged", "trial_identity"]


def trial_identity(trial: Trial, about: StudyFile) -> str:
    """Return what the files of a run are of: the run, and the study that it is a part of.

    Parameters
    ----------
    trial : Trial
    about : StudyFile
    """
    return identity(
        {
            "study": about.fingerprint,
            "trial": [trial.name, trial.folds],
            "recipe": trial.recipe.model_dump(mode="json", exclude_defaults=True),
            "contents": about.contents.get(trial.recipe.name),
        }
    )


def damaged(folder: Path, trials: Sequence[Trial], about: StudyFile) -> dict[str, str]:
    """Return what is wrong with a study's files, by the folder of the run or the probe's file.

    Parameters
    ----------
    folder : Path
        Of the study.
    trials : sequence of Trial
    about : StudyFile
    """
    found = {}
    for trial in trials:
        place = folder_of(folder, trial)
        if wrong := _of_run(place, trial_identity(trial, about)):
            found[trial.name] = wrong
        else:
            found |= {f"{trial.name}/{name}": wrong for name, wrong in _of_probes(place)}
    return found


def _of_run(place: Path, of: str) -> str | None:
    if (wrong := wrong_with(place, of)) or not (place / FAILED).exists():
        return wrong
    try:
        return None if read_sealed(place / FAILED)["of"] == of else "it is of another run"
    except DamagedError:
        return f"{FAILED} is not what was written"


def _of_probes(place: Path) -> Iterator[tuple[str, str]]:
    if finished(place):
        for name in PROBES:
            if damage(place, [name]):
                yield name, "it is not what was written"


def is_intact(folder: Path) -> bool:
    """Whether all that a study on disk rests on is what was written."""
    try:
        about = read_study_file(folder)
        return not damaged(folder, read_plan(folder).trials, about)
    except InputError:
        return False


def left_out(folder: Path, trials: Sequence[Trial], about: StudyFile) -> dict[str, str]:
    """Return what is damaged, and say that it is left out."""
    found = damaged(folder, trials, about)
    for name, wrong in found.items():
        line = f"{folder / 'trials' / name}: {wrong}. It is left out."
        warnings.warn(Remark(line), stacklevel=3)
    return found


def remove_damaged(folder: Path, trials: Sequence[Trial], about: StudyFile) -> None:
    """Take away what is damaged, so that it is made again, and say so."""
    for name, wrong in damaged(folder, trials, about).items():
        path = folder / "trials" / name
        what = "file" if path.name in PROBES else "run"
        warnings.warn(Remark(f"{path}: {wrong}. The {what} is made again."), stacklevel=3)
        if path.is_dir() and not path.is_symlink():
            rmtree(path)
        else:
            path.unlink(missing_ok=True)
