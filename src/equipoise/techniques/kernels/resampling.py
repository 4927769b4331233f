"""The ways to resample: stretching a window to full size, shrinking by area, and an affine map.

All compute in whole numbers, so that every machine gets the same bytes. Stretching, which is
bilinear, gives the very bytes of `cv2.resize`.
"""

import numba as nb
import numpy as np

from equipoise.techniques.kernels.lanes import (
    bilinear,
    bytes_at,
    copy_bytes,
    high,
    lanes_at,
    permute16,
    put_bytes,
    put_lanes,
)

__all__ = ["resize_windows", "shrink_and_stretch", "warp"]

u8, u16, u32, i32, f32, up = np.uint8, np.uint16, np.uint32, np.int32, np.float32, np.uintp

# Loops here run over flat arrays with unsigned offsets: a signed or sliced index brings checks and
# reference counts that cost more than the arithmetic. Every operand is cast, because Numba
# promotes to 64 bits and LLVM then fills a register with four numbers, not with sixteen.


@nb.njit(nogil=True, forceinline=True)
def _position(i, window, size):  # type: ignore[no-untyped-def]
    """Left neighbour of output `i` in the window, and the right one's weight in 1/2048."""
    f = f32((i + 0.5) * (window / size) - 0.5)
    at = int(np.floor(f))
    return at, i32(np.rint((f - f32(at)) * f32(2048)))


@nb.njit(nogil=True)
def _columns(window, width, channels, starts, orders, weights):  # type: ignore[no-untyped-def]
    """Fill the tables of the horizontal pass.

    The outputs go in groups of 16 bytes: `starts` is where a group reads, `orders` which byte
    from there each output takes. `weights` is the right neighbour's, in 1/65536 and in 1/128.
    """
    at = np.empty(width, np.int64)
    for x in range(width):
        left, weight = _position(x, window, width)
        if weight == 2048:
            left, weight = left + 1, i32(0)
        if left < 0 or left >= window - 1:
            left, weight = min(max(left, 0), window - 1), i32(0)
        at[x] = left * channels
        for k in range(x * channels, (x + 1) * channels):
            weights[0, k] = weight << 5
            weights[1, k] = weight << 4
    count = 16 // channels
    for g in range(len(starts)):
        x = g * count
        starts[g] = at[x]
        for j in range(16):
            pixel = x + j // channels
            inside = j // channels < count and pixel < width
            orders[16 * g + j] = at[pixel] - at[x] + j % channels if inside else 0


@nb.njit(nogil=True)
def _lines(window, height, neighbours):  # type: ignore[no-untyped-def]
    """Fill the table of the vertical pass: two lines an output, and the lower one's weight."""
    for y in range(height):
        top, neighbours[2, y] = _position(y, window, height)
        neighbours[0, y], neighbours[1, y] = max(top, 0), min(top + 1, window - 1)


@nb.njit(nogil=True, forceinline=True)
def _across(left, right, weights, rows, to, size):  # type: ignore[no-untyped-def]
    """Mix the neighbours of a line, in 1/128 of a grey level.

    The weight is in 1/2048 and the sum is cut, not rounded, to 1/128: (left·2048 + (right -
    left)·weight) >> 4. Adding 256 to the difference keeps it positive and is taken off again.
    """
    two, second = up(2), up(2 * weights.shape[1])
    for k in range(up(0), up(size), up(16)):
        a = bytes_at(left, k)
        change = high((bytes_at(right, k) - a + 256) << 7, lanes_at(weights, two * k))
        lifted = lanes_at(weights, second + two * k)
        put_lanes((a << 7) + change - lifted, rows, two * (to + k))


@nb.njit(nogil=True, forceinline=True)
def _mix(rows, top, bottom, k, weight, out, to):  # type: ignore[no-untyped-def]
    two = up(2)
    upper = high(lanes_at(rows, two * (top + k)), u16(2048 - weight))
    lower = high(lanes_at(rows, two * (bottom + k)), u16(weight))
    put_bytes((upper + lower + 2) >> 2, out, to + k)


@nb.njit(nogil=True, forceinline=True)
def _down(rows, top, bottom, weight, out, to, size):  # type: ignore[no-untyped-def]
    """Mix two lines of `_across` with a weight in 1/2048, down to bytes."""
    if size < 16:
        for k in range(up(size)):
            s = u16(u32(u32(rows[top + k]) * u32(2048 - weight)) >> u32(16))
            t = u16(u32(u32(rows[bottom + k]) * u32(weight)) >> u32(16))
            out[to + k] = u8(u16(u16(s + t) + u16(2)) >> u16(2))
        return
    for k in range(up(0), up(size - 15), up(16)):
        _mix(rows, top, bottom, k, weight, out, to)
    if size % 16:
        _mix(rows, top, bottom, up(size - 16), weight, out, to)


@nb.njit(nogil=True)
def stretch_tables(height, width, channels):  # type: ignore[no-untyped-def]
    """Tables and scratch of `stretch` for images of one size."""
    size, groups = width * channels, -(-width // (16 // channels))
    return (
        np.empty(groups, np.int64),
        np.empty(16 * groups, np.uint8),
        np.empty((2, size + 16), np.uint16),
        np.empty((3, height), np.int64),
        np.empty((3, size + 32), np.uint8),
        np.empty(height * size + 16, np.uint16),
        np.zeros(2, np.int64),
    )


@nb.njit(nogil=True, forceinline=True)
def _gather(line, starts, orders, channels, left, right):  # type: ignore[no-untyped-def]
    """Spread a line's pixels, and their right neighbours, over the outputs."""
    step = up(16 // channels * channels)
    for g in range(up(len(starts))):
        at = up(starts[g])
        permute16(line, at, orders, up(16) * g, left, step * g)
        permute16(line, at + up(channels), orders, up(16) * g, right, step * g)


@nb.njit(nogil=True)
def stretch(source, start, pitch, h, w, out, to, height, width, channels, tables):  # type: ignore[no-untyped-def]
    """Stretch the h×w window at byte `start` of `source`, lines `pitch` apart, to full size."""
    starts, orders, weights, neighbours, lines, rows, have = tables
    if have[0] != w:
        _columns(w, width, channels, starts, orders, weights)
        have[0] = w
    if have[1] != h:
        _lines(h, height, neighbours)
        have[1] = h
    size = width * channels
    line, left, right = lines[0], lines[1], lines[2]
    for y in range(h):
        copy_bytes(source, up(start + y * pitch), line, up(0), w * channels)
        if channels == 3:
            _gather(line, starts, orders, 3, left, right)
        else:
            _gather(line, starts, orders, channels, left, right)
        _across(left, right, weights, rows, up(y * size), size)
    for y in range(height):
        top, bottom = up(neighbours[0, y] * size), up(neighbours[1, y] * size)
        _down(rows, top, bottom, neighbours[2, y], out, up(to + y * size), size)


@nb.njit(cache=True, nogil=True)
def resize_windows(images, out, windows):  # type: ignore[no-untyped-def]
    """Bring windows (N rows of top, left, height, width) to full size as `cv2.resize` does."""
    n, height, width, channels = images.shape
    tables = stretch_tables(height, width, channels)
    source, target = images.reshape(images.size), out.reshape(out.size)
    pitch = width * channels
    for i in range(n):
        top, left, h, w = windows[i]
        to = i * height * pitch
        if h == height and w == width:
            copy_bytes(source, up(to), target, up(to), height * pitch)
            continue
        start = to + top * pitch + left * channels
        stretch(source, start, pitch, h, w, target, to, height, width, channels, tables)


@nb.njit(nogil=True)
def _shares(big, small, firsts):  # type: ignore[no-untyped-def]
    """The positions of `big` under each of `small` cells, and their shares of it in 1/256.

    Returns (T, small) shares of the positions `firsts`, `firsts` + 1, …; each cell's sum is 256.
    """
    shares = np.zeros((-(-big // small) + 1, small), np.uint16)
    for j in range(small):
        # In a unit of 1/small position a cell is `big` long: all ends are whole numbers.
        start, end = j * big, (j + 1) * big
        firsts[j] = start // small
        before = 0
        for t in range(len(shares)):
            reached = min(end, max(start, (firsts[j] + t + 1) * small)) - start
            now = (512 * reached + big) // (2 * big)
            shares[t, j] = now - before
            before = now
    return shares


@nb.njit(nogil=True)
def _picks(firsts, channels, starts, orders):  # type: ignore[no-untyped-def]
    """Group cells whose first positions lie within 16 bytes; return how many go together."""
    cells = len(firsts)
    count = 16 // channels
    while count > 1:
        fits = True
        for j in range(0, cells, count):
            last = min(j + count, cells) - 1
            fits &= (firsts[last] - firsts[j] + 1) * channels <= 16
        if fits:
            break
        count -= 1
    for g in range(-(-cells // count)):
        j = g * count
        starts[g] = firsts[j] * channels
        for k in range(16):
            cell = j + k // channels
            inside = k // channels < count and cell < cells
            offset = (firsts[min(cell, cells - 1)] - firsts[j]) * channels + k % channels
            orders[16 * g + k] = offset if inside else 0
    return count


@nb.njit(nogil=True, forceinline=True)
def _shrink_line(line, starts, orders, groups, step, channels, shares, tap, sums, size):  # type: ignore[no-untyped-def]
    for t in range(len(shares)):
        for g in range(up(groups)):
            at = up(starts[g]) + up(t * channels)
            permute16(line, at, orders, up(16) * g, tap, g * up(step))
        if t == 0:
            for k in range(up(size)):
                sums[k] = u16(u16(tap[k]) * shares[up(0), k])
        else:
            for k in range(up(size)):
                sums[k] = u16(sums[k] + u16(u16(tap[k]) * shares[up(t), k]))


@nb.njit(nogil=True)
def _shrink_tables(height, width, channels, h, w):  # type: ignore[no-untyped-def]
    """Tables and scratch for `_shrink`."""
    size = w * channels
    tops, lefts = np.empty(h, np.int64), np.empty(w, np.int64)
    down, across = _shares(height, h, tops), _shares(width, w, lefts)
    starts, orders = np.empty(w, np.int64), np.empty(16 * w, np.uint8)
    count = _picks(lefts, channels, starts, orders)
    shares = np.empty((len(across), size), np.uint16)
    for t in range(len(across)):
        for k in range(size):
            shares[t, k] = across[t, k // channels]
    return (
        (tops, down),
        (starts, orders, shares, count),
        np.zeros((width + len(across)) * channels + 32, np.uint8),
        np.empty(size + 32, np.uint8),
        np.empty(size, np.uint16),
        np.empty(size, np.uint32),
    )


@nb.njit(nogil=True, forceinline=True)
def _shrink(source, base, width, channels, h, w, tables, small):  # type: ignore[no-untyped-def]
    """Average the pixels under each of h×w cells, by the area that lies under it."""
    (tops, down), (starts, orders, shares, count), line, tap, sums, cells = tables
    size, groups, step = w * channels, -(-w // count), count * channels
    done = -1
    for row in range(h):
        for k in range(up(size)):
            cells[k] = u32(1 << 15)
        for t in range(len(down)):
            share, y = u32(down[t, row]), tops[row] + t
            if share == 0:
                continue
            if y != done:
                first, done = up(base + y * width * channels), y
                copy_bytes(source, first, line, up(0), width * channels)
                _shrink_line(line, starts, orders, groups, step, channels, shares, tap, sums, size)
            for k in range(up(size)):
                cells[k] = u32(cells[k] + u32(u32(sums[k]) * share))
        to = up(row * size)
        for k in range(up(size)):
            small[to + k] = u8(cells[k] >> u32(16))


@nb.njit(cache=True, nogil=True)
def shrink_and_stretch(images, out, sizes):  # type: ignore[no-untyped-def]
    """Bring images to `sizes` (N, 2) by area and back to full size bilinearly."""
    n, height, width, channels = images.shape
    source, target = images.reshape(images.size), out.reshape(out.size)
    back = stretch_tables(height, width, channels)
    size = height * width * channels
    small = np.empty(size, np.uint8)
    have_h, have_w = sizes[0]
    tables = _shrink_tables(height, width, channels, have_h, have_w)
    for i in range(n):
        h, w = sizes[i]
        base = i * size
        if h == height and w == width:
            copy_bytes(source, up(base), target, up(base), size)
            continue
        if h != have_h or w != have_w:
            tables = _shrink_tables(height, width, channels, h, w)
            have_h, have_w = h, w
        _shrink(source, base, width, channels, h, w, tables, small)
        stretch(small, 0, w * channels, h, w, target, base, height, width, channels, back)


@nb.njit(nogil=True, forceinline=True)
def _fold(positions, count, times):  # type: ignore[no-untyped-def]
    """Reflect positions in 1/65536 pixel into 0 … count - 1, `times` periods away at most."""
    last = i32(i32(count - 1) << i32(16))
    for _ in range(times):
        for k in range(up(len(positions))):
            positions[k] = i32(last - abs(i32(last - abs(positions[k]))))


@nb.njit(nogil=True, forceinline=True)
def _neighbours(xs, ys, height, width, channels, offsets, weights):  # type: ignore[no-untyped-def]
    """Turn positions into the offset of the upper left neighbour and four weights in 1/256."""
    lastx, lasty = i32(width - 2), i32(height - 2)
    pitch, step = u32(width * channels), u32(channels)
    for k in range(up(len(xs))):
        x, y = i32(xs[k] + i32(128)), i32(ys[k] + i32(128))
        ix, iy = min(i32(x >> i32(16)), lastx), min(i32(y >> i32(16)), lasty)
        offsets[k] = u32(u32(iy) * pitch) + u32(u32(ix) * step)
        wx = u32(i32(x - i32(ix << i32(16))) >> i32(8))
        wy = u32(i32(y - i32(iy << i32(16))) >> i32(8))
        both = u32(u32(wx * wy) >> u32(8))
        right, below = u32(wx - both), u32(wy - both)
        weights[up(2) * k] = u32(u32(u32(256) - wx) - below) | u32(right << u32(16))
        weights[up(2) * k + up(1)] = below | u32(both << u32(16))


@nb.njit(nogil=True, forceinline=True)
def _mix_line(source, base, pitch, offsets, weights, line, channels):  # type: ignore[no-untyped-def]
    if channels == 3:
        for x in range(up(len(offsets))):
            at = base + up(offsets[x])
            bilinear(source, at, at + pitch, weights, up(8) * x, line, up(3) * x, 3)
    elif channels == 1:
        for x in range(up(len(offsets))):
            at = base + up(offsets[x])
            bilinear(source, at, at + pitch, weights, up(8) * x, line, x, 1)
    else:
        for x in range(up(len(offsets))):
            at = base + up(offsets[x])
            bilinear(source, at, at + pitch, weights, up(8) * x, line, up(4) * x, 4)


@nb.njit(nogil=True, forceinline=True)
def _folds(m, height, width):  # type: ignore[no-untyped-def]
    """How often positions of an image must be folded: by its corners, the farthest points."""
    far = 0.0
    for y in (0, height - 1):
        for x in (0, width - 1):
            px = abs(m[0, 0] * x + m[0, 1] * y + m[0, 2]) / (width - 1)
            py = abs(m[1, 0] * x + m[1, 1] * y + m[1, 2]) / (height - 1)
            far = max(far, px, py)
    return int(far / 2) + 1


@nb.njit(nogil=True, forceinline=True)
def _warp_one(source, base, to, m, target, shape, scratch):  # type: ignore[no-untyped-def]
    height, width, channels = shape
    xs, ys, offsets, weights, line = scratch
    pitch = up(width * channels)
    folds = _folds(m, height, width)
    ax, ay = i32(np.rint(m[0, 0] * 65536)), i32(np.rint(m[1, 0] * 65536))
    for y in range(height):
        x0 = i32(np.rint((m[0, 1] * y + m[0, 2]) * 65536))
        y0 = i32(np.rint((m[1, 1] * y + m[1, 2]) * 65536))
        for x in range(up(width)):
            xs[x] = i32(x0 + i32(ax * i32(x)))
            ys[x] = i32(y0 + i32(ay * i32(x)))
        _fold(xs, width, folds)
        _fold(ys, height, folds)
        _neighbours(xs, ys, height, width, channels, offsets, weights)
        _mix_line(source, base, pitch, offsets, weights, line, channels)
        copy_bytes(line, up(0), target, up(to) + up(y) * pitch, pitch)


@nb.njit(cache=True, nogil=True)
def warp(images, out, matrices):  # type: ignore[no-untyped-def]
    """Read each output pixel where its matrix (N, 2, 3) says, bilinearly, outside reflected.

    Positions are kept in 1/65536 pixel (32 bits), weights in 1/256; one rounding at the end.
    """
    n, height, width, channels = images.shape
    scratch = (
        np.empty(width, np.int32),
        np.empty(width, np.int32),
        np.empty(width, np.uint32),
        np.empty(2 * width, np.uint32),
        np.empty(width * channels + 8, np.uint8),
    )
    source, target = images.reshape(images.size), out.reshape(out.size)
    size, shape = height * width * channels, (height, width, channels)
    copy = np.empty(size + 8, np.uint8)
    for i in range(n):
        to = i * size
        if to + size + 8 <= images.size:
            _warp_one(source, up(to), to, matrices[i], target, shape, scratch)
        else:
            # `bilinear` reads a few bytes past a pixel: at the end of the array from a copy.
            copy_bytes(source, up(to), copy, up(0), size)
            _warp_one(copy, up(0), to, matrices[i], target, shape, scratch)
