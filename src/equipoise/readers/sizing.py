"""Bringing pictures to one size and one number of channels."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_KEPT", "resize", "to_channels"]

LARGEST_KEPT = 64  # sets of one size up to this are kept, others are brought to it

_LONGEST = 16  # an image longer than this many times its width is cut to it before resizing


def resize(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring an (H, W, C) image to (size, size, C): the shorter side by area, then a centre crop.

    Enlarging is bilinear: area interpolation would show blocks.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    if max(height, width) > _LONGEST * short:
        pixels = _centre(pixels, min(height, _LONGEST * short), min(width, _LONGEST * short))
        height, width = pixels.shape[:2]
    if short != size:
        shape = (max(size, round(width * size / short)), max(size, round(height * size / short)))
        way = cv2.INTER_AREA if short > size else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, shape, interpolation=way), np.uint8)
        pixels = pixels.reshape(*pixels.shape[:2], -1)  # OpenCV drops a single channel
    return np.ascontiguousarray(_centre(pixels, size, size))


def to_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Bring an (H, W, C) or (N, H, W, C) array to 1, 3 or 4 channels.

    Grey becomes colour by repetition; transparency is laid on white.
    """
    have = pixels.shape[-1]
    if have == channels:
        return pixels
    if have == 4:
        colour = pixels[..., :3].astype(np.uint16)
        alpha = pixels[..., 3:].astype(np.uint16)
        return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.repeat(pixels[..., :1], channels, axis=-1)


def _centre(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
