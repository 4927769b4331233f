"""Small pictures that live in a page, as data URIs."""

import base64
import io
from collections.abc import Iterable
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.readers.sizing import to_channels

__all__ = ["sheet", "thumbnail", "uri"]

_QUALITY = 70


def thumbnail(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture in colour, no side longer than `side`; a smaller one as it is."""
    picture = to_channels(picture, 3)
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture in colour as a data URI."""
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "webp", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}"


def sheet(
    pictures: Iterable[NDArray[np.uint8]], side: int, count: int
) -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """Return small pictures on one sheet, and where each lies: left, top."""
    columns = max(1, ceil(count**0.5))
    whole = np.full((side * max(1, ceil(count / columns)), side * columns, 3), 255, np.uint8)
    places = []
    for number, picture in enumerate(pictures):
        small = thumbnail(picture, side)
        top, left = (side * place for place in divmod(number, columns))
        whole[top : top + small.shape[0], left : left + small.shape[1]] = small
        places.append((left, top))
    return whole, places
