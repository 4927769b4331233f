"""What the tests of generated images share."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    """30 palaces and 25 flowers to train on, 6 of each to validate and to test on, 16×16."""
    root = tmp_path_factory.mktemp("shots") / "photos"
    photos, rng = load_sample_images().images, np.random.default_rng(0)
    for split, counts in {"train": (30, 25), "val": (6, 6), "test": (6, 6)}.items():
        for photo, name, count in zip(photos, ("palace", "flower"), counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for k in range(count):
                top, left = rng.integers(0, 427 - 128), rng.integers(0, 640 - 128)
                part = cv2.resize(photo[top : top + 128, left : left + 128], (16, 16))
                cv2.imwrite(str(root / split / name / f"{k}.png"), part[..., ::-1])
    return root
