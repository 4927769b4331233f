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
from equipoise.techniques.kernels.filtering import gaussian, motion, sharpen_gaussian
from equipoise.techniques.kernels.lanes import copy_bytes
from equipoise.techniques.kernels.resampling import shrink_and_stretch

u8, u16, u32, i16, i32, up = np.uint8, np.uint16, np.uint32, np.int16, np.int32, np.uintp


# ------------------------------------------------------------------------- noise


# Blocks of the generator at a time, whose draws stay in cache. An image of more blocks is
# gone through in eight places at once, as the stream's runs lie (see keys).
_TILE = 2048


@nb.njit(nogil=True, forceinline=True)
def _values(draws, start, count, white, under, values):  # type: ignore[no-untyped-def]
    """What each pixel becomes by its draw: 255, 0, or 1 where it stays; `under` is 1 at least."""
    # The last draw that turns a pixel, as 65536 has no place in the 16 bits that are compared.
    last_white, last = u16(white - u32(1)), u16(under - u32(1))
    light = u8(255) if white > u32(0) else u8(0)
    for p in range(up(count)):
        draw = u16(draws[start + p])
        stays = u8(0) if draw <= last else u8(1)
        values[p] = u8(stays | u8(light & (u8(255) if draw <= last_white else u8(0))))


@nb.njit(nogil=True, forceinline=True)
def _spread(values, count, channels, spread):  # type: ignore[no-untyped-def]
    """Repeat each pixel's value for its channels."""
    for p in range(up(count)):
        for c in range(up(channels)):
            spread[p * up(channels) + c] = values[p]


@nb.njit(nogil=True, forceinline=True)
def _set_pixels(source, target, first, spread, count, channels):  # type: ignore[no-untyped-def]
    for k in range(up(count * channels)):
        value, pixel = spread[k], source[first + k]
        target[first + k] = pixel if value == u8(1) else value


@nb.njit(cache=True, nogil=True)
def salt_and_pepper(images, out, address, white, black):  # type: ignore[no-untyped-def]
    """Set pixels whose draw of sixteen bits is below `white` to 255, then below `black` to 0."""
    n, height, width, channels = images.shape
    pixels, size = height * width, height * width * channels
    blocks = (pixels + 7) // 8
    tile = min(blocks, _TILE)
    source, target = images.reshape(images.size), out.reshape(out.size)
    draws, values = np.empty(8 * tile, np.uint16), np.empty(8 * tile, np.uint8)
    spread = np.empty(8 * tile * channels, np.uint8)
    for i in range(n):
        a = address[i]
        over, under = u32(white[i]), u32(white[i] + black[i])
        if under == u32(0):
            copy_bytes(source, up(i * size), target, up(i * size), size)
            continue
        for first in range(0, blocks, tile):
            some = min(tile, blocks - first)
            fill_halves(a[0], a[1], a[2], a[3], first, some, draws)
            runs = 1 if some == blocks else 8  # all blocks at once are one run
            for run in range(runs):
                at = run * blocks + first
                count = min(8 * some // runs, pixels - at)
                if count <= 0:
                    continue
                _values(draws, up(run * some), count, over, under, values)
                if channels == 3:
                    _spread(values, count, 3, spread)
                elif channels == 4:
                    _spread(values, count, 4, spread)
                else:
                    _spread(values, count, 1, spread)
                start = up((i * pixels + at) * channels)
                _set_pixels(source, target, start, spread, count, channels)


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


@nb.njit(nogil=True, forceinline=True)
def _add_from(table, draws, start, count, change, source, target, first):  # type: ignore[no-untyped-def]
    for k in range(up(count)):
        change[k] = table[draws[start + k] & u16(4095)]
    for k in range(up(count)):
        value = i32(i32(source[first + k]) + i32(change[k]))
        target[first + k] = u8(min(max(value, i32(0)), i32(255)))


@nb.njit(cache=True, nogil=True)
def add_normal(images, out, address, sigma, quantiles):  # type: ignore[no-untyped-def]
    """Add a normal number to every value; `sigma` (N,) int32 in 1/64 grey level."""
    n = len(images)
    source, target = images.reshape(images.size), out.reshape(out.size)
    values = images.size // max(n, 1)
    blocks = (values + 7) // 8
    tile = min(blocks, _TILE)
    draws, change = np.empty(8 * tile, np.uint16), np.empty(8 * tile, np.int16)
    table, scaled = np.empty(4096, np.int16), i32(-1)
    for i in range(n):
        a = address[i]
        if sigma[i] != scaled:
            scaled = i32(sigma[i])
            for k in range(up(4096)):
                table[k] = i16(i32(i32(i32(quantiles[k]) * scaled) + i32(1 << 18)) >> i32(19))
        for first in range(0, blocks, tile):
            size = min(tile, blocks - first)
            fill_halves(a[0], a[1], a[2], a[3], first, size, draws)
            runs = 1 if size == blocks else 8
            for run in range(runs):
                at = run * blocks + first
                count = min(8 * size // runs, values - at)
                if count > 0:
                    to = up(i * values + at)
                    _add_from(table, draws, up(run * size), count, change, source, target, to)


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
    channels = images.shape[3]
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    blue_first = np.empty((*images.shape[1:3], 3), np.uint8)
    for image, result, q in zip(images, out, quality.tolist(), strict=True):
        if q == 100:
            result[...] = image
            continue
        pixels = image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR, blue_first)
        code = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, q))[1]
        read = cv2.imdecode(code, flag)
        assert read is not None
        if channels == 3:
            cv2.cvtColor(read, cv2.COLOR_BGR2RGB, result)
        elif channels == 4:
            result[:, :, :3], result[:, :, 3] = read[:, :, ::-1], image[:, :, 3]
        else:
            result[:, :, 0] = read


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
