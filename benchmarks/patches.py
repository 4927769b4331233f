"""Patches of two photographs: real pixels for sets of any size."""

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

__all__ = ["fill"]


def fill(images: NDArray[np.uint8]) -> None:
    """Fill (N, side, side, 3) images with patches that are drawn by lot."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    random, side = np.random.default_rng(0), images.shape[1]
    for image in images:
        photo = photos[random.integers(2)]
        top, left = (random.integers(length - side + 1) for length in photo.shape[:2])
        image[:] = photo[top : top + side, left : left + side]
