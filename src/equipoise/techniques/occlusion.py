"""Techniques that hide a part."""

from typing import Any

import numba as nb
import numpy as np

from equipoise.techniques.base import Arrays, Draws, Parameter, technique
from equipoise.techniques.kernels.lanes import copy_bytes

up = np.uintp


@nb.njit(cache=True, nogil=True)
def fill_boxes(images, out, boxes, value):  # type: ignore[no-untyped-def]
    """Fill the boxes (N rows of top, left, bottom, right) with the value (N,) uint8."""
    n, height, width, channels = images.shape
    size = up(height * width * channels)
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first = up(i) * size
        copy_bytes(source, first, target, first, size)
        top, left, bottom, right = boxes[i]
        for y in range(top, bottom):
            line = first + up(y * width * channels)
            for k in range(line + up(left * channels), line + up(right * channels)):
                target[k] = value[i]


@technique(
    "occlusion",
    apply=fill_boxes,
    size=Parameter(0.4, 0, 1, "of height and width", "Side of the box.", 0, 0.7),
    fill=Parameter(128, 0, 255, "grey levels", "What the box is filled with.", step=1),
)
def erase(draws: Draws, size: Any, fill: Any) -> Arrays:
    """Fills a box about a random pixel, cut off at the border (cutout).

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017
    (arXiv:1708.04552).
    """
    edges = []
    for length in draws.shape[:2]:
        side = np.rint(np.multiply(size, length)).astype(np.int64)
        start = draws.below(length) - side // 2
        edges.append((np.maximum(start, 0), np.minimum(start + side, length)))
    (top, bottom), (left, right) = edges
    boxes = np.stack([top, left, bottom, right], axis=1)
    return boxes, draws.constant(fill, np.uint8)
