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

    Grey becomes colour by repetition, colour grey by its luminance; transparency is laid on white,
    and what has none is opaque.
    """
    have = pixels.shape[-1]
    if have == channels:
        return pixels
    if have == 4:
        pixels = _on_white(pixels)
    if channels == 1:
        return _luminance(pixels)
    colour = pixels if pixels.shape[-1] == 3 else np.repeat(pixels, 3, axis=-1)
    if channels == 3:
        return colour
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=-1)


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour = pixels[..., :3].astype(np.uint16)
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _luminance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return colour as grey: the luminance of BT.601, as JPEG and OpenCV have it."""
    if pixels.shape[-1] == 1:
        return pixels
    shares = np.array([4899, 9617, 1868], np.uint32)  # of 2^14
    return ((pixels.astype(np.uint32) @ shares + 2**13) >> 14).astype(np.uint8)[..., None]


def _centre(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
