"""The shortcut probe: has a technique become the mark of a class?

If only one class is ever seen with noise, a net may learn that noise means this class. The probe
shows every net of a study clean validation images of every class and the same images after each
technique, and counts what they are taken for. Some techniques make images harder for any net, so
the rise is set against the rise in the baseline's nets: what is left over, the *excess*, is what
the recipe taught. Where that is no accident, and what it is a mark of, `marks` says.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from equipoise.files import is_sealed, read_json, write_json
from equipoise.images import ImageSet
from equipoise.studies.after import decided_after
from equipoise.studies.estimates import Key, runs_alone
from equipoise.studies.inference import differences
from equipoise.studies.memory import MEMORY
from equipoise.studies.multiplicity import holm
from equipoise.studies.values import Number, Value
from equipoise.techniques import Technique
from equipoise.training import load_model

__all__ = ["FILE", "PROBES", "RECOGNISED", "Rise", "Shortcut", "probe", "probed", "shortcut_matrix"]

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
    p = holm([np.nan if one.p is None else one.p for one in found.values()])
    matrix: Shortcut = {name: {} for name in folders}
    for (name, technique, label), one, corrected in zip(found, found.values(), p, strict=True):
        judged = one.model_copy(update={"p": None if np.isnan(corrected) else float(corrected)})
        matrix[name].setdefault(technique, {})[label] = judged
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
