"""PNM files of sixteen bits: their values as they are written.

OpenCV does not know those written as text, and Pillow scales by the highest value that the file
names: grey ones to 65535, colours to eight bits.
"""

import re
import warnings

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_wide_pnm"]

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEAD = re.compile(
    rb"P([2356])%b(\d{1,9})%b(\d{1,9})%b(\d{1,5})(?:#[^\r\n]*[\r\n]|\s)" % (_SPACE, _SPACE, _SPACE)
)
_COMMENT = re.compile(rb"#[^\r\n]*")


def read_wide_pnm(data: bytes) -> NDArray[np.uint16] | None:
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
