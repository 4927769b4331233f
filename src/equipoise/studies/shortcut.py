"""Has a technique become the mark of a class, and what to do about it?

If only one class is ever seen with noise, a net may learn that noise means this class. The probe
shows every net of a study clean validation images of every class and the same images after each
technique, and counts what they are taken for. Some techniques make images harder for any net, so
the rise is set against the rise in the baseline's nets: what is left over, the *excess*, is what
the recipe taught.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from equipoise.engine import augment
from equipoise.files import is_sealed, read_json, write_json
from equipoise.images import ImageSet
from equipoise.mapped import blocks
from equipoise.recipes import Recipe
from equipoise.strengths import weaken
from equipoise.studies.estimates import Key, Number, Value, corrected, runs_alone
from equipoise.studies.inference import LEVEL, differences
from equipoise.studies.memorisation import MEMORY
from equipoise.techniques import Technique
from equipoise.training import Model, load_model
from equipoise.training.cached import decided_plainly

__all__ = [
    "FILE",
    "PROBES",
    "RECOGNISED",
    "Mark",
    "Rise",
    "Shortcut",
    "find_shortcuts",
    "predict_augmented",
    "probe",
    "probed",
    "remedied",
    "shortcut_matrix",
]

FILE = "shortcut.json"
# All that a run is asked once it is trained.
PROBES = (FILE, MEMORY)
# In the file beside the techniques: the same, of the images that are recognised when clean.
RECOGNISED = "recognised"


class Rise(Value):
    """What one technique does to how the nets of one recipe see one class.

    Attributes
    ----------
    clean, augmented : float
        The share of the class's images that is taken for another, clean and after the technique.
    control : float
        The same as `augmented`, in the baseline's nets.
    toward : str
        The class that gains most.
    gained : dict of str to float
        What each other class gains, as a share of the images; those that gain nothing are left out.
    excess : float
        The rise beyond that in the baseline's nets, with its 95 % interval by itself.
    p : float, optional
        Of the excess, corrected for all recipes, techniques and classes (Holm, 1979).
    """

    clean: float
    augmented: float
    control: float
    toward: str
    gained: dict[str, float]
    excess: Number
    excess_low: Number = None
    excess_high: Number = None
    p: Number = None


Shortcut = dict[str, dict[str, dict[str, Rise]]]


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

    clean, all_of_them = decided_plainly(model, validation.array), np.ones(len(labels), bool)
    found["clean"] = confusion(clean, all_of_them)
    for technique in missing:
        decided = predict_augmented(model, validation, technique, seed=seed, threads=1)
        found[technique.name] = confusion(decided, all_of_them)
        recognised[technique.name] = confusion(decided, clean == labels)
    write_json(path, found)


def probed(folder: Path) -> bool:
    """Whether a run has been probed, and what it answered is what was written."""
    return all(is_sealed(folder, name) for name in PROBES)


def shortcut_matrix(
    folders: Mapping[str, Sequence[Path]],
    reference: str,
    classes: Sequence[str],
    keys: Sequence[Key],
) -> Shortcut:
    """Return `summary.shortcut`: recipe, technique, class to `Rise`.

    Parameters
    ----------
    folders : mapping of recipe name to the folders of its probed runs
        The same runs in the same order for every recipe.
    reference : str
        The recipe whose rise is the control.
    classes : sequence of str
    keys : sequence
        Seed and draw of each run.
    """
    order = [reference, *(name for name in folders if name != reference)]
    probes = {name: [read_json(folder / FILE) for folder in folders[name]] for name in order}
    found: dict[tuple[str, str, str], Rise] = {}
    for technique in _common(probes):
        clean = np.stack([[_shares(run, "clean") for run in probes[name]] for name in order])
        shown = np.stack([[_shares(run, technique) for run in probes[name]] for name in order])
        for row, label in enumerate(classes):
            rises = _rises(clean, shown, row, classes, keys)
            found |= {(name, technique, label): rises[k] for k, name in enumerate(order)}
    matrix: Shortcut = {name: {} for name in folders}
    for (name, technique, label), one in corrected(found).items():
        matrix[name].setdefault(technique, {})[label] = one
    return matrix


def _common(probes: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    every = [run for runs in probes.values() for run in runs]
    techniques = [name for name in every[0] if name not in ("clean", RECOGNISED)]
    return [name for name in techniques if all(name in run for run in every)]


def _shares(run: dict[str, Any], technique: str) -> NDArray[np.float64]:
    """Rows: true class; columns: share predicted as each."""
    confusion = np.asarray(run[technique], np.float64)
    return confusion / np.maximum(confusion.sum(1, keepdims=True), 1)


def _rises(
    clean: NDArray[np.float64],
    shown: NDArray[np.float64],
    row: int,
    classes: Sequence[str],
    keys: Sequence[Key],
) -> list[Rise]:
    """Return each recipe's rise for one class, from (recipes, runs, K, K) shares."""
    rises = clean[:, :, row, row] - shown[:, :, row, row]
    excess = differences(runs_alone(rises, keys, bounds=(-1.0, 1.0)))
    before, after = (part.mean(1)[:, row] for part in (clean, shown))
    gained = after - before
    gained[:, row] = -np.inf
    return [
        Rise(
            clean=1 - before[k, row],
            augmented=1 - after[k, row],
            control=1 - after[0, row],
            toward=classes[int(gained[k].argmax())],
            gained={classes[j]: float(gain) for j, gain in enumerate(gained[k]) if gain > 0},
            excess=0.0 if found is None else found.mean,
            excess_low=None if found is None else found.low,
            excess_high=None if found is None else found.high,
            p=None if found is None else found.p,
        )
        for k, found in enumerate(excess)
    ]


def predict_augmented(
    model: Model, images: ImageSet, technique: Technique, *, seed: int, threads: int | None = None
) -> NDArray[np.int64]:
    """Return the (N,) labels that a model decides on plainly after a technique.

    Some images at a time: an image's augmentation does not depend on its company.
    """
    pixels, decided = images.array, np.empty(len(images), np.int64)
    for block in blocks(pixels.shape):
        shown = augment(pixels[block], technique, seed=seed, ids=images.ids[block], threads=threads)
        decided[block] = decided_plainly(model, np.asarray(shown))
    return decided


# Smaller rises are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.05
_NAMED = 4  # classes in one sentence


class Mark(Value):
    """A technique that nets of a recipe take for the mark of some classes.

    Attributes
    ----------
    recipe, technique : str
    classes : tuple of str
        What it is a mark of: one class where that takes at least half of what the others lose, else
        the fewest classes that do so together.
    lost : tuple of str
        The classes whose images are taken for others, the worst first.
    sentence : str
    """

    recipe: str
    technique: str
    classes: tuple[str, ...]
    lost: tuple[str, ...]
    sentence: str


def find_shortcuts(
    matrix: Shortcut, reference: str, recipes: Mapping[str, Recipe]
) -> tuple[tuple[Mark, ...], dict[str, str]]:
    """Return the marks, and for each recipe with some the YAML of one without.

    A recipe teaches a mark only by a technique that it shows its nets. What counts is a rise that
    is there, is larger than the baseline's beyond chance (after Holm's correction over all recipes,
    techniques and classes) and ends beyond it: a net that is better on clean images can rise
    further to the same end.
    """
    marks: list[Mark] = []
    remedies: dict[str, str] = {}
    for name in matrix:
        if name == reference:
            continue
        shown = {technique.name for technique in recipes[name].resolved()}
        found = {technique: _lost(of) for technique, of in matrix[name].items()}
        mine = [technique for technique, lost in found.items() if lost and technique in shown]
        marks += [
            _mark(recipes[name], one, matrix[name][one], found[one], reference) for one in mine
        ]
        if mine:
            remedies[name] = remedied(recipes[name], mine).to_yaml()
    return tuple(marks), remedies


def _lost(rises: Mapping[str, Rise]) -> list[str]:
    """The classes that surely lose by a technique, the worst first."""
    lost = [label for label, rise in rises.items() if _is_lost(rise)]
    return sorted(lost, key=lambda label: -(rises[label].excess or 0.0))


def _is_lost(rise: Rise) -> bool:
    if rise.p is None or rise.excess is None:
        return False
    least = min(rise.augmented - rise.clean, rise.augmented - rise.control, rise.excess)
    return rise.p < LEVEL and least >= _WORTH_SAYING


def _takers(rises: Sequence[Rise]) -> tuple[str, ...]:
    """The fewest classes that together take at least half of what is lost."""
    total: dict[str, float] = {}
    for rise in rises:
        for label, share in rise.gained.items():
            total[label] = total.get(label, 0.0) + share
    chosen: list[str] = []
    for label in sorted(total, key=lambda label: -total[label]):
        chosen.append(label)
        if 2 * sum(total[one] for one in chosen) >= sum(total.values()):
            break
    return tuple(chosen)


def _mark(
    recipe: Recipe, technique: str, rises: Mapping[str, Rise], lost: list[str], reference: str
) -> Mark:
    takers = _takers([rises[label] for label in lost])
    told = [
        f"{rises[label].augmented:.0%} of the images of {label} are taken for another class "
        f"({rises[label].clean:.0%} when clean; {rises[label].control:.0%} in the nets of "
        f"'{reference}')"
        for label in lost[:_NAMED]
    ]
    if len(lost) > _NAMED:
        told.append(f"and so it is with {len(lost) - _NAMED} more")
    return Mark(
        recipe=recipe.name,
        technique=technique,
        classes=takers,
        lost=tuple(lost),
        sentence=(
            f"In nets trained with '{recipe.name}', {technique} has become a mark of "
            f"{_together(takers)}: after {technique}, {'; '.join(told)}. "
            f"{_remedy(recipe, technique)}"
        ),
    )


def _together(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return classes[0]
    if len(classes) > _NAMED:
        return f"a group of {len(classes)} classes"
    return f"the group of {', '.join(classes[:-1])} and {classes[-1]}"


def _remedy(recipe: Recipe, technique: str) -> str:
    if recipe.scope == "all":
        return (
            "The recipe shows it to every class already, so show a weaker one: "
            f"'{remedied(recipe, [technique]).name}' has it at half its strength."
        )
    return (
        f"Show it to every class alike, anew each time: '{remedied(recipe, [technique]).name}' has "
        "scope: all and augmentation: fresh."
    )


def remedied(recipe: Recipe, marks: Sequence[str]) -> Recipe:
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
