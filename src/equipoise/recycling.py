"""Memory for results that come again and again in one size, as batches do.

New memory is dear: the system finds each of its pages and fills it with zeros at the first touch,
which for a large batch takes as long as flipping it. So when the last array that shows a result is
gone, its memory waits here for the next result of that size.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["recycled", "taken"]

# Smaller results get used memory from the C library anyhow; larger ones are too much to hold back.
_LEAST, _MOST = 1 << 17, 48 << 20
_waiting: deque[NDArray[np.uint8]] = deque(maxlen=2)  # one is shown while the next is made


class _Loan:
    """What an array of such memory is a view of; it ends with the last array that shows it."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory, self.__array_interface__ = memory, memory.__array_interface__

    def __del__(self, waiting: deque[NDArray[np.uint8]] = _waiting) -> None:
        waiting.append(self.memory)


def recycled(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an array of this shape, not filled, in memory used before where there is some."""
    size = math.prod(shape)
    if not _LEAST <= size <= _MOST:
        return np.empty(shape, np.uint8)
    return np.asarray(_Loan(_used(size))).reshape(shape)


def taken(images: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return ``images[rows]`` in such memory."""
    if not images.flags.c_contiguous:  # numpy would copy all of them first
        return images[rows]
    out = recycled((len(rows), *images.shape[1:]))
    return np.take(images, rows, axis=0, out=out, mode="clip")  # "raise" would copy `out`


def _used(size: int) -> NDArray[np.uint8]:
    for _ in range(len(_waiting)):
        try:
            memory = _waiting.popleft()
        except IndexError:  # another thread was faster
            break
        if memory.size == size:
            return memory
        _waiting.append(memory)
    return np.empty(size, np.uint8)
