import cv2
import numpy as np
import pytest


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
