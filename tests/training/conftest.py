"""Small real data for the training room: scikit-learn's scanned digits."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.images import ImageSet, Splits


def image_set(images: np.ndarray, labels: np.ndarray, ids: np.ndarray, classes: tuple) -> ImageSet:
    digests = np.array([image.tobytes()[:16] for image in images], "S16")
    return ImageSet(images, labels, classes, ids, ids.astype(str), digests)


@pytest.fixture(scope="session")
def make_digits() -> Callable[..., Splits]:
    """Splits of 8×8 grey digits: so many training images a class, 60 for validation and test."""
    scanned = load_digits()
    pixels = (scanned.images * 15).astype(np.uint8)[..., None]

    def make(counts: dict[int, int], held_out: int = 60, channels: int = 1) -> Splits:
        classes = tuple(str(digit) for digit in counts)
        parts: list[list[tuple]] = [[], [], []]
        for label, (digit, count) in enumerate(counts.items()):
            rows = np.flatnonzero(scanned.target == digit)
            cuts = np.cumsum([held_out, held_out, count])
            chosen = (rows[cuts[1] : cuts[2]], rows[: cuts[0]], rows[cuts[0] : cuts[1]])
            for part, mine in zip(parts, chosen, strict=True):
                part.append((mine, np.full(len(mine), label)))
        sets = []
        for part in parts:
            rows = np.concatenate([mine for mine, _ in part])
            labels = np.concatenate([labels for _, labels in part]).astype(np.int64)
            images = np.repeat(pixels[rows], channels, axis=-1)
            sets.append(image_set(images, labels, rows.astype(np.int64), classes))
        return Splits(*sets)

    return make


@pytest.fixture(scope="session")
def digits(make_digits: Callable[..., Splits]) -> Splits:
    """3 against 8 at four to one: hard enough to leave errors."""
    return make_digits({3: 60, 8: 15}, held_out=55)
