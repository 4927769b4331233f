"""Sixteen bits a channel to eight, by one range of values for a whole data set.

Cameras of ten, twelve or fourteen bits write files of sixteen, most of whose range stays empty. A
range that each image chose for itself would take away which is brighter; so there is one for all.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equipoise.selection import FULL, Range

__all__ = ["FULL", "Range", "outside", "peak", "smallest", "to_eight", "to_sixteen"]

Wide = NDArray[np.uint16]


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
