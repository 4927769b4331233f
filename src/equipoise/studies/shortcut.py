"""The shortcut probe: has a technique become the mark of a class?

If only one class is ever seen with noise, a net may learn that noise means this class. The probe
shows every net of a study clean validation images of every class and the same images after each
technique, and counts what they are taken for. Some techniques make images harder for any net, so
the rise is set against the rise in the baseline's nets: what is left over, the *excess*, is what
the recipe taught. A net that is better on clean images can rise further to the same end, which is
no mark of a class: a sentence is written only where the augmented images fare worse than in the
baseline's nets, too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from equipoise.files import is_sealed, read_json, write_json
from equipoise.images import ImageSet
from equipoise.recipes import Recipe
from equipoise.strengths import weaken
from equipoise.studies.after import decided_after
from equipoise.studies.memory import MEMORY
from equipoise.studies.statistics import estimate, paired
from equipoise.techniques import Technique
from equipoise.training import load_model

__all__ = [
    "FILE",
    "PROBES",
    "RECOGNISED",
    "mended",
    "probe",
    "probed",
    "shortcut_matrix",
    "shortcut_remedies",
    "shortcut_words",
]

FILE = "shortcut.json"
# All that a run is asked once it is trained.
PROBES = (FILE, MEMORY)
# In the file beside the techniques: the same, of the images that are recognised when clean.
RECOGNISED = "recognised"
# Smaller rises are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.05


def probe(folder: Path, validation: ImageSet, techniques: Sequence[Technique], seed: int) -> None:
    """Write the confusion matrices of one run's net on clean and augmented validation images.

    Each is written twice: of all images, and of those that the net recognises when clean. What an
    earlier probe of the same folder found is kept; only what is missing is computed.
    """
    path = folder / FILE
    found = read_json(path) if path.is_file() else {}
    recognised = found.setdefault(RECOGNISED, {})
    missing = [t for t in techniques if t.name not in recognised]
    if not missing and "clean" in found:
        return
    model = load_model(folder)
    labels, every = validation.labels, np.arange(len(validation.classes))

    def confusion(decided: NDArray[np.int64], among: NDArray[np.bool_]) -> list[list[int]]:
        return confusion_matrix(labels[among], decided[among], labels=every).tolist()

    clean, all_of_them = model.predict(validation.array, "plain"), np.ones(len(labels), bool)
    found["clean"] = confusion(clean, all_of_them)
    for technique in missing:
        decided = decided_after(model, validation, technique, seed=seed, threads=1)
        found[technique.name] = confusion(decided, all_of_them)
        recognised[technique.name] = confusion(decided, clean == labels)
    write_json(path, found)


def probed(folder: Path) -> bool:
    """Whether a run has been probed, and what it answered is what was written."""
    return all(is_sealed(folder, name) for name in PROBES)


def shortcut_matrix(
    folders: Mapping[str, Sequence[Path]], reference: str, classes: Sequence[str]
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Return `summary["shortcut"]`: recipe, technique, class to shares and excess.

    Parameters
    ----------
    folders : mapping of recipe name to the folders of its probed runs
        The same runs (seed, draw) in the same order for every recipe.
    reference : str
        The recipe whose rise is the control.
    classes : sequence of str
    """
    probes = {name: [read_json(folder / FILE) for folder in runs] for name, runs in folders.items()}
    return {
        name: {
            technique: {
                label: _entry(runs, probes[reference], technique, row, classes)
                for row, label in enumerate(classes)
            }
            for technique in _common(probes)
        }
        for name, runs in probes.items()
    }


def _common(probes: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    every = [run for runs in probes.values() for run in runs]
    techniques = [name for name in every[0] if name not in ("clean", RECOGNISED)]
    return [name for name in techniques if all(name in run for run in every)]


def _shares(run: dict[str, Any], technique: str) -> NDArray[np.float64]:
    """Rows: true class; columns: share predicted as each."""
    confusion = np.asarray(run[technique], np.float64)
    return confusion / np.maximum(confusion.sum(1, keepdims=True), 1)


def _rises(runs: list[dict[str, Any]], technique: str, row: int) -> NDArray[np.float64]:
    """Rise of the share of a class that is taken for another, one value a run."""
    return np.array(
        [_shares(run, "clean")[row, row] - _shares(run, technique)[row, row] for run in runs]
    )


def _entry(
    runs: list[dict[str, Any]],
    control: list[dict[str, Any]],
    technique: str,
    row: int,
    classes: Sequence[str],
) -> dict[str, Any]:
    clean = np.mean([_shares(run, "clean")[row] for run in runs], axis=0)
    shown = np.mean([_shares(run, technique)[row] for run in runs], axis=0)
    gained = shown - clean
    gained[row] = -np.inf
    excess = estimate(paired(_rises(runs, technique, row), _rises(control, technique, row)))
    return {
        "clean": float(1 - clean[row]),
        "augmented": float(1 - shown[row]),
        "control": float(1 - np.mean([_shares(run, technique)[row, row] for run in control])),
        "toward": classes[int(gained.argmax())],
        "excess": excess.mean,
        "excess_low": excess.low,
        "excess_high": excess.high,
    }


def shortcut_words(
    matrix: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]],
    reference: str,
    recipes: Mapping[str, Recipe],
) -> list[str]:
    """Say in plain sentences which technique has become the mark of which class, and the remedy."""
    return [
        f"In nets trained with '{recipe}', {technique} has become a mark of {entry['toward']}: "
        f"after {technique}, {entry['augmented']:.0%} of the images of {label} are taken "
        f"for another class ({entry['clean']:.0%} when clean; {entry['control']:.0%} in the nets "
        f"of '{reference}'). "
        f"{_remedy(recipes[recipe], technique)}"
        for recipe, techniques in matrix.items()
        for technique, labels in techniques.items()
        for label, entry in labels.items()
        if recipe != reference and technique in _shown(recipes[recipe]) and _is_mark(entry)
    ]


def _remedy(recipe: Recipe, technique: str) -> str:
    if recipe.scope == "all":
        return (
            "The recipe shows it to every class already, so show a weaker one: "
            f"'{mended(recipe, [technique]).name}' has it at half its strength."
        )
    return (
        f"Show it to every class alike, anew each time: '{mended(recipe, [technique]).name}' has "
        "scope: all and augmentation: fresh."
    )


def mended(recipe: Recipe, marks: Sequence[str]) -> Recipe:
    """Return the recipe with the change that keeps `marks`, names of techniques, from being marks.

    Every class sees them alike and anew; where that is so already, they are at half their strength.
    """
    if recipe.scope != "all":
        change: dict[str, Any] = {"scope": "all", "augmentation": "fresh"}
        return recipe.model_copy(update={"name": f"{recipe.name[:60]}-all", **change})
    specs = [
        weaken(technique, 0.5).spec
        if technique.name in marks and technique.function is None
        else spec
        for technique, spec in zip(recipe.resolved(), recipe.techniques, strict=True)
    ]
    return recipe.model_copy(
        update={"name": f"{recipe.name[:59]}-half", "techniques": tuple(specs)}
    )


def shortcut_remedies(
    matrix: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]],
    reference: str,
    recipes: Mapping[str, Recipe],
) -> dict[str, str]:
    """Return, for each recipe with a technique that marks a class, the YAML of one without."""
    remedies = {}
    for recipe, techniques in matrix.items():
        shown = _shown(recipes[recipe])
        found = {name: of.values() for name, of in techniques.items() if name in shown}
        marks = [name for name, entries in found.items() if any(map(_is_mark, entries))]
        if marks and recipe != reference:
            remedies[recipe] = mended(recipes[recipe], marks).to_yaml()
    return remedies


def _shown(recipe: Recipe) -> set[str]:
    """The techniques that a recipe shows its nets: no other can be a mark that it taught them."""
    return {technique.name for technique in recipe.resolved()}


def _is_mark(entry: Mapping[str, Any]) -> bool:
    """Whether a rise is there, is surely larger than the control's, and ends beyond it."""
    rise, beyond = (entry["augmented"] - entry[key] for key in ("clean", "control"))
    return entry["excess_low"] > 0 and min(rise, beyond, entry["excess"]) >= _WORTH_SAYING
