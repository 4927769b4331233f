"""The trainer's own mirroring and small shifts, the same for every class and recipe."""

import numpy as np
from numpy.typing import NDArray

from equipoise.keys import image_keys, uniforms

__all__ = ["flipped", "shifted"]


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


def shifted(
    images: NDArray[np.uint8],
    share: float,
    ids: NDArray[np.int64],
    copy: NDArray[np.int32],
    passes: NDArray[np.int64],
    *,
    seed: int,
) -> NDArray[np.uint8]:
    """Return images moved by some whole pixels each way, the rim reflected.

    Parameters
    ----------
    images : (N, H, W, C) uint8
    share : float
        How far at most, as a share of height and of width, in [0, 0.5].
    ids, copy, passes : (N,) integers
        The images' addresses.
    seed : int
    """
    if share == 0:
        return images
    height, width = images.shape[1:3]
    reach = np.rint([share * height, share * width]).astype(np.intp)
    padded = np.pad(images, ((0, 0), *((way, way) for way in reach), (0, 0)), "reflect")
    draws = uniforms(image_keys(seed, ids, copy, passes), "trainer shift", 2)
    corners = (draws * (2 * reach + 1)).astype(np.intp)
    moved = np.empty_like(images)
    for image, source, (row, column) in zip(moved, padded, corners.tolist(), strict=True):
        image[:] = source[row : row + height, column : column + width]
    return moved
