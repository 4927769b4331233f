"""Near copies of pictures: mirrored, cropped, coded again, or brighter ones are found too.

A picture may show a window of another. So it and its mirror image are held against windows of many
sizes and places of every reference, coarsely, and the references that come nearest are searched
pixel by pixel. The measure is the correlation of the pixels, each channel apart from its mean,
which brightness and contrast leave as it is. What coding and enlarging change most, the finest
detail, is smoothed away before.
"""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "Copies", "find_copies"]

SIDE = 32  # pixels a side that pictures are compared at

_CELLS = 8  # a side, of a window that is compared coarsely
_WINDOWS = (32, 29, 26, 23, 20, 17)  # sides of the windows: the smallest is a quarter of the area
_STEPS = 6  # the stride of a window is its side by so many
_SUSPECTS = 3  # references of each picture that are searched pixel by pixel
_NEARBY = 2  # pixels by which the side of a window is varied then
_BLANK = 1.0  # grey levels that the pixels of a blank picture deviate
_SMOOTHED = 0.7  # deviation in pixels
_REFERENCES, _PICTURES = 256, 256  # compared at a time

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Copies:
    """Of each picture the reference that it is most like.

    Attributes
    ----------
    likeness : (N,) float32
        The correlation, 1 for a copy; 0 where there is no reference, or the picture is blank.
    reference : (N,) int
    mirrored : (N,) bool
    """

    likeness: NDArray[np.float32]
    reference: NDArray[np.intp]
    mirrored: NDArray[np.bool_]


def find_copies(
    pictures: Pixels, references: Pixels, own: NDArray[np.intp] | None = None
) -> Copies:
    """Find the reference of which each picture is most likely a copy, or a part.

    Parameters
    ----------
    pictures, references : (N, 32, 32, 3) and (R, 32, 32, 3) uint8
    own : (N,) int, optional
        The reference that each picture is itself, which does not count.
    """
    pictures, references = _smoothed(pictures), _smoothed(references)
    suspects = _suspects(pictures, references, own)
    found = Copies(
        np.zeros(len(pictures), np.float32),
        np.zeros(len(pictures), np.intp),
        np.zeros(len(pictures), bool),
    )
    for row, picture in enumerate(pictures):
        if picture.std() < _BLANK:
            continue
        for reference, side, mirror in suspects[row]:
            shown = np.ascontiguousarray(picture[:, ::-1]) if mirror else picture
            likeness = _searched(shown, references[reference], side)
            if likeness > found.likeness[row]:
                found.likeness[row] = likeness
                found.reference[row], found.mirrored[row] = reference, mirror
    return found


def _smoothed(images: Pixels) -> Pixels:
    found = np.empty_like(images)
    for row, image in enumerate(images):
        found[row] = cv2.GaussianBlur(image, (3, 3), _SMOOTHED)
    return found


def _searched(picture: Pixels, reference: Pixels, side: int) -> float:
    """The best correlation of a picture with windows of about such a side of a reference."""
    best = 0.0
    for length in range(max(side - _NEARBY, _CELLS), min(side + _NEARBY, SIDE) + 1):
        # The reference is enlarged as a window of it would be, so that both lose the same detail.
        whole = round(SIDE * SIDE / length)
        large = np.asarray(cv2.resize(reference, (whole, whole), interpolation=cv2.INTER_LINEAR))
        best = max(best, float(cv2.matchTemplate(large, picture, cv2.TM_CCOEFF_NORMED).max()))
    return best if np.isfinite(best) else 0.0


def _suspects(
    pictures: Pixels, references: Pixels, own: NDArray[np.intp] | None
) -> list[list[tuple[int, int, bool]]]:
    """Of each picture the references that come nearest coarsely, the window's side, and whether
    the picture is mirrored for it.
    """
    count, kept = len(pictures), min(_SUSPECTS, len(references))
    places = _places()
    both = np.concatenate([pictures, pictures[:, :, ::-1]])
    codes = _coded(both.astype(np.float32), (SIDE, 0, 0))
    best = np.full((2 * count, kept), -1.0, np.float32)
    which = np.zeros((2, 2 * count, kept), np.intp)  # the reference, and the place of the window
    for start in range(0, len(references), _REFERENCES):
        some = references[start : start + _REFERENCES].astype(np.float32)
        windows = np.stack([_coded(some, place) for place in places], axis=1)
        for first in range(0, 2 * count, _PICTURES):
            rows = slice(first, first + _PICTURES)
            found = codes[rows] @ windows.reshape(-1, windows.shape[2]).T
            found = found.reshape(len(found), len(some), len(places))
            place = found.argmax(axis=2)
            likeness = found.max(axis=2)
            if own is not None:
                mine = np.tile(own, 2)[rows] - start
                here = np.flatnonzero((mine >= 0) & (mine < len(some)))
                likeness[here, mine[here]] = -1
            number = np.broadcast_to(np.arange(start, start + len(some)), likeness.shape)
            every = np.concatenate([best[rows], likeness], axis=1)
            top = np.argsort(-every, axis=1, kind="stable")[:, :kept]
            best[rows] = np.take_along_axis(every, top, axis=1)
            for k, column in enumerate((number, place)):
                joined = np.concatenate([which[k, rows], column], axis=1)
                which[k, rows] = np.take_along_axis(joined, top, axis=1)
    return [
        [
            (int(which[0, row, k]), places[which[1, row, k]][0], row >= count)
            for row in (picture, count + picture)
            for k in range(kept)
            if best[row, k] > 0
        ]
        for picture in range(count)
    ]


def _places() -> list[tuple[int, int, int]]:
    """The side, the top and the left of each window; the ends of the reference are reached."""
    found = []
    for side in _WINDOWS:
        steps = -(-(SIDE - side) * _STEPS // side) + 1
        starts = np.linspace(0, SIDE - side, steps).round().astype(int).tolist()
        found += [(side, *place) for place in product(starts, starts)]
    return found


def _coded(images: NDArray[np.float32], place: tuple[int, int, int]) -> NDArray[np.float32]:
    """A window of (N, 32, 32, 3) images as (N, 192) vectors of length 1, or 0 where it is blank."""
    side, top, left = place
    mean = _averaging(side)
    part = images[:, top : top + side, left : left + side]
    cells = np.einsum("as,nstc,bt->nabc", mean, part, mean, optimize=True)
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    code = cells.reshape(len(images), -1)
    length = np.linalg.norm(code, axis=1, keepdims=True)
    blank = length < _BLANK * code.shape[1] ** 0.5
    return np.where(blank, 0, code / np.maximum(length, 1e-6)).astype(np.float32)


def _averaging(side: int) -> NDArray[np.float32]:
    """The (8, side) matrix that averages pixels to cells, by area."""
    edges = np.linspace(0, side, _CELLS + 1)
    pixels = np.arange(side)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return (np.maximum(high - low, 0) * _CELLS / side).astype(np.float32)
