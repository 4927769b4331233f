"""The images that a recipe's nets were surest of a wrong class of, and their pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from equipoise.images import ImageSet, Splits
from equipoise.studies.examples import write_png
from equipoise.training.predictions import Predictions, read_predictions

__all__ = ["Mistake", "mistakes_in", "picture_of", "worst_mistakes", "write_mistakes"]

_TOP = 12
_SIDE = 96  # of a picture; larger images are made smaller


@dataclass(frozen=True)
class Mistake:
    """A test image that a recipe's nets were surest of a wrong class of.

    Attributes
    ----------
    id : int
    name : str
    label, predicted : int
    probability : float
        Of the predicted class, the mean over the runs.
    wrong, runs : int
        In how many of the runs that were tested on it the answer was wrong.
    """

    id: int
    name: str
    label: int
    predicted: int
    probability: float
    wrong: int
    runs: int


def worst_mistakes(
    ids: ArrayLike,
    names: Sequence[str],
    labels: ArrayLike,
    logits: NDArray[np.float64],
    top: int = _TOP,
) -> list[Mistake]:
    """Return the images with the highest mean probability of a wrong class, the highest first.

    Parameters
    ----------
    ids, names, labels : (M,)
        The rows of all runs, one after the other; runs need not be tested on the same images.
    logits : (M, K)
    top : int
        At most so many.
    """
    labels = np.asarray(labels)
    found, first, of = np.unique(np.asarray(ids), return_index=True, return_inverse=True)
    runs = np.bincount(of)
    total = np.zeros((len(found), logits.shape[1]))
    np.add.at(total, of, softmax(logits, axis=1))
    probability = total / runs[:, None]
    wrong = np.bincount(of, weights=logits.argmax(1) != labels)
    predicted = probability.argmax(1)
    surest = np.where(predicted != labels[first], probability.max(1), -1.0)
    return [
        Mistake(
            int(found[i]),
            names[first[i]],
            int(labels[first[i]]),
            int(predicted[i]),
            float(surest[i]),
            int(wrong[i]),
            int(runs[i]),
        )
        for i in np.argsort(-surest, kind="stable")[:top]
        if surest[i] > 0
    ]


def mistakes_in(runs: Sequence[Predictions]) -> list[Mistake]:
    """Return the worst mistakes of a recipe's runs, at least one."""
    ids, names, labels, logits = (
        np.concatenate([getattr(run, name) for run in runs])
        for name in ("ids", "names", "labels", "logits")
    )
    return worst_mistakes(ids, names.tolist(), labels, logits.astype(np.float64))


def picture_of(examples: Path, mistake: Mistake) -> Path:
    """Return where the picture of a mistake lies in a study's folder of examples."""
    return examples / "mistakes" / f"{mistake.id}.png"


def write_mistakes(examples: Path, runs: Iterable[Sequence[Path]], data: Splits) -> None:
    """Write a picture of each recipe's worst mistakes.

    Parameters
    ----------
    examples : Path
        The study's folder of examples.
    runs : iterable of sequences of Path
        The folders of each recipe's finished runs.
    data : Splits
        The study's; folds are tested on all of it.
    """
    read = (list(map(read_predictions, folders)) for folders in runs if folders)
    worst = [mistake for of in read for mistake in mistakes_in(of)]
    wanted = {mistake.id: picture_of(examples, mistake) for mistake in worst}
    for stale in set(examples.glob("mistakes/*.png")) - set(wanted.values()):
        stale.unlink()
    for part in (data.test, data.validation, data.train):
        _write(part, {i: path for i, path in wanted.items() if not path.is_file()})


def _write(part: ImageSet, wanted: dict[int, Path]) -> None:
    chosen = part.select(np.flatnonzero(np.isin(part.ids, list(wanted))))
    for number, image in zip(chosen.ids.tolist(), chosen.array, strict=True):
        height, width = image.shape[:2]
        if max(height, width) > _SIDE:
            scale = _SIDE / max(height, width)
            size = (max(1, round(scale * width)), max(1, round(scale * height)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            image = image.reshape(*image.shape[:2], -1)  # OpenCV drops the channel of grey
        write_png(wanted[number], image)
