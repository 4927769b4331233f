"""The diagnostics of a study: why its figures are what they are, for `summary.json`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.recipes import Recipe
from equipoise.studies.calibration import calibration
from equipoise.studies.gains import gains
from equipoise.studies.memory import memory_table, memory_words
from equipoise.studies.safety import safety_matrix, safety_warnings, safety_words
from equipoise.studies.shortcut import probed, shortcut_remedies
from equipoise.studies.trials import ORACLE, Outcome, folder_of

__all__ = ["diagnose"]


def diagnose(
    folder: Path,
    outcomes: Mapping[str, Sequence[Outcome]],
    facts: Mapping[str, Any],
    tables: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the diagnostics, by the keys that they have in the summary.

    Parameters
    ----------
    folder : Path
        Of the study.
    outcomes : mapping of recipe to its finished runs
    facts : mapping
        What study.json holds.
    tables : mapping
        The summary's `differences` and `shortcut`.
    """
    names = [name for name in facts["recipes"] if name != ORACLE]
    recipes = {name: of[0].trial.recipe for name, of in outcomes.items()}
    folders = {
        name: [folder_of(folder, o.trial) for o in of if probed(folder_of(folder, o.trial))]
        for name, of in outcomes.items()
    }
    memory, safety = memory_table(folders), _safety(folders, recipes, facts)
    audited = facts["data"]["audit"]["classes"]
    return {
        "shortcut_remedies": shortcut_remedies(tables["shortcut"], names[0], recipes),
        "label_safety": safety,
        "label_safety_words": safety_words(safety),
        "label_safety_warnings": safety_warnings(safety),
        "memory": memory,
        "memory_words": memory_words(memory),
        "gain": gains(tables["differences"], names, facts["objective"]),
        "calibration": calibration(outcomes, audited, facts.get("prior")),
        "generated": {
            name: of[0].metrics["generated"]
            for name, of in outcomes.items()
            if of[0].metrics.get("generated")
        },
    }


def _safety(
    folders: Mapping[str, Sequence[Path]], recipes: Mapping[str, Recipe], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What the reference's nets make of techniques that they were not trained with."""
    reference = facts["recipes"][0]
    if reference not in recipes or not folders[reference]:
        return {}
    own = {technique.name for technique in recipes[reference].resolved()}
    matrix = safety_matrix(folders[reference], facts["data"]["classes"])
    return {name: classes for name, classes in matrix.items() if name not in own}
