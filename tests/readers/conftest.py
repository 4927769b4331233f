"""Real pictures, and folders of them, for every reader's tests."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """300 different 24×32 cut-outs of scikit-learn's two photographs, (300, 24, 32, 3) uint8."""
    photos = load_sample_images().images
    rng = np.random.default_rng(0)
    cut = []
    for i in range(300):
        photo = photos[i % 2]
        top, left = rng.integers(0, photo.shape[0] - 24), rng.integers(0, photo.shape[1] - 32)
        cut.append(photo[top : top + 24, left : left + 32])
    found = np.stack(cut)
    assert len({picture.tobytes() for picture in found}) == 300
    return found


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Encode an array or Pillow image; keywords go to Pillow."""

    def encoded(
        picture: np.ndarray | Image.Image, format_: str = "PNG", **options: object
    ) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture.squeeze())
        buffer = BytesIO()
        image.save(buffer, format_, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def some_files(pictures: np.ndarray, encode: Encode) -> dict[str, bytes]:
    """30 cats and 10 dogs as PNG files, by relative path."""
    return {
        f"{'cat' if i < 30 else 'dog'}/{i:02d}.png": encode(picture)
        for i, picture in enumerate(pictures[:40])
    }


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Write files into a folder of their own and return it."""

    def write(files: Mapping[str, bytes], name: str = "photos") -> Path:
        for path, data in files.items():
            place = tmp_path / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return tmp_path / name

    return write
