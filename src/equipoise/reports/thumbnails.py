"""Small pictures that live in a page, as data URIs."""

import base64
import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.readers.sizing import to_channels

__all__ = ["thumbnail", "uri"]

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
