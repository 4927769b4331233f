"""Filters: Gaussian windows, sharpening, motion. Borders are reflected about the border pixels.

A window is the product of a column and a row of weights. The lines are taken in bands that stay in
the first cache: columns first, many side by side, into 16-bit sums with a reflected rim on both
sides; then rows, from the sums.
"""

import numba as nb
import numpy as np

from equipoise.techniques.kernels.lanes import (
    bytes_at,
    copy8,
    copy_bytes,
    lanes_at,
    prefetch_read,
    put_both,
    put_bytes,
    put_lanes,
)

__all__ = ["gaussian", "motion", "sharpen_gaussian"]

u8, u16, u32, i32, up = np.uint8, np.uint16, np.uint32, np.int32, np.uintp
_BAND = 8192
_REACH = 3  # of the largest window
_MARGIN = 32  # sums before a line, so that it begins where a cache line does; its rims go there


@nb.njit(nogil=True)
def _reflected(count, reach):  # type: ignore[no-untyped-def]
    """Positions that stand for -reach … count - 1 + reach."""
    table = np.empty(count + 2 * reach, np.int64)
    period = 2 * count - 2
    for i in range(len(table)):
        at = abs(i - reach) % period
        table[i] = at if at < count else period - at
    return table


@nb.njit(nogil=True)
def _offsets(count, reach, step):  # type: ignore[no-untyped-def]
    """`_reflected` in steps of `step`."""
    positions, offsets = _reflected(count, reach), np.empty(count + 2 * reach, np.uintp)
    for i in range(len(positions)):
        offsets[i] = positions[i] * step
    return offsets


@nb.njit(nogil=True, forceinline=True)
def _weigh(window, kernel):  # type: ignore[no-untyped-def]
    """The window's weighted sum, whole numbers of weight 4, 16 or 64 in all (cv2's tables)."""
    a, b, c, d, e, f, g = window
    if kernel == 3:
        return c + e + (d << 1)
    if kernel == 5:
        return b + f + ((c + e) << 2) + d * 6
    return ((a + g) << 1) + (b + f) * 7 + (c + e) * 14 + d * 18


@nb.njit(nogil=True, forceinline=True)
def _begun(source, at, lines, top):  # type: ignore[no-untyped-def]
    """The sums of `_next` after the four lines before the last one of the line `top`."""
    a, b = bytes_at(source, at + lines[top + 1]), bytes_at(source, at + lines[top + 2])
    c, d = bytes_at(source, at + lines[top + 3]), bytes_at(source, at + lines[top + 4])
    return d, c + d, b + (c << 1) + d, a + (b + c) * 3 + d


@nb.njit(nogil=True, forceinline=True)
def _next(state, row):  # type: ignore[no-untyped-def]
    """Add a line to sums of 1, 2, 3 and 4 lines, and to one of five by 1 4 6 4 1.

    The weights are those of adding up neighbours four times, so four additions do.
    """
    one, two, three, four = state
    pair = one + row
    triple = two + pair
    quadruple = three + triple
    return (row, pair, triple, quadruple), four + quadruple


@nb.njit(nogil=True, forceinline=True)
def _pitch(size):  # type: ignore[no-untyped-def]
    """Sums from one line of `size` bytes to the next."""
    return (size + _MARGIN - 1) // _MARGIN * _MARGIN + _MARGIN


@nb.njit(nogil=True, forceinline=True)
def _down(source, at, lines, top, end, sums, to, pitch):  # type: ignore[no-untyped-def]
    """Weigh thirty-two columns of the lines from `top` to `end` by 1 4 6 4 1."""
    right = at + up(16)
    state, state_right = _begun(source, at, lines, top), _begun(source, right, lines, top)
    for y in range(top, end):
        line = lines[y + 5]
        state, total = _next(state, bytes_at(source, at + line))
        put_lanes(total, sums, to)
        state_right, total = _next(state_right, bytes_at(source, right + line))
        put_lanes(total, sums, to + up(32))
        to += pitch


@nb.njit(nogil=True, forceinline=True)
def _columns_down(source, base, lines, top, end, size, sums):  # type: ignore[no-untyped-def]
    """Weigh columns by 1 4 6 4 1 from top to bottom: each byte is read once."""
    two, margin, pitch = up(2), up(_MARGIN), up(2 * _pitch(size))
    for x in range(up(0), up(size - 31), up(32)):
        _down(source, base + x, lines, top, end, sums, two * (margin + x), pitch)
    if size % 32:  # the last ones overlap those before
        x = up(size - 32)
        _down(source, base + x, lines, top, end, sums, two * (margin + x), pitch)


@nb.njit(nogil=True, forceinline=True)
def _weigh_lines(source, at, sums, to, kernel):  # type: ignore[no-untyped-def]
    a, b, c, d, e, f, g = at
    window = (
        bytes_at(source, a),
        bytes_at(source, b),
        bytes_at(source, c),
        bytes_at(source, d),
        bytes_at(source, e),
        bytes_at(source, f),
        bytes_at(source, g),
    )
    put_lanes(_weigh(window, kernel), sums, to)


@nb.njit(nogil=True, forceinline=True)
def _lines_down(source, base, lines, top, end, size, sums, kernel):  # type: ignore[no-untyped-def]
    """The same line by line: each byte is read anew for each sum, but in the order of memory."""
    for y in range(top, end):
        a, b, c, d = lines[y], lines[y + 1], lines[y + 2], lines[y + 3]
        e, f, g = lines[y + 4], lines[y + 5], lines[y + 6]
        to = up((y - top) * _pitch(size) + _MARGIN)
        for k in range(up(0), up(size), up(16)):
            # The last sixteen may overlap those before.
            x = k if k + up(16) <= up(size) else up(size - 16)
            i = base + x
            at = (i + a, i + b, i + c, i + d, i + e, i + f, i + g)
            _weigh_lines(source, at, sums, up(2) * (to + x), kernel)


@nb.njit(nogil=True, forceinline=True)
def _across(sums, at, step, kernel):  # type: ignore[no-untyped-def]
    """Weigh sixteen sums with their neighbours, `step` bytes apart, down to bytes."""
    d = lanes_at(sums, at)
    c, e = lanes_at(sums, at - step), lanes_at(sums, at + step)
    b, f = lanes_at(sums, at - step - step), lanes_at(sums, at + step + step)
    total = _weigh((d, b, c, d, e, f, d), kernel)
    return (total + 8) >> 4 if kernel == 3 else (total + 128) >> 8


@nb.njit(nogil=True, forceinline=True)
def _line_across(sums, line, step, target, to, size, kernel):  # type: ignore[no-untyped-def]
    two, half = up(2), up(16)
    for x in range(up(0), up(size - 31), up(32)):
        left = _across(sums, two * (line + x), step, kernel)
        right = _across(sums, two * (line + x + half), step, kernel)
        put_both(left, right, target, to + x)
    if size % 32:
        x = min(up(size // 32 * 32), up(size - 16))
        put_bytes(_across(sums, two * (line + x), step, kernel), target, to + x)
        x = up(size - 16)
        put_bytes(_across(sums, two * (line + x), step, kernel), target, to + x)


@nb.njit(nogil=True, forceinline=True)
def _across7(sums, k, step, target, to, size):  # type: ignore[no-untyped-def]
    """Seven columns need 32 bits: their weights are 64 in all, after 64 by the lines."""
    for i in range(up(size)):
        at = k + i
        a, b, c = sums[at - up(3) * step], sums[at - up(2) * step], sums[at - step]
        e, f, g = sums[at + step], sums[at + up(2) * step], sums[at + up(3) * step]
        total = (u32(a) + u32(g)) * u32(2) + (u32(b) + u32(f)) * u32(7)
        total += (u32(c) + u32(e)) * u32(14) + u32(sums[at]) * u32(18)
        target[to + i] = u8(u32(total + u32(2048)) >> u32(12))


@nb.njit(nogil=True, forceinline=True)
def _rim3(sums, line, columns, width):  # type: ignore[no-untyped-def]
    """The same for two pixels of three sums, by eight bytes: the fourth sum is set right after."""
    two, right = up(2), line + up(3 * width)
    copy8(sums, two * (line + columns[1]), sums, two * (line - up(6)))
    for c in range(up(3)):
        sums[line - up(3) + c] = sums[line + columns[2] + c]
    copy8(sums, two * (line + columns[width + 3]), sums, two * right)
    copy8(sums, two * (line + columns[width + 4]), sums, two * (right + up(3)))


@nb.njit(nogil=True, forceinline=True)
def _rim(sums, line, columns, width, channels, reach):  # type: ignore[no-untyped-def]
    """Set the sums left and right of a line to those that they reflect."""
    if channels == 3 and reach == 2:
        _rim3(sums, line, columns, width)
        return
    for j in range(reach):
        left, right = line - up((j + 1) * channels), line + up((width + j) * channels)
        from_left = line + columns[_REACH - 1 - j]
        from_right = line + columns[_REACH + width + j]
        for c in range(up(channels)):
            sums[left + c] = sums[from_left + c]
            sums[right + c] = sums[from_right + c]


@nb.njit(nogil=True, forceinline=True)
def _lines_across(source, ahead, sums, columns, width, channels, target, to, count, kernel):  # type: ignore[no-untyped-def]
    """Weigh `count` lines of sums; meanwhile the lines at `ahead`, next in turn, are asked for."""
    size, margin = width * channels, up(_MARGIN)
    pitch, step = up(_pitch(size)), up(2 * channels)
    # All rims first: reading what was just written in smaller pieces would stall.
    for y in range(up(count)):
        _rim(sums, y * pitch + margin, columns, width, channels, kernel // 2)
    for y in range(up(count)):
        line, first = y * pitch + margin, to + y * up(size)
        prefetch_read(source, ahead + y * up(size), size)
        if kernel == 7:
            _across7(sums, line, up(channels), target, first, size)
        else:
            _line_across(sums, line, step, target, first, size, kernel)


@nb.njit(nogil=True)
def _smooth_small(source, base, target, to, shape, lines, columns, kernel):  # type: ignore[no-untyped-def]
    """The same for lines of less than sixteen bytes, pixel by pixel."""
    height, width, channels = shape
    weights = ((2, 1, 0, 0), (6, 4, 1, 0), (18, 14, 7, 2))[kernel // 2 - 1]
    scale = (16, 256, 4096)[kernel // 2 - 1]
    for y in range(height):
        for k in range(width * channels):
            total = scale // 2
            for i in range(-_REACH, _REACH + 1):
                for j in range(-_REACH, _REACH + 1):
                    at = lines[y + i + _REACH] + columns[k // channels + j + _REACH]
                    value = source[base + at + up(k % channels)]
                    total += weights[abs(i)] * weights[abs(j)] * np.int64(value)
            target[to + up(y * width * channels + k)] = u8(total // scale)


@nb.njit(nogil=True)
def _smooth_tables(height, width, channels):  # type: ignore[no-untyped-def]
    """Offsets of reflected lines and columns, and room for the sums of a band of lines."""
    size = width * channels
    band = max(1, min(height, _BAND // _pitch(size)))
    sums = np.empty(band * _pitch(size) + 2 * _MARGIN, np.uint16)
    sums = sums[up(0) - up(sums.ctypes.data) // up(2) & up(_MARGIN - 1) :]
    return _offsets(height, _REACH, size), _offsets(width, _REACH, channels), sums, band


@nb.njit(nogil=True)
def _smooth(source, base, target, to, shape, tables, kernel):  # type: ignore[no-untyped-def]
    """Smooth the image at `base` of `source` into `to` of `target`."""
    height, width, channels = shape
    lines, columns, sums, band = tables
    size = width * channels
    if size < 16:
        _smooth_small(source, base, target, to, shape, lines, columns, kernel)
        return
    for top in range(0, height, band):
        end = min(top + band, height)
        if kernel == 7:
            _lines_down(source, base, lines, top, end, size, sums, 7)
        elif kernel == 3:
            _lines_down(source, base, lines, top, end, size, sums, 3)
        elif size < 32:
            _lines_down(source, base, lines, top, end, size, sums, 5)
        else:
            _columns_down(source, base, lines, top, end, size, sums)
        first, count, ahead = to + up(top * size), end - top, base + up((end + 2) * size)
        if kernel == 7:
            _lines_across(source, ahead, sums, columns, width, channels, target, first, count, 7)
        elif kernel == 3:
            _lines_across(source, ahead, sums, columns, width, channels, target, first, count, 3)
        elif channels == 3:
            _lines_across(source, ahead, sums, columns, width, 3, target, first, count, 5)
        else:
            _lines_across(source, ahead, sums, columns, width, channels, target, first, count, 5)


@nb.njit(cache=True, nogil=True)
def gaussian(images, out, kernel):  # type: ignore[no-untyped-def]
    """Smooth each image with a Gaussian window of side `kernel` (N,): 1, 3, 5 or 7.

    The bytes are those of `cv2.GaussianBlur(image, (kernel, kernel), 0)`.
    """
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    size, shape = height * width * channels, (height, width, channels)
    tables = _smooth_tables(height, width, channels)
    for i in range(n):
        base = up(i * size)
        if kernel[i] == 1:
            copy_bytes(source, base, target, base, size)
        else:
            _smooth(source, base, target, base, shape, tables, kernel[i])


@nb.njit(cache=True, nogil=True)
def sharpen_gaussian(images, out, amount):  # type: ignore[no-untyped-def]
    """Add the difference to the 3×3 Gaussian times `amount` (N,), int32 in 1/16384."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    size, shape = height * width * channels, (height, width, channels)
    tables = _smooth_tables(height, width, channels)
    smooth, three = np.empty(size, np.uint8), np.int64(3)
    for i in range(n):
        first, factor = up(i * size), i32(amount[i])
        _smooth(source, first, smooth, up(0), shape, tables, three)
        for k in range(up(size)):
            value = i32(source[first + k])
            change = i32(i32(i32(value - i32(smooth[k])) * factor) + i32(8192)) >> i32(14)
            target[first + k] = u8(min(max(i32(value + change), i32(0)), i32(255)))


@nb.njit(nogil=True, forceinline=True)
def _pad(source, base, padded, lines, columns, reach, shape):  # type: ignore[no-untyped-def]
    """Copy an image with `reach` reflected pixels all round."""
    height, width, channels = shape
    pitch = (width + 2 * reach) * channels
    for y in range(height + 2 * reach):
        first, to = up(base + lines[y] * width * channels), up(y * pitch)
        middle = to + up(reach * channels)
        copy_bytes(source, first, padded, middle, width * channels)
        for x in range(reach):
            for c in range(up(channels)):
                left = first + up(columns[x] * channels) + c
                right = first + up(columns[width + reach + x] * channels) + c
                padded[to + up(x * channels) + c] = source[left]
                padded[middle + up((width + x) * channels) + c] = source[right]


@nb.njit(nogil=True, forceinline=True)
def _add_shifted(padded, at, sums, size, first):  # type: ignore[no-untyped-def]
    if first:
        for k in range(up(size)):
            sums[k] = u16(padded[at + k])
    else:
        for k in range(up(size)):
            sums[k] = u16(sums[k] + u16(padded[at + k]))


@nb.njit(cache=True, nogil=True)
def motion(images, out, length, direction):  # type: ignore[no-untyped-def]
    """Average `length` (N,) pixels, odd, at most 31, in a line along `direction` (N, 2): y, x.

    The pixels are those nearest to the steps -(length - 1)/2 … (length - 1)/2 of the line.
    """
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    reach = 0
    for i in range(n):
        reach = max(reach, length[i] // 2)
    lines, columns = _reflected(height, reach), _reflected(width, reach)
    size, pitch = width * channels, (width + 2 * reach) * channels
    padded = np.empty((height + 2 * reach) * pitch, np.uint8)
    band = max(1, min(height, _BAND // pitch))
    sums = np.empty(band * pitch, np.uint16)
    for i in range(n):
        base = i * height * size
        _pad(source, base, padded, lines, columns, reach, images.shape[1:])
        gain = u32((1 << 20) // length[i] + 1)  # exact for sums of 31 bytes
        half = u32(length[i] // 2)
        for top in range(0, height, band):
            end = min(top + band, height)
            flat = (end - top - 1) * pitch + size
            for t in range(length[i]):
                step = t - length[i] // 2
                y = top + reach + int(np.rint(step * direction[i, 0]))
                x = reach + int(np.rint(step * direction[i, 1]))
                _add_shifted(padded, up(y * pitch + x * channels), sums, flat, t == 0)
            for y in range(top, end):
                at, to = up((y - top) * pitch), up(base + y * size)
                for k in range(up(size)):
                    total = u32(u32(sums[at + k]) + half)
                    target[to + k] = u8(u32(total * gain) >> u32(20))
