"""Sixteen bits a channel to eight, by one range of values for a whole data set.

Cameras of ten, twelve or fourteen bits write files of sixteen, most of whose range stays empty. A
range that each image chose for itself would take away which is brighter; so there is one for all.

PNM files are read here: OpenCV does not know those written as text, and Pillow scales by the
highest value that the file names, grey ones to 65535, colours to eight bits.
"""

import re
import warnings
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equipoise.selection import FULL, Range

__all__ = [
    "FULL",
    "Range",
    "outside",
    "peak",
    "read_wide_pnm",
    "smallest",
    "to_eight",
    "to_sixteen",
]

Wide = NDArray[np.uint16]

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEAD = re.compile(
    rb"P([2356])%b(\d{1,9})%b(\d{1,9})%b(\d{1,5})(?:#[^\r\n]*[\r\n]|\s)" % (_SPACE, _SPACE, _SPACE)
)
_COMMENT = re.compile(rb"#[^\r\n]*")


def smallest(highest: int) -> Range:
    """Return the range of the fewest bits, at least eight, that holds values up to `highest`."""
    return 0, 2 ** max(8, int(highest).bit_length()) - 1


def to_eight(pixels: Wide, bounds: Range) -> NDArray[np.uint8]:
    """Bring (…, H, W, C) pixels of sixteen bits to eight, rounded; what lies outside is clipped.

    Transparency is a share of 65535 whatever the range.
    """
    if pixels.shape[-1] < 4:
        return _eighths(*bounds)[pixels]
    colour, alpha = _eighths(*bounds)[pixels[..., :3]], _eighths(*FULL)[pixels[..., 3:]]
    return np.concatenate([colour, alpha], axis=-1)


def to_sixteen(pixels: NDArray[np.uint8], bounds: Range) -> Wide:
    """Bring pixels of eight bits back to the values that they stand for; undone by `to_eight`."""
    low, high = bounds
    wide = low + (pixels.astype(np.uint32) * (high - low) + 127) // 255
    if pixels.shape[-1] == 4:
        wide[..., 3] = pixels[..., 3] * np.uint32(257)
    return wide.astype(np.uint16)


def peak(pixels: Wide) -> int:
    """Return the highest value of an (H, W, C) image, transparency aside."""
    return int(pixels[..., :3].max())


def outside(pixels: Wide, bounds: Range) -> int:
    """Return how many values of an image a range does not hold, transparency aside."""
    colour = pixels[..., :3]
    return int(np.count_nonzero((colour < bounds[0]) | (colour > bounds[1])))


@lru_cache(maxsize=8)
def _eighths(low: int, high: int) -> NDArray[np.uint8]:
    """Return what each of the 65,536 values becomes."""
    values = np.clip(np.arange(2**16), low, high) - low
    return ((values * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)


def read_wide_pnm(data: bytes) -> Wide | None:
    """Return the (H, W, C) pixels of a PGM or PPM whose values pass 255; None for other files.

    Raises
    ------
    ValueError
        Where it is cut short or holds what is no value.
    """
    head = _HEAD.match(data)
    if head is None or not 255 < int(head[4]) < 65536:
        return None
    kind, width, height = (int(part) for part in head.group(1, 2, 3))
    shape = (height, width, 1 if kind in (2, 5) else 3)
    count = height * width * shape[2]
    if kind in (5, 6):
        if len(data) - head.end() < 2 * count:
            raise ValueError("image file is truncated")
        found = np.frombuffer(data, ">u2", count, head.end()).astype(np.uint16)
    else:
        text = _COMMENT.sub(b"", data[head.end() :])
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # at what is no number
            values = np.fromstring(text, np.int64, sep=" ")[:count]
        if len(values) < count:
            raise ValueError("image file is truncated")
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("values outside 0 … 65535")
        found = values.astype(np.uint16)
    return found.reshape(shape)
