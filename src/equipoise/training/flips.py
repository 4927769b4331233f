"""The trainer's own mirroring, the same for every class and recipe."""

import numpy as np
from numpy.typing import NDArray

from equipoise.keys import image_keys, uniforms

__all__ = ["flipped"]


def flipped(
    way: str,
    ids: NDArray[np.int64],
    copy: NDArray[np.int32],
    passes: NDArray[np.int64],
    *,
    seed: int,
) -> NDArray[np.bool_]:
    """Return which images of a batch to mirror.

    Parameters
    ----------
    way : {'none', 'random', 'alternating'}
        Alternating: a random half in the first pass, the other half in the next, and so on, so
        that two passes show each image both ways.
    ids, copy, passes : (N,) integers
        The images' addresses.
    seed : int
    """
    if way == "none":
        return np.zeros(len(ids), bool)
    if way == "random":
        return uniforms(image_keys(seed, ids, copy, passes), "trainer flip", 1)[:, 0] < 0.5
    first = uniforms(image_keys(seed, ids, copy), "trainer flip", 1)[:, 0] < 0.5
    return first ^ (passes % 2 == 1)
