"""What the nets of a study are asked once they are trained, and what their answers say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.files import is_sealed, seal
from equipoise.images import ImageSet, Splits
from equipoise.recipes import Recipe
from equipoise.studies.estimates import Key
from equipoise.studies.label_preservation import (
    Safety,
    label_preservation_of_runs,
    safety_warnings,
    safety_words,
)
from equipoise.studies.memorisation import (
    MEMORY,
    measure_memorisation,
    memorisation_table,
    memory_words,
)
from equipoise.studies.scoring import Runs
from equipoise.studies.shortcut import (
    PROBES,
    Shortcut,
    find_shortcuts,
    probe,
    probed,
    shortcut_matrix,
)
from equipoise.studies.study_file import StudyFile
from equipoise.studies.trials import Trial, folder_of
from equipoise.techniques import Technique

__all__ = ["diagnose", "run_probes"]


def run_probes(
    folder: Path, trial: Trial, data: Splits, techniques: Sequence[Technique], seed: int
) -> None:
    """Write what one run's net makes of augmented validation images and of its training images.

    Parameters
    ----------
    folder : Path
        Of the run; what it has answered before is kept.
    trial : Trial
    data : Splits
        The study's; the run's own is made from it.
    techniques : sequence of Technique
        All that the study's recipes use.
    seed : int
        Of the study.
    """
    for name in PROBES:
        if not is_sealed(folder, name):  # a killed run's, perhaps
            (folder / name).unlink(missing_ok=True)
    probe(folder, _validation(data, trial), techniques, seed)
    if not (folder / MEMORY).is_file():
        measure_memorisation(folder, trial.data(data), trial.recipe, trial.seed)
    if not probed(folder):
        seal(folder, PROBES)


def _validation(data: Splits, trial: Trial) -> ImageSet:
    """The images a run's decision was tuned on; draws have them in common."""
    return data.validation if trial.folds is None else trial.data(data).validation


# The folder of each probed run of a recipe.
Folders = Mapping[str, Mapping[Key, Path]]


def diagnose(
    folder: Path, runs: Runs, recipes: Mapping[str, Recipe], about: StudyFile
) -> dict[str, Any]:
    """Return the diagnostics, by the fields that they have in the summary.

    Parameters
    ----------
    folder : Path
        Of the study.
    runs : mapping of recipe to its finished runs
    recipes : mapping of name to Recipe
    about : StudyFile
    """
    reference, classes = about.recipes[0], list(about.data.classes)
    folders = {
        name: {
            outcome.key: path
            for outcome in of
            if probed(path := folder_of(folder, Trial(recipes[name], *outcome.key)))
        }
        for name, of in runs.items()
    }
    matrix = _shortcut(folders, reference, classes)
    marks, remedies = find_shortcuts(matrix, reference, recipes)
    safety = _safety(folders, recipes.get(reference), reference, classes)
    memory = memorisation_table(folders)
    return {
        "shortcut": matrix,
        "marks": marks,
        "shortcut_remedies": remedies,
        "label_safety": safety,
        "label_safety_words": tuple(safety_words(safety)),
        "label_safety_warnings": tuple(safety_warnings(safety)),
        "memory": memory,
        "memory_words": tuple(memory_words(memory)),
        "generated": {
            name: dict(of[0].cost.generated)
            for name, of in runs.items()
            if of[0].cost is not None and of[0].cost.generated
        },
    }


def _shortcut(folders: Folders, reference: str, classes: list[str]) -> Shortcut:
    """The matrix over those runs (seed, draw) that are probed for every recipe."""
    if not folders.get(reference):
        return {}
    common = sorted(set.intersection(*(set(of) for of in folders.values())))
    if not common:
        return {}
    paths = {name: [of[key] for key in common] for name, of in folders.items()}
    return shortcut_matrix(paths, reference, classes, common)


def _safety(folders: Folders, recipe: Recipe | None, reference: str, classes: list[str]) -> Safety:
    """What the reference's nets make of techniques that they were not trained with."""
    if recipe is None or not folders.get(reference):
        return {}
    own = {technique.name for technique in recipe.resolved()}
    return label_preservation_of_runs(list(folders[reference].values()), classes, own)
