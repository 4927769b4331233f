"""Techniques that change values, not places. A fourth channel, alpha, is left as it is.

Factors are whole numbers, in 1/16384 unless said, so that every machine gets the same bytes.
"""

from functools import cache
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from equipoise.techniques.base import Arrays, Draws, Parameter, technique
from equipoise.techniques.kernels.lanes import (
    FAST_LOOK_UP,
    at_least,
    at_most,
    bytes_at,
    copy_bytes,
    high,
    look_up32,
    look_up_steps,
    put_bytes,
)

u8, u16, i32, up = np.uint8, np.uint16, np.int32, np.uintp
_ONE, _HALF, _BITS = 1 << 14, i32(1 << 13), i32(14)
_FULL, _NONE = i32(255), i32(0)


@nb.njit(nogil=True, forceinline=True)
def _keep_alpha(source, target, first, size):  # type: ignore[no-untyped-def]
    for p in range(up(size // 4)):
        target[first + up(4) * p + up(3)] = source[first + up(4) * p + up(3)]


@nb.njit(nogil=True, forceinline=True)
def _line(source, at, target, to, size, factor, offset):  # type: ignore[no-untyped-def]
    """Write factor·v + offset, both in 1/16384, rounded and held in 0 … 255."""
    add = i32(offset + _HALF)
    for k in range(up(size)):
        value = i32(i32(i32(source[at + k]) * factor) + add) >> _BITS
        target[to + k] = u8(min(max(value, _NONE), _FULL))


@nb.njit(cache=True, nogil=True)
def add(images, out, amount):  # type: ignore[no-untyped-def]
    """Add `amount` (N,) int32 in 1/16384 to every value."""
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first = up(i * size)
        _line(source, first, target, first, size, i32(_ONE), i32(amount[i]))
        if channels == 4:
            _keep_alpha(source, target, first, size)


@technique(
    "colour",
    apply=add,
    limit=Parameter(0.2, 0, 1, "of the full range", "Largest change, either way.", 0, 0.6),
)
def brightness(draws: Draws, limit: Any) -> Arrays:
    """Adds one random amount to all values."""
    return (np.rint(255 * _ONE * draws.around(limit)).astype(np.int32),)


@nb.njit(nogil=True, forceinline=True)
def _total(source, first, size):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for start in range(0, size, 65536):
        part = np.uint32(0)
        for k in range(first + up(start), first + up(min(start + 65536, size))):
            part = np.uint32(part + np.uint32(source[k]))
        total += np.int64(part)
    return total


@nb.njit(cache=True, nogil=True)
def scale_about_mean(images, out, factor):  # type: ignore[no-untyped-def]
    """Multiply each value's distance from the image's mean by `factor` (N,) int32 in 1/16384."""
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first = up(i * size)
        total, count = _total(source, first, size), size
        if channels == 4:
            count = height * width * 3
            for p in range(up(height * width)):
                total -= np.int64(source[first + up(4) * p + up(3)])
        offset = total * np.int64(_ONE - factor[i]) // count
        _line(source, first, target, first, size, i32(factor[i]), i32(offset))
        if channels == 4:
            _keep_alpha(source, target, first, size)


@technique(
    "colour",
    apply=scale_about_mean,
    limit=Parameter(0.3, 0, 1, "share", "Factor between 1 - limit and 1 + limit.", 0, 0.9),
)
def contrast(draws: Draws, limit: Any) -> Arrays:
    """Draws all values to or from the image's mean by a random factor."""
    return (np.rint(_ONE * (1 + draws.around(limit))).astype(np.int32),)


# ---------------------------------------------------------------- channel by channel
#
# Taken apart into planes, the channels fill vector registers; taking them apart and joining them
# again costs little where the planes stay in the first cache, so that images go tile by tile.
# Results go to planes of their own: LLVM does not vectorise in place.

_TILE = 1024  # pixels


@nb.njit(nogil=True, forceinline=True)
def _split(source, first, channels, planes, pixels):  # type: ignore[no-untyped-def]
    """Copy the colour channels apart, each into `pixels` bytes of `planes`."""
    if channels == 3:
        for p in range(up(pixels)):
            at = first + up(3) * p
            planes[p] = source[at]
            planes[up(pixels) + p] = source[at + up(1)]
            planes[up(2 * pixels) + p] = source[at + up(2)]
    elif channels == 4:
        for p in range(up(pixels)):
            at = first + up(4) * p
            planes[p] = source[at]
            planes[up(pixels) + p] = source[at + up(1)]
            planes[up(2 * pixels) + p] = source[at + up(2)]
    else:
        for p in range(up(pixels)):
            planes[p] = source[first + p]


@nb.njit(nogil=True, forceinline=True)
def _join(planes, r, g, b, pixels, source, target, first, channels):  # type: ignore[no-untyped-def]
    """Put channels that start at r, g and b in `planes` together again; alpha from `source`."""
    if channels == 3:
        for p in range(up(pixels)):
            to = first + up(3) * p
            target[to] = planes[r + p]
            target[to + up(1)] = planes[g + p]
            target[to + up(2)] = planes[b + p]
    elif channels == 4:
        for p in range(up(pixels)):
            to = first + up(4) * p
            target[to] = planes[r + p]
            target[to + up(1)] = planes[g + p]
            target[to + up(2)] = planes[b + p]
            target[to + up(3)] = source[to + up(3)]
    else:
        for p in range(up(pixels)):
            target[first + p] = planes[r + p]


@nb.njit(nogil=True, forceinline=True)
def _range(planes, at, pixels):  # type: ignore[no-untyped-def]
    low, high = u8(255), u8(0)
    for p in range(up(pixels)):
        low = u8(min(low, planes[at + p]))
        high = u8(max(high, planes[at + p]))
    return np.int64(low), np.int64(high)


@nb.njit(cache=True, nogil=True)
def stretch_channels(images, out, amount):  # type: ignore[no-untyped-def]
    """Stretch each channel to 0 … 255; `amount` (N,) int32 in 1/16384 of the way.

    The extremes are the whole image's, so that tiles would have to be taken apart twice.
    """
    n, height, width, channels = images.shape
    pixels = height * width
    source, target = images.reshape(images.size), out.reshape(out.size)
    planes, mixed = np.empty(3 * pixels, np.uint8), np.empty(3 * pixels, np.uint8)
    for i in range(n):
        first = up(i * pixels * channels)
        _split(source, first, channels, planes, pixels)
        for c in range(min(channels, 3)):
            at = up(c * pixels)
            low, high = _range(planes, at, pixels)
            factor, offset = np.int64(_ONE), np.int64(0)
            if high > low:
                gain = (255 * _ONE + (high - low) // 2) // (high - low)
                factor += (gain - _ONE) * np.int64(amount[i]) >> 14
                offset -= low * (gain * np.int64(amount[i]) >> 14)
            _line(planes, at, mixed, at, pixels, i32(factor), i32(offset))
        one, two = up(pixels), up(2 * pixels)
        _join(mixed, up(0), one, two, pixels, source, target, first, channels)


@technique(
    "colour",
    apply=stretch_channels,
    amount=Parameter(1.0, 0, 1, "share", "How much of the way the values go.", 0, 1),
)
def autocontrast(draws: Draws, amount: Any) -> Arrays:
    """Stretches each channel so that its darkest value becomes 0 and its brightest 255."""
    return (draws.constant(np.rint(np.multiply(_ONE, amount)), np.int32),)


@nb.njit(nogil=True, forceinline=True)
def _luma(planes, pixels, luma):  # type: ignore[no-untyped-def]
    """Rec. 601 luma in 1/256, which 16 bits hold: (77 R + 150 G + 29 B + 128) >> 8."""
    green, blue = up(pixels), up(2 * pixels)
    for p in range(up(pixels)):
        r = u16(u16(planes[p]) * u16(77))
        g = u16(u16(planes[green + p]) * u16(150))
        b = u16(u16(planes[blue + p]) * u16(29))
        luma[p] = u8(u16(u16(u16(r + g) + b) + u16(128)) >> u16(8))


@nb.njit(nogil=True, forceinline=True)
def _from_luma(planes, at, pixels, luma, factor, mixed):  # type: ignore[no-untyped-def]
    """Scale the distance from the luma in sixteen bits, where a product's upper half is 4 times it.

    256 on top keeps everything positive, and comes off at the end.
    """
    base = u16(4 * 256 + 2 - (factor >> 1))
    for p in range(up(0), up(pixels), up(16)):
        grey = bytes_at(luma, p)
        change = high((bytes_at(planes, at + p) + 256 - grey) << 7, factor)
        value = at_least(((grey << 2) + change + base) >> 2, 256) - 256
        put_bytes(at_most(value, 255), mixed, at + p)


@nb.njit(cache=True, nogil=True)
def scale_about_luma(images, out, factor):  # type: ignore[no-untyped-def]
    """Multiply distances from the pixel's luma by `factor` (N,), even uint16 in 1/2048."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    planes, mixed = np.empty((2, 3 * _TILE + 16), np.uint8)
    luma, zero = np.empty(_TILE + 16, np.uint8), up(0)
    for i in range(n):
        for done in range(0, height * width, _TILE):
            pixels = min(_TILE, height * width - done)
            first = up((i * height * width + done) * channels)
            _split(source, first, channels, planes, pixels)
            _luma(planes, pixels, luma)
            if factor[i] == 0:
                _join(luma, zero, zero, zero, pixels, source, target, first, channels)
                continue
            for c in range(3):
                _from_luma(planes, up(c * pixels), pixels, luma, u16(factor[i]), mixed)
            one, two = up(pixels), up(2 * pixels)
            _join(mixed, zero, one, two, pixels, source, target, first, channels)


@technique(
    "colour",
    apply=scale_about_luma,
    needs_colour=True,
    limit=Parameter(0.5, 0, 1, "share", "Factor between 1 - limit and 1 + limit.", 0, 0.9),
)
def saturation(draws: Draws, limit: Any) -> Arrays:
    """Draws each pixel to or from its grey by a random factor."""
    return (2 * np.rint(1024 * (1 + draws.around(limit))).astype(np.uint16),)


@technique(
    "colour",
    apply=scale_about_luma,
    needs_colour=True,
    amount=Parameter(1.0, 0, 1, "share", "How much of the way to grey.", 0, 1),
)
def grayscale(draws: Draws, amount: Any) -> Arrays:
    """Takes the colour out."""
    return (draws.constant(2 * np.rint(1024 * np.subtract(1, amount)), np.uint16),)


@nb.njit(nogil=True, forceinline=True)
def _mix(planes, pixels, a, b, c, mixed, to):  # type: ignore[no-untyped-def]
    green, blue = up(pixels), up(2 * pixels)
    for p in range(up(pixels)):
        value = i32(i32(planes[p]) * a) + i32(i32(planes[green + p]) * b)
        value = i32(i32(value + i32(i32(planes[blue + p]) * c)) + _HALF) >> _BITS
        mixed[to + p] = u8(min(max(i32(value), _NONE), _FULL))


@nb.njit(cache=True, nogil=True)
def mix_channels(images, out, matrices):  # type: ignore[no-untyped-def]
    """Multiply each pixel (R, G, B) by its image's matrix (N, 3, 3), int32 in 1/16384."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    planes, mixed = np.empty((2, 3 * _TILE), np.uint8)
    for i in range(n):
        for done in range(0, height * width, _TILE):
            pixels = min(_TILE, height * width - done)
            first = up((i * height * width + done) * channels)
            _split(source, first, channels, planes, pixels)
            for c in range(3):
                m = matrices[i, c]
                _mix(planes, pixels, i32(m[0]), i32(m[1]), i32(m[2]), mixed, up(c * pixels))
            one, two = up(pixels), up(2 * pixels)
            _join(mixed, up(0), one, two, pixels, source, target, first, channels)


# A turn by an angle about the grey axis that keeps the luma: what it adds to the luma's weights for
# its cosine and its sine (W3C, Filter Effects Module Level 1, feColorMatrix type hueRotate).
_LUMA = np.array([[0.213, 0.715, 0.072]] * 3)
_COS = np.array([[0.787, -0.715, -0.072], [-0.213, 0.285, -0.072], [-0.213, -0.715, 0.928]])
_SIN = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])


@technique(
    "colour",
    apply=mix_channels,
    needs_colour=True,
    degrees=Parameter(20.0, 0, 180, "degrees", "Largest turn of the hue, either way.", 0, 90),
)
def hue(draws: Draws, degrees: Any) -> Arrays:
    """Turns all hues by one random angle, as CSS's `hue-rotate` does."""
    angle = np.deg2rad(draws.around(degrees))[:, None, None]
    matrices = np.rint(_ONE * (_LUMA + np.cos(angle) * _COS + np.sin(angle) * _SIN))
    matrices[:, :, 2] = _ONE - matrices[:, :, 0] - matrices[:, :, 1]  # grey stays exactly grey
    return (matrices.astype(np.int32),)


# ------------------------------------------------------------------- value by value


@nb.njit(cache=True, nogil=True)
def look_up(images, out, row, tables, steps):  # type: ignore[no-untyped-def]
    """Replace each value by its entry in the image's row of `tables` (T, 256).

    `steps` are the same tables in the form that `look_up32` takes.
    """
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first, table, step = up(i * size), tables[row[i]], steps[row[i]]
        done = up(0)
        if FAST_LOOK_UP:
            done = up(size // 32 * 32)
            for k in range(first, first + done, up(32)):
                look_up32(source, k, step, target, k)
        for k in range(first + done, first + up(size)):
            target[k] = table[source[k]]
        if channels == 4:
            _keep_alpha(source, target, first, size)


@cache
def _gamma_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """255·(v/255)^(2^(k/64)) for k = -128 … 128, plainly and for `look_up32`."""
    exponents = 2.0 ** (np.arange(-128, 129) / 64)
    tables = np.rint(255 * (np.arange(256) / 255) ** exponents[:, None]).astype(np.uint8)
    return tables, look_up_steps(tables)


def _apply_gamma(images: NDArray[np.uint8], out: NDArray[np.uint8], step: Any) -> None:
    look_up(images, out, step + 128, *_gamma_tables())


@technique(
    "colour",
    apply=_apply_gamma,
    limit=Parameter(0.4, 0, 3, "of the exponent", "Exponent at most 1 + limit, or 1 / that.", 0, 1),
)
def gamma(draws: Draws, limit: Any) -> Arrays:
    """Raises all values, as shares of 255, to one random power."""
    return (np.rint(64 * draws.around(np.log2(np.add(1, limit)))).astype(np.int64),)


@nb.njit(cache=True, nogil=True)
def keep_bits(images, out, mask):  # type: ignore[no-untyped-def]
    """Keep the bits of every value that the image's `mask` (N,) uint8 has."""
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first, bits = up(i * size), mask[i]
        for k in range(first, first + up(size)):
            target[k] = u8(source[k] & bits)
        if channels == 4:
            _keep_alpha(source, target, first, size)


@technique(
    "colour",
    apply=keep_bits,
    bits=Parameter(4, 1, 8, "bits", "Bits that are kept of eight.", 8, 2, step=1),
)
def posterize(draws: Draws, bits: Any) -> Arrays:
    """Keeps only the highest bits of every value."""
    return (draws.constant(256 - 2 ** (8 - np.asarray(bits)), np.uint8),)


@nb.njit(cache=True, nogil=True)
def invert_above(images, out, threshold):  # type: ignore[no-untyped-def]
    """Turn values from `threshold` (N,) int32 on into 255 minus them."""
    n, height, width, channels = images.shape
    size = height * width * channels
    source, target = images.reshape(images.size), out.reshape(out.size)
    for i in range(n):
        first = up(i * size)
        if threshold[i] > 255:
            copy_bytes(source, first, target, first, size)
            continue
        limit = u8(threshold[i])
        for k in range(first, first + up(size)):
            value = source[k]
            target[k] = u8(value ^ u8(255)) if value >= limit else value
        if channels == 4:
            _keep_alpha(source, target, first, size)


@technique(
    "colour",
    apply=invert_above,
    threshold=Parameter(128, 0, 256, "grey levels", "Values from it on turn.", 256, 0, step=1),
)
def solarize(draws: Draws, threshold: Any) -> Arrays:
    """Inverts the bright values."""
    return (draws.constant(threshold, np.int32),)
