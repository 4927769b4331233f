"""Label safety: does a technique leave an image of its class, or turn it into something else?

A mirrored letter is no letter, and a 6 turned upside down is a 9. A net that was trained without a
technique can tell: of the validation images that it recognises when clean, how many does it no
longer recognise after the technique, and what does it take them for? It cannot tell a picture of
another class from one of a kind that it has never seen, so what is named here is to be looked at.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from equipoise.errors import DamagedError, InputError, printable, require
from equipoise.files import damage, read_json
from equipoise.images import ImageSet, Splits
from equipoise.studies.estimates import Number, Value, corrected
from equipoise.studies.inference import LEVEL
from equipoise.studies.shortcut import FILE, RECOGNISED, predict_augmented
from equipoise.techniques import resolve
from equipoise.training import Model
from equipoise.training.cached import decided_plainly
from equipoise.training.predictions import PREDICTIONS, read_predictions
from equipoise.training.runs import finished

__all__ = [
    "Loss",
    "Safety",
    "label_preservation_of_runs",
    "label_safety",
    "safety_warnings",
    "safety_words",
]

# A technique is named where surely more than this share is no longer recognised.
_UNSAFE = 0.25
_NAMED = 4  # classes in one sentence
_MOST = 2 / 3  # of the classes: beyond this the technique is hard altogether


class Loss(Value):
    """What one technique does to the images of one class.

    Attributes
    ----------
    images : int
        How many the nets recognise when clean.
    lost : float, optional
        The share of them that is no longer recognised; None where there are no such images.
    low, high : float, optional
        Its 95 % interval (Wilson, 1927).
    toward : str, optional
        The class that most of those are taken for, and
    toward_share : float, optional
        their share of the lost.
    p : float, optional
        That no more than a quarter is lost, corrected for all techniques and classes (Holm, 1979).
    unsafe : bool
        Whether that can be ruled out.
    """

    images: int
    lost: Number = None
    low: Number = None
    high: Number = None
    toward: str | None = None
    toward_share: Number = None
    p: Number = None
    unsafe: bool = False


Safety = dict[str, dict[str, Loss]]


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
        From technique to class to `Loss`.
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
    clean = decided_plainly(model, images.array) == images.labels
    known = images.select(clean)
    found = {}
    for technique in map(resolve, techniques):
        decided = predict_augmented(model, known, technique, seed=seed)
        found[technique.name] = [confusion_matrix(known.labels, decided, labels=every)]
    return _judged(found, model.classes)


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


def label_preservation_of_runs(
    folders: Sequence[Path], classes: Sequence[str], without: Collection[str] = ()
) -> Safety:
    """Return `summary.label_safety` from the probes of the reference's runs.

    `without` are techniques that these nets were trained with.
    """
    runs = [read_json(folder / FILE).get(RECOGNISED, {}) for folder in folders]
    techniques = [name for name in runs[0] if all(name in run for run in runs)] if runs else []
    return _judged(
        {name: [np.array(run[name]) for run in runs] for name in techniques if name not in without},
        classes,
    )


def _judged(confusions: Mapping[str, Sequence[NDArray[np.int_]]], classes: Sequence[str]) -> Safety:
    """Return each technique's losses from one matrix a run, of images recognised when clean.

    All techniques and classes are one family: the more are looked at, the surer each must be.
    """
    found = {
        (technique, name): _loss(np.sum(matrices, axis=0)[k], k, len(matrices), classes)
        for technique, matrices in confusions.items()
        for k, name in enumerate(classes)
    }
    judged: Safety = {technique: {} for technique in confusions}
    for (technique, name), one in corrected(found).items():
        unsafe = one.p is not None and one.p < LEVEL
        judged[technique][name] = one.model_copy(update={"unsafe": unsafe})
    return judged


def _loss(row: NDArray[np.int_], label: int, runs: int, classes: Sequence[str]) -> Loss:
    known, lost = int(row.sum()), int(row.sum() - row[label])
    # The runs look at the same images: together they are sure of no more than one of them is.
    images = round(known / runs)
    if not images:
        return Loss(images=0)
    share = lost / known
    count = round(share * images)
    ends = binomtest(count, images).proportion_ci(0.95, "wilson")
    others = np.delete(row, label)
    most = int(np.delete(np.arange(len(row)), label)[others.argmax()]) if lost else None
    return Loss(
        images=images,
        lost=share,
        low=float(ends.low),
        high=float(ends.high),
        toward=None if most is None else classes[most],
        toward_share=None if most is None else float(row[most] / lost),
        p=float(binomtest(count, images, _UNSAFE, alternative="greater").pvalue),
    )


def safety_words(safety: Mapping[str, Mapping[str, Loss]]) -> list[str]:
    """Say in plain sentences which technique may not leave a class what it is, and what to do."""
    return [
        _sentence(technique, classes) for technique, classes in safety.items() if _unsafe(classes)
    ]


def safety_warnings(safety: Mapping[str, Mapping[str, Loss]]) -> list[str]:
    """Return those of the sentences that are about some classes and not about nearly all of them.

    A technique that spares hardly a class is more likely only new to the nets.
    """
    some = {technique: of for technique, of in safety.items() if not _hard(of)}
    return safety_words(some)


def _unsafe(classes: Mapping[str, Loss]) -> list[str]:
    """The classes that are surely lost, the worst first."""
    unsafe = [name for name, loss in classes.items() if loss.unsafe]
    return sorted(unsafe, key=lambda name: -(classes[name].lost or 0.0))


def _hard(classes: Mapping[str, Loss]) -> bool:
    return len(_unsafe(classes)) > _MOST * len(classes)


def _sentence(technique: str, classes: Mapping[str, Loss]) -> str:
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


def _told(name: str, loss: Loss) -> str:
    text = f"{loss.lost:.0%} of class {name}"
    if loss.toward_share is not None and loss.toward_share >= 0.5:
        text += f" (mostly taken for {loss.toward})"
    return text
