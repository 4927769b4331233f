"""Label safety: does a technique leave an image of its class, or turn it into something else?

A mirrored letter is no letter, and a 6 turned upside down is a 9. A net that was trained without a
technique can tell: of the validation images that it recognises when clean, how many does it no
longer recognise after the technique, and what does it take them for? It cannot tell a picture of
another class from one of a kind that it has never seen, so what is named here is to be looked at.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from equipoise.errors import DamagedError, InputError, printable, require
from equipoise.files import damage, read_json
from equipoise.images import ImageSet, Splits
from equipoise.studies.after import decided_after
from equipoise.studies.shortcut import FILE, RECOGNISED
from equipoise.studies.statistics import CONFIDENCE
from equipoise.techniques import resolve
from equipoise.training import Model
from equipoise.training.predictions import PREDICTIONS, read_predictions
from equipoise.training.runs import finished

__all__ = ["label_safety", "safety_matrix", "safety_warnings", "safety_words"]

# A technique is named where surely more than this share is no longer recognised.
_UNSAFE = 0.25
_NAMED = 4  # classes in one sentence
_MOST = 2 / 3  # of the classes: beyond this the technique is hard altogether

Safety = dict[str, dict[str, dict[str, Any]]]


def label_safety(
    model: Model, data: Splits | ImageSet, techniques: Sequence[object], *, seed: int = 0
) -> Safety:
    """Say what each technique does to the images of each class, before it is used.

    Parameters
    ----------
    model : Model
        Trained without the techniques, such as by the recipe `none`.
    data : Splits or ImageSet
        Of splits, the validation images; images that the net was trained on say too little.
    techniques : sequence of str, dict, Technique or callable
    seed : int

    Returns
    -------
    dict
        From technique to class to ``images`` (how many the net recognises when clean), ``lost``
        (the share of them that it no longer recognises) with ``low`` and ``high``, ``toward`` (the
        class that most of those are taken for; None where there is none), ``toward_share`` (their
        share of the lost) and ``unsafe``: whether `low` is above a quarter.
    """
    images = data.validation if isinstance(data, Splits) else data
    require(
        images.classes == model.classes,
        "the classes that the model was trained on",
        "Choose them with --classes.",
        classes=printable(", ".join(images.classes)),
        of_the_model=printable(", ".join(model.classes)),
    )
    every = np.arange(len(model.classes))
    clean = model.predict(images.array, "plain") == images.labels
    known = images.select(clean)
    found = {}
    for technique in map(resolve, techniques):
        decided = decided_after(model, known, technique, seed=seed)
        confusion = confusion_matrix(known.labels, decided, labels=every)
        found[technique.name] = _entries([confusion], model.classes)
    return found


def held_out(data: Splits, run: str | Path) -> ImageSet:
    """Return the images of a data set that a run was validated on, however it is split now.

    Raises
    ------
    InputError
        Where the folder is no run's, or none of its images is in the data set.
    """
    path = Path(run) / PREDICTIONS
    if not path.is_file():
        raise InputError(f"{run} is no folder of a run: it has no {path.name}.")
    if finished(Path(run)) and (wrong := damage(Path(run), [PREDICTIONS])):
        raise DamagedError(f"{run}: {wrong}. Train it again.")
    try:
        ids = read_predictions(Path(run), "validation").ids
    except (OSError, ValueError, KeyError, pa.ArrowException):
        raise DamagedError(f"{path} holds no predictions.") from None
    there = {name: part.select(np.isin(part.ids, ids)) for name, part in data.parts.items()}
    found = max(there.values(), key=len)
    require(len(found) > 0, "images that the run was validated on in the data set", run=str(run))
    return found


def safety_matrix(folders: Sequence[Path], classes: Sequence[str]) -> Safety:
    """Return `summary["label_safety"]` from the probes of the reference's runs."""
    runs = [read_json(folder / FILE).get(RECOGNISED, {}) for folder in folders]
    techniques = [name for name in runs[0] if all(name in run for run in runs)] if runs else []
    return {name: _entries([np.array(run[name]) for run in runs], classes) for name in techniques}


def _entries(
    confusions: Sequence[NDArray[np.int_]], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """One entry a class from one matrix a run, of images recognised when clean."""
    total = np.sum(confusions, axis=0)
    return {name: _entry(total[k], k, len(confusions), classes) for k, name in enumerate(classes)}


def _entry(row: NDArray[np.int_], label: int, runs: int, classes: Sequence[str]) -> dict[str, Any]:
    known, lost = int(row.sum()), int(row.sum() - row[label])
    # The runs look at the same images: together they are sure of no more than one of them is.
    images = round(known / runs)
    if not images:
        nothing = {key: None for key in ("lost", "low", "high", "toward", "toward_share")}
        return {"images": 0, **nothing, "unsafe": False}
    share = lost / known
    ends = binomtest(round(share * images), images).proportion_ci(CONFIDENCE, "wilson")
    others = np.delete(row, label)
    most = int(np.delete(np.arange(len(row)), label)[others.argmax()]) if lost else None
    return {
        "images": images,
        "lost": share,
        "low": float(ends.low),
        "high": float(ends.high),
        "toward": None if most is None else classes[most],
        "toward_share": None if most is None else float(row[most] / lost),
        "unsafe": bool(ends.low > _UNSAFE),
    }


def safety_words(safety: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Say in plain sentences which technique may not leave a class what it is, and what to do."""
    return [
        _sentence(technique, classes) for technique, classes in safety.items() if _unsafe(classes)
    ]


def safety_warnings(safety: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return those of the sentences that are about some classes and not about nearly all of them.

    A technique that spares hardly a class is more likely only new to the nets.
    """
    some = {technique: of for technique, of in safety.items() if not _hard(of)}
    return safety_words(some)


def _unsafe(classes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The classes that are surely lost, the worst first."""
    unsafe = [name for name, entry in classes.items() if entry["unsafe"]]
    return sorted(unsafe, key=lambda name: -classes[name]["lost"])


def _hard(classes: Mapping[str, Mapping[str, Any]]) -> bool:
    return len(_unsafe(classes)) > _MOST * len(classes)


def _sentence(technique: str, classes: Mapping[str, Mapping[str, Any]]) -> str:
    unsafe = _unsafe(classes)
    told = [_told(name, classes[name]) for name in unsafe[:_NAMED]]
    more = len(unsafe) - len(told)
    told += [f"and many of {more} more class{'es' if more > 1 else ''}"] if more else []
    ending = (
        "Hardly a class is spared, so these may only be pictures of a kind that the nets have "
        "never seen: if a person would still know them, let all classes see them (scope: all); "
        "if not, use a weaker one."
        if _hard(classes)
        else "If a person would not call them by their class any more, leave the technique out or "
        "use a weaker one."
    )
    return (
        f"Look at what {technique} does before using it: of the images that nets trained without "
        f"it recognise, it makes them lose {', '.join(told)}. {ending}"
    )


def _told(name: str, entry: Mapping[str, Any]) -> str:
    text = f"{entry['lost']:.0%} of class {name}"
    if entry["toward_share"] is not None and entry["toward_share"] >= 0.5:
        text += f" (mostly taken for {entry['toward']})"
    return text
