"""Techniques that make the picture worse, as cameras, lenses and codecs do."""

from functools import cache
from statistics import NormalDist
from typing import Any

import cv2
import numba as nb
import numpy as np
from numpy.typing import NDArray

from equipoise.errors import require
from equipoise.keys import fill_halves
from equipoise.techniques.base import Arrays, Draws, Parameter, technique
from equipoise.techniques.filtering import gaussian, motion, sharpen_gaussian
from equipoise.techniques.resampling import shrink_and_stretch

u8, u16, u32, i16, i32, up = np.uint8, np.uint16, np.uint32, np.int16, np.int32, np.uintp


# ------------------------------------------------------------------------- noise


@nb.njit(nogil=True, forceinline=True)
def _masks(draws, white, under, channels, keep, light):  # type: ignore[no-untyped-def]
    """What each byte keeps of the image and what is added, by one draw a pixel."""
    for p in range(up(len(keep) // channels)):
        draw = u32(draws[p])
        k = u8(255) if draw >= under else u8(0)
        w = u8(255) if draw < white else u8(0)
        for c in range(up(channels)):
            keep[p * up(channels) + c] = k
            light[p * up(channels) + c] = w


@nb.njit(cache=True, nogil=True)
def salt_and_pepper(images, out, address, white, black):  # type: ignore[no-untyped-def]
    """Set pixels whose draw of sixteen bits is below `white` to 255, then below `black` to 0."""
    n, height, width, channels = images.shape
    pixels = height * width
    size = pixels * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    draws = np.empty((pixels + 7) // 8 * 8, np.uint16)
    keep, light = np.empty(size, np.uint8), np.empty(size, np.uint8)
    for i in range(n):
        fill_halves(address[i, 0], address[i, 1], address[i, 2], address[i, 3], draws)
        under = u32(white[i] + black[i])
        if channels == 3:
            _masks(draws, white[i], under, 3, keep, light)
        elif channels == 4:
            _masks(draws, white[i], under, 4, keep, light)
        else:
            _masks(draws, white[i], under, 1, keep, light)
        first = up(i * size)
        for k in range(up(size)):
            target[first + k] = u8(u8(source[first + k] & keep[k]) | light[k])


def _check_noise(white: float, black: float) -> None:
    require(white + black <= 1, "white + black <= 1", white=white, black=black)


@technique(
    "degradation",
    apply=salt_and_pepper,
    check=_check_noise,
    white=Parameter(0.15, 0, 1, "probability", "Share of the pixels that become 255.", 0, 0.2),
    black=Parameter(0.10, 0, 1, "probability", "Share of the pixels that become 0.", 0, 0.2),
)
def noise(draws: Draws, white: Any, black: Any) -> Arrays:
    """Turns random pixels, all their channels at once, to 255 or 0 (salt and pepper)."""
    over = draws.constant(np.rint(np.multiply(white, 65536)), np.uint32)
    return draws.address, over, draws.constant(np.rint(np.multiply(black, 65536)), np.uint32)


@cache
def _quantiles() -> NDArray[np.int16]:
    """The standard normal distribution as 4096 equally likely numbers, in 1/8192."""
    inverse = NormalDist().inv_cdf
    return np.rint([8192 * inverse((j + 0.5) / 4096) for j in range(4096)]).astype(np.int16)


@nb.njit(cache=True, nogil=True)
def add_normal(images, out, address, sigma, quantiles):  # type: ignore[no-untyped-def]
    """Add a normal number to every value; `sigma` (N,) int32 in 1/64 grey level."""
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    draws = np.empty((size + 7) // 8 * 8, np.uint16)
    table, change = np.empty(4096, np.int16), np.empty(size, np.int16)
    scaled = i32(-1)
    for i in range(n):
        if sigma[i] != scaled:
            scaled = i32(sigma[i])
            for k in range(up(4096)):
                table[k] = i16(i32(i32(i32(quantiles[k]) * scaled) + i32(1 << 18)) >> i32(19))
        fill_halves(address[i, 0], address[i, 1], address[i, 2], address[i, 3], draws)
        first = up(i * size)
        for k in range(up(size)):
            change[k] = table[draws[k] & u16(4095)]
        for k in range(up(size)):
            value = i32(i32(source[first + k]) + i32(change[k]))
            target[first + k] = u8(min(max(value, i32(0)), i32(255)))


def _apply_normal(images: Any, out: Any, address: Any, sigma: Any) -> None:
    add_normal(images, out, address, sigma, _quantiles())


@technique(
    "degradation",
    apply=_apply_normal,
    sigma=Parameter(12.0, 0, 128, "grey levels", "Standard deviation.", 0, 50),
)
def gaussian_noise(draws: Draws, sigma: Any) -> Arrays:
    """Adds normal noise to every value, each channel by itself."""
    return draws.address, draws.constant(np.rint(np.multiply(sigma, 64)), np.int32)


# ----------------------------------------------------------------------- filters


@technique(
    "degradation",
    apply=gaussian,
    kernel=Parameter(5, 1, 7, "pixels", "Side of the window, odd.", 1, 7, step=2),
)
def blur(draws: Draws, kernel: Any) -> Arrays:
    """Smooths with a Gaussian window."""
    return (draws.constant(kernel, np.int64),)


@technique(
    "degradation",
    apply=motion,
    length=Parameter(7, 1, 31, "pixels", "Length of the way, odd.", 1, 15, step=2),
)
def motion_blur(draws: Draws, length: Any) -> Arrays:
    """Averages along a line of random direction, as a moving camera does."""
    angle = draws.uniform(0, np.pi)
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return draws.constant(length, np.int64), direction


@technique(
    "degradation",
    apply=sharpen_gaussian,
    amount=Parameter(1.0, 0, 10, "share", "How much of the difference is added.", 0, 3),
)
def sharpen(draws: Draws, amount: Any) -> Arrays:
    """Adds the difference to the image smoothed by a 3×3 Gaussian window (unsharp mask)."""
    return (draws.constant(np.rint(np.multiply(16384, amount)), np.int32),)


# ------------------------------------------------------------ compression, resolution


def recode(images: NDArray[np.uint8], out: NDArray[np.uint8], quality: NDArray[np.int64]) -> None:
    """Write and read each image as JPEG at its quality; 100 leaves it as it is, and alpha too."""
    colour = images.shape[3] >= 3
    out[...] = images
    for image, result, q in zip(images, out, quality.tolist(), strict=True):
        if q == 100:
            continue
        pixels = np.ascontiguousarray(image[:, :, 2::-1]) if colour else image
        code = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, q))[1]
        read = cv2.imdecode(code, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        assert read is not None
        result[:, :, :3] = read[:, :, ::-1] if colour else read[:, :, None]


@technique(
    "degradation",
    apply=recode,
    quality=Parameter(50, 1, 100, "percent", "Of the codec; 100 changes nothing.", 100, 10, step=1),
)
def jpeg(draws: Draws, quality: Any) -> Arrays:
    """Compresses the image as JPEG and reads it again."""
    return (draws.constant(quality, np.int64),)


@technique(
    "degradation",
    apply=shrink_and_stretch,
    scale=Parameter(0.5, 0.05, 1, "of height and width", "The lower resolution.", 1, 0.25),
)
def downscale(draws: Draws, scale: Any) -> Arrays:
    """Loses resolution: reduces the image by area, and brings it back bilinearly."""
    sides = [np.maximum(1, np.rint(np.multiply(scale, side))) for side in draws.shape[:2]]
    return (np.stack([draws.constant(side, np.int64) for side in sides], axis=1),)
