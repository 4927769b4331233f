"""Pictures for the report: what each technique does, and what nets were surest to get wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from equipoise.engine import augment
from equipoise.files import atomic
from equipoise.images import ImageSet, Splits
from equipoise.techniques import Technique
from equipoise.training.predictions import Predictions, read_predictions

__all__ = [
    "Mistake",
    "mistakes_in",
    "picture_of",
    "worst_mistakes",
    "write_examples",
    "write_mistakes",
    "write_png",
]

_COLUMNS = 6
_SIDE = 64
_CLASSES = 10


def write_examples(
    folder: Path, train: ImageSet, techniques: Sequence[Technique], seed: int
) -> None:
    """Write clean.png and one PNG a technique: a row a class (at most ten), six images each."""
    rows = [np.flatnonzero(train.labels == k)[:_COLUMNS] for k in range(len(train.classes))]
    chosen = train.select(np.concatenate(rows[:_CLASSES]))
    counts = [len(row) for row in rows[:_CLASSES]]
    _write_sheet(folder / "clean.png", chosen.array, counts)
    for technique in techniques:
        shown = augment(chosen.array, technique, seed=seed, ids=chosen.ids)
        _write_sheet(folder / f"{technique.name}.png", np.asarray(shown), counts)


def _write_sheet(path: Path, images: NDArray[np.uint8], counts: list[int]) -> None:
    zoom = max(1, _SIDE // max(images.shape[1:3]))
    images = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    _, height, width, channels = images.shape
    sheet = np.full((len(counts) * (height + 2), _COLUMNS * (width + 2), channels), 255, np.uint8)
    where = [(row, column) for row, count in enumerate(counts) for column in range(count)]
    for (row, column), image in zip(where, images, strict=True):
        top, left = row * (height + 2) + 1, column * (width + 2) + 1
        sheet[top : top + height, left : left + width] = image
    write_png(path, sheet)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an H×W×C image of 1, 3 or 4 channels."""
    code = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[image.shape[2]]
    turned = image if code is None else cv2.cvtColor(image, code)
    with atomic(path) as part:
        part.write_bytes(cv2.imencode(".png", turned)[1].tobytes())


_TOP = 12
_MISTAKE_SIDE = 96  # of a picture; larger images are made smaller


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
        _write_mistakes_of(part, {i: path for i, path in wanted.items() if not path.is_file()})


def _write_mistakes_of(part: ImageSet, wanted: dict[int, Path]) -> None:
    chosen = part.select(np.flatnonzero(np.isin(part.ids, list(wanted))))
    for number, image in zip(chosen.ids.tolist(), chosen.array, strict=True):
        height, width = image.shape[:2]
        if max(height, width) > _MISTAKE_SIDE:
            scale = _MISTAKE_SIDE / max(height, width)
            size = (max(1, round(scale * width)), max(1, round(scale * height)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            image = image.reshape(*image.shape[:2], -1)  # OpenCV drops the channel of grey
        write_png(wanted[number], image)
