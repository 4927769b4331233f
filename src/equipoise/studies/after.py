"""What a net takes images for after a technique."""

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import augment
from equipoise.images import ImageSet
from equipoise.mapped import blocks
from equipoise.techniques import Technique
from equipoise.training import Model

__all__ = ["decided_after"]


def decided_after(
    model: Model, images: ImageSet, technique: Technique, *, seed: int, threads: int | None = None
) -> NDArray[np.int64]:
    """Return the (N,) labels that a model decides on plainly after a technique.

    Some images at a time: an image's augmentation does not depend on its company.
    """
    pixels, decided = images.array, np.empty(len(images), np.int64)
    for block in blocks(pixels.shape):
        shown = augment(pixels[block], technique, seed=seed, ids=images.ids[block], threads=threads)
        decided[block] = model.predict(np.asarray(shown), "plain")
    return decided
