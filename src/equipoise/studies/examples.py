"""Pictures of what each technique does to this data set."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from equipoise.engine import augment
from equipoise.files import atomic
from equipoise.images import ImageSet
from equipoise.techniques import Technique

__all__ = ["write_examples", "write_png"]

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
    _write(folder / "clean.png", chosen.array, counts)
    for technique in techniques:
        shown = augment(chosen.array, technique, seed=seed, ids=chosen.ids)
        _write(folder / f"{technique.name}.png", np.asarray(shown), counts)


def _write(path: Path, images: NDArray[np.uint8], counts: list[int]) -> None:
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
