"""The diagnostics of a study: why its figures are what they are, for the summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.recipes import Recipe
from equipoise.studies.estimates import Key
from equipoise.studies.marks import find_marks
from equipoise.studies.memory import memory_table, memory_words
from equipoise.studies.safety import Safety, safety_matrix, safety_warnings, safety_words
from equipoise.studies.scoring import Runs
from equipoise.studies.shortcut import Shortcut, probed, shortcut_matrix
from equipoise.studies.trials import Trial, folder_of

__all__ = ["diagnose"]

# The folder of each probed run of a recipe.
Folders = Mapping[str, Mapping[Key, Path]]


def diagnose(
    folder: Path, runs: Runs, facts: Mapping[str, Any], recipes: Mapping[str, Recipe]
) -> dict[str, Any]:
    """Return the diagnostics, by the fields that they have in the summary.

    Parameters
    ----------
    folder : Path
        Of the study.
    runs : mapping of recipe to its finished runs
    facts : mapping
        What study.json holds.
    recipes : mapping of name to Recipe
    """
    reference, classes = facts["recipes"][0], facts["data"]["classes"]
    folders = {
        name: {
            outcome.key: path
            for outcome in of
            if probed(path := folder_of(folder, Trial(recipes[name], *outcome.key)))
        }
        for name, of in runs.items()
    }
    matrix = _shortcut(folders, reference, classes)
    marks, remedies = find_marks(matrix, reference, recipes)
    safety = _safety(folders, recipes.get(reference), reference, classes)
    memory = memory_table(folders)
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
    return safety_matrix(list(folders[reference].values()), classes, own)
