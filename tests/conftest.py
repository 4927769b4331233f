"""What several rooms' tests share."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image


@pytest.fixture(scope="session")
def cifar_archive() -> Path:
    """The CIFAR-10 JPEG archive, outside the project; tests that need it skip without it."""
    path = Path(os.environ.get("EQUIPOISE_TEST_DATA", "../shared/data")) / "cifar10-images.tar.gz"
    if not path.is_file():
        pytest.skip(f"{path} is missing (EQUIPOISE_TEST_DATA names its folder)")
    return path


@pytest.fixture(scope="session")
def patches() -> Callable[..., NDArray[np.uint8]]:
    """Real images of any shape: patches(n, height, width, channels) cut from two photographs."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]

    def cut(n: int, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
        rng = np.random.default_rng([n, height, width, channels])
        images = np.empty((n, height, width, channels), np.uint8)
        for image in images:
            photo = photos[rng.integers(2)]
            top, left = (
                rng.integers(side - length + 1)
                for side, length in zip(photo.shape, (height, width), strict=False)
            )
            window = photo[top : top + height, left : left + width]
            fourth = window.max(axis=2, keepdims=True)
            image[...] = np.concatenate([window, fourth], axis=2)[:, :, :channels]
        return images

    return cut


@pytest.fixture
def photos(tmp_path):
    """Forty cats and twenty dogs, 8×8: dogs are brighter at the top."""
    rng = np.random.default_rng(0)
    for name, count in (("cat", 40), ("dog", 20)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 128, (8, 8, 3))
            picture[:4] += 100 * (name == "dog")
            cv2.imwrite(str(folder / f"{number}.png"), picture.astype(np.uint8))
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def members() -> Callable[[int], list[int]]:
    """The processes of a process group that are neither gone nor waited for."""

    def of(group: int) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # no process, or one that is gone by now
                state, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(number) == group and state != "Z":
                    found.append(int(entry.name))
        return found

    return of
