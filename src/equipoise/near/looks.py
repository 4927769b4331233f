"""What a picture looks like from afar: its perceptual hash and its thumbnail.

The hash is the signs of the low frequencies of the discrete cosine transform (C. Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010): 64 bits that re-coding,
another size, brightness and contrast hardly change.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

__all__ = ["THUMBNAIL_BYTES", "Images", "Looks", "look", "perceptual_hash", "thumbnails"]

Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]

_SIDE = 32  # of what is hashed
_THUMBNAIL = 16
THUMBNAIL_BYTES = _THUMBNAIL**2 * 3
_BLANK = 3  # grey levels between the darkest and the brightest part of a blank picture
_CHUNK = 256

# The first eight rows of the orthonormal transform of 32 values.
_LOW = dct(np.eye(_SIDE), axis=0, norm="ortho")[:8].astype(np.float32)


@dataclass(frozen=True)
class Looks:
    """What is seen of each image.

    Attributes
    ----------
    hashes : (N,) uint64
    blank : (N,) bool
        Whether it is one colour all over.
    short : (N,) int32
        The shorter side in pixels.
    """

    hashes: NDArray[np.uint64]
    blank: NDArray[np.bool_]
    short: NDArray[np.int32]


def look(images: Images) -> Looks:
    """Look at each image once, a thread a core; those in files are decoded for it."""
    looks = Looks(
        np.empty(len(images), np.uint64), np.empty(len(images), bool), np.empty(len(images), "i4")
    )

    def chunk(rows: range) -> None:
        small = np.empty((len(rows), _SIDE, _SIDE, 3), np.uint8)
        for place, row in enumerate(rows):
            image = images[row]
            looks.short[row] = min(image.shape[:2])
            small[place] = _small(image, _SIDE)
        span = slice(rows.start, rows.stop)
        # Row after row first: whole rows are compared at a time, which takes a tenth of the time.
        bright, dark = small.max(axis=1).max(axis=1), small.min(axis=1).min(axis=1)
        looks.blank[span] = (bright - dark <= _BLANK).all(axis=1)
        looks.hashes[span] = perceptual_hash(small)

    with ThreadPoolExecutor(_cores()) as pool:
        list(pool.map(chunk, _chunks(len(images))))
    return looks


def perceptual_hash(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the hash of each of (N, 32, 32, 3) images.

    A bit tells whether one of the 8×8 lowest frequencies is above the median of them.
    """
    grey = images @ np.array([0.299, 0.587, 0.114], np.float32)
    low = (_LOW @ grey @ _LOW.T).reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def thumbnails(images: Images, rows: NDArray[np.intp], side: int = _THUMBNAIL) -> NDArray[np.uint8]:
    """Return (M, side, side, 3) thumbnails of the images at `rows`."""
    found = np.empty((len(rows), side, side, 3), np.uint8)

    def chunk(places: range) -> None:
        for place in places:
            found[place] = _small(images[int(rows[place])], side)

    with ThreadPoolExecutor(_cores()) as pool:
        list(pool.map(chunk, _chunks(len(rows))))
    return found


def _small(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Bring an image of any shape to side × side, in colour, transparency laid on white."""
    if image.shape[2] == 4:
        opaque = image[..., 3:] / np.float32(255)
        image = (image[..., :3] * opaque + 255 * (1 - opaque)).astype(np.uint8)
    if image.shape[:2] != (side, side):
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return image.reshape(side, side, -1)


def _chunks(count: int) -> Iterator[range]:
    return (range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
