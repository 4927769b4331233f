"""Small data sets of real pictures: pieces of scikit-learn's two photographs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from equipoise.images import ImageSet, Splits
from equipoise.readers.digests import digest

COUNTS = {"train": {"cat": 11, "dog": 4, "red fox": 2}, "test": {"cat": 3, "dog": 3, "red fox": 3}}


def piece(number: int, height: int, width: int) -> np.ndarray:
    """A piece of a photograph, another one for each number."""
    photo = load_sample_images().images[number % 2]
    top, left = number * 37 % (427 - height), number * 91 % (640 - width)
    return photo[top : top + height, left : left + width].copy()


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """An image folder with a test split, of JPEG and PNG files of many sizes."""
    folder, number = tmp_path_factory.mktemp("data") / "photos", 0
    for split, classes in COUNTS.items():
        for name, count in classes.items():
            for k in range(count):
                number += 1
                ending = "png" if number % 3 == 0 else "jpg"
                image = piece(number, 20 + number, 30 + number % 4)
                write_image(folder / split / name / f"{k:03d}.{ending}", image)
    return folder


@pytest.fixture(scope="session")
def arrays() -> Splits:
    """Colour images of one size, in memory, without splits: 12 of 'sky', 5 of 'leaf'."""
    images = np.stack([piece(number, 16, 12) for number in range(17)])
    labels = np.repeat([0, 1], [12, 5])
    whole = ImageSet(
        images=images,
        labels=labels,
        classes=("sky", "leaf"),
        ids=np.arange(17),
        names=np.array([str(i) for i in range(17)]),
        digests=np.array([digest(image) for image in images], "S16"),
    )
    return Splits(train=whole, validation=whole.select([]), test=whole.select([]))
