"""Techniques that move pixels. What comes in from outside is the image's reflection."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from equipoise.errors import require
from equipoise.techniques.base import Arrays, Draws, Parameter, technique
from equipoise.techniques.kernels.lanes import (
    copy_bytes,
    prefetch_read,
    prefetch_write,
    reverse16,
    transpose4,
)
from equipoise.techniques.kernels.resampling import resize_windows, warp

up = np.uintp
_LONG = up(256)  # bytes of a line from which on it is worth asking for it ahead
SHARE = Parameter(1.0, 0, 1, "probability", "Share of the images that are changed.", 0, 1)


@technique(
    "geometry",
    apply=resize_windows,
    scale=Parameter(0.625, 0.05, 1, "of height and width", "Side of the window.", 1, 0.4),
)
def crop(draws: Draws, scale: Any) -> Arrays:
    """Cuts a window at a random place and brings it back to full size."""
    height, width, _ = draws.shape
    h = np.maximum(1, np.rint(np.multiply(scale, height))).astype(np.int64)
    w = np.maximum(1, np.rint(np.multiply(scale, width))).astype(np.int64)
    windows = np.empty((len(draws), 4), np.int64)
    windows[:, 0] = draws.below(height - h + 1)
    windows[:, 1] = draws.below(width - w + 1)
    windows[:, 2], windows[:, 3] = h, w
    return (windows,)


@nb.njit(nogil=True, forceinline=True)
def _mirror(source, at, target, to, width, channels, last):  # type: ignore[no-untyped-def]
    """Write one line with its columns reversed, 16 bytes at a time.

    With three channels a sixteenth byte is read and written too. The next line sets it right; the
    `last` one goes pixel by pixel.
    """
    count = 16 // channels
    step, pixel, size = up(count * channels), up(channels), up(width * channels)
    end = at + size
    if last or width < count:
        for x in range(up(width)):
            for c in range(pixel):
                target[to + x * pixel + c] = source[end - (x + up(1)) * pixel + c]
        return
    for g in range(up(width // count)):
        reverse16(source, end - step * (g + up(1)), target, to + step * g, channels)
    if width % count:
        reverse16(source, at, target, to + size - step, channels)


@nb.njit(nogil=True, forceinline=True)
def _mirror_by(source, at, target, to, width, channels, last):  # type: ignore[no-untyped-def]
    if channels == 3:
        _mirror(source, at, target, to, width, 3, last)
    elif channels == 1:
        _mirror(source, at, target, to, width, 1, last)
    else:
        _mirror(source, at, target, to, width, 4, last)


@nb.njit(cache=True, nogil=True)
def mirror_columns(images, out, chosen):  # type: ignore[no-untyped-def]
    """Reverse the columns of the chosen images."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    size = up(width * channels)
    for i in range(n):
        if not chosen[i]:
            first, whole = up(i * height) * size, up(height) * size
            copy_bytes(source, first, target, first, whole)
            continue
        for y in range(height):
            first = up((i * height + y) * width * channels)
            if size >= _LONG:
                prefetch_read(source, first + up(2) * size, size)
            last = i == n - 1 and y == height - 1
            _mirror_by(source, first, target, first, width, channels, last)


@technique("geometry", apply=mirror_columns, probability=SHARE)
def flip(draws: Draws, probability: Any) -> Arrays:
    """Mirrors the image left to right."""
    return (draws.happens(probability),)


@nb.njit(cache=True, nogil=True)
def mirror_rows(images, out, chosen):  # type: ignore[no-untyped-def]
    """Reverse the rows of the chosen images."""
    n, height, width, channels = images.shape
    size = up(width * channels)
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        # Reading in the order of memory and writing backwards is faster than the reverse.
        for y in range(height):
            row = height - 1 - y if chosen[i] else y
            at, to = up(i * height + y) * size, up(i * height + row) * size
            if size >= _LONG and chosen[i]:
                prefetch_write(target, to, size)
            copy_bytes(source, at, target, to, size)


@technique("geometry", apply=mirror_rows, probability=SHARE)
def vertical_flip(draws: Draws, probability: Any) -> Arrays:
    """Mirrors the image top to bottom."""
    return (draws.happens(probability),)


@nb.njit(nogil=True, forceinline=True)
def _copy_pixels(source, at, stride, target, to, count, channels):  # type: ignore[no-untyped-def]
    """Write `count` pixels side by side that lie `stride` bytes apart."""
    step = up(channels)
    for _ in range(count):
        for c in range(step):
            target[to + c] = source[at + c]
        to += step
        at += stride


@nb.njit(nogil=True, forceinline=True)
def _quarter(source, target, base, side, channels, clockwise):  # type: ignore[no-untyped-def]
    """Turn a square image by a quarter, in blocks of 4×4 pixels."""
    step, pitch = up(channels), up(side * channels)
    blocks = side // 4 * 4
    # Output (y, x) is source (side-1-x, y) clockwise and (x, side-1-y) the other way, so that
    # blocks go up the source, or the output is written from below.
    stride = up(0) - pitch if clockwise else pitch
    start = base + (up(side - 1) * pitch if clockwise else up(0))
    for y0 in range(0, blocks, 4):
        row = y0 if clockwise else side - 1 - y0
        line = up(0) - pitch if not clockwise else pitch
        for x0 in range(0, blocks, 4):
            at = start + up(x0) * stride + up(y0) * step
            to = base + up(row) * pitch + up(x0) * step
            transpose4(source, at, stride, target, to, line, channels)
    for y in range(side):
        column = y if clockwise else side - 1 - y
        x = blocks if column < blocks else 0
        at = start + up(x) * stride + up(column) * step
        to = base + up(y) * pitch + up(x) * step
        _copy_pixels(source, at, stride, target, to, side - x, channels)


@nb.njit(cache=True, nogil=True)
def turn_quarters(images, out, quarters):  # type: ignore[no-untyped-def]
    """Turn images clockwise by 0 to 3 quarters; by 1 and 3 only where they are square."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    pitch = up(width * channels)
    for i in range(n):
        base, q = up(i * height) * pitch, quarters[i]
        if q == 0:
            copy_bytes(source, base, target, base, up(height) * pitch)
        elif q == 2:
            for y in range(height):
                at, to = base + up(height - 1 - y) * pitch, base + up(y) * pitch
                # The last line written, and the last line read, must not go too far.
                last = i == n - 1 and (y == 0 or y == height - 1)
                _mirror_by(source, at, target, to, width, channels, last)
        elif channels == 3:
            _quarter(source, target, base, height, 3, q == 1)
        elif channels == 1:
            _quarter(source, target, base, height, 1, q == 1)
        else:
            _quarter(source, target, base, height, 4, q == 1)


@technique("geometry", apply=turn_quarters, probability=SHARE)
def rotate90(draws: Draws, probability: Any) -> Arrays:
    """Turns the image by one, two or three quarters; by two where it is not square."""
    chosen = draws.happens(probability)
    height, width, _ = draws.shape
    quarters = 1 + draws.below(3) if height == width else draws.constant(2, np.int64)
    return (np.where(chosen, quarters, 0),)


@technique(
    "geometry",
    apply=warp,
    degrees=Parameter(15.0, 0, 180, "degrees", "Largest angle, either way.", 0, 30),
)
def rotate(draws: Draws, degrees: Any) -> Arrays:
    """Turns the image about its centre by a random angle."""
    angle = np.deg2rad(draws.around(degrees))
    cos, sin = np.cos(angle), np.sin(angle)
    return (centred(draws.shape, cos, -sin, sin, cos),)


@technique(
    "geometry",
    apply=warp,
    limit=Parameter(0.1, 0, 1, "of width and height", "Largest way, on each axis.", 0, 0.3),
)
def translate(draws: Draws, limit: Any) -> Arrays:
    """Moves the image by a random way along each axis."""
    height, width, _ = draws.shape
    matrices = centred(draws.shape, np.ones(len(draws)), 0.0, 0.0, 1.0)
    matrices[:, 0, 2] = width * draws.around(limit)
    matrices[:, 1, 2] = height * draws.around(limit)
    return (matrices,)


@technique(
    "geometry",
    apply=warp,
    degrees=Parameter(10.0, 0, 60, "degrees", "Largest angle, on each axis.", 0, 20),
)
def shear(draws: Draws, degrees: Any) -> Arrays:
    """Slants the image by a random angle along each axis."""
    across = np.tan(np.deg2rad(draws.around(degrees)))
    down = np.tan(np.deg2rad(draws.around(degrees)))
    return (centred(draws.shape, 1.0, across, down, 1.0),)


@technique(
    "geometry",
    apply=warp,
    limit=Parameter(0.2, 0, 3, "of the size", "Factor at most 1 + limit, or 1 / that.", 0, 0.5),
)
def zoom(draws: Draws, limit: Any) -> Arrays:
    """Enlarges or shrinks the image about its centre by a random factor."""
    factor = np.exp(draws.around(np.log1p(limit)))
    return (centred(draws.shape, factor, 0.0, 0.0, factor),)


def centred(shape: tuple[int, int, int], a: Any, b: Any, c: Any, d: Any) -> NDArray[np.float64]:
    """Return (N, 2, 3) matrices from output to source pixels: [[a, b], [c, d]] about the centre."""
    height, width, _ = shape
    require(max(height, width) <= 8192, "height and width <= 8192", height=height, width=width)
    y, x = (height - 1) / 2, (width - 1) / 2
    matrices = np.empty((np.broadcast(a, b, c, d).size, 2, 3))
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2] = a, b, x - a * x - b * y
    matrices[:, 1, 0], matrices[:, 1, 1], matrices[:, 1, 2] = c, d, y - c * x - d * y
    return matrices
