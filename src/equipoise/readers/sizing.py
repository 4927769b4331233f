"""Bringing pictures to one size and one number of channels."""

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from equipoise.selection import LARGE, SMALL

__all__ = ["Sizing", "resize", "scaled", "to_channels"]

_LONGEST = 16  # an image longer than this many times its width is cut to it before resizing
_BESIDE = 127  # the grey beside a padded picture: about zero to a net


@dataclass(frozen=True)
class Sizing:
    """How the pictures of a set are brought to one size.

    Attributes
    ----------
    size : int, optional
        Side in pixels. By default a set of one size up to 64×64 keeps it, other sets of pictures up
        to 64 pixels a side are brought to 64×64, and all others to `large`.
    fit : {'squash', 'crop', 'pad'}
        See `resize`.
    large : int
    """

    size: int | None = None
    fit: str = "squash"
    large: int = LARGE

    def at_once(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture as far as it can be brought to size without knowing the others."""
        if self.size is not None:
            return resize(pixels, self.size, self.fit)
        if max(pixels.shape[:2]) > SMALL:
            return resize(pixels, self.large, self.fit)
        return pixels

    def shape(self, shapes: Collection[tuple[int, int]]) -> tuple[int, int]:
        """Return the (height, width) of a set of pictures of these (heights, widths)."""
        if self.size is not None:
            return self.size, self.size
        if any(max(shape) > SMALL for shape in shapes):
            return self.large, self.large
        return next(iter(shapes)) if len(shapes) == 1 else (SMALL, SMALL)


def resize(pixels: NDArray[np.uint8], size: int, fit: str = "squash") -> NDArray[np.uint8]:
    """Bring an (H, W, C) picture to (size, size, C).

    'squash' changes its shape, 'crop' brings the shorter side to size and cuts the longer one to
    its middle, 'pad' brings the longer side to size and sets grey beside the shorter. Shrinking is
    by area; enlarging is bilinear, as area interpolation would show blocks.
    """
    pixels = _not_too_long(pixels)
    if fit == "squash":
        return scaled(pixels, size, size)
    height, width = pixels.shape[:2]
    if fit == "crop":
        scale = size / min(height, width)
        wanted = (max(size, round(height * scale)), max(size, round(width * scale)))
        return np.ascontiguousarray(_centre(scaled(pixels, *wanted), size, size))
    scale = size / max(height, width)
    wanted = (max(1, round(height * scale)), max(1, round(width * scale)))
    padded = np.full((size, size, pixels.shape[2]), _BESIDE, np.uint8)
    padded[..., 3:] = 255  # of transparency: the grey is opaque
    _centre(padded, *wanted)[:] = scaled(pixels, *wanted)
    return padded


def _not_too_long(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    most = _LONGEST * min(height, width)
    return _centre(pixels, min(height, most), min(width, most))


def scaled(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bring an (H, W, C) picture to (height, width, C): shrinking by area, else bilinearly."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    shrinks = height * width < pixels.shape[0] * pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)
    return scaled.reshape(height, width, -1)  # OpenCV drops a single channel


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
