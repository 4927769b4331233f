"""Arrays that are maps of files: sets and plans larger than the memory that a process may use.

Pages of a map are read when they are asked for and dropped when memory is short, so that they are
the system's cache and not the process's own memory. What is chosen from such an array stays a map:
a run of rows is a view of the same file, and other choices go to a temporary file of their own
(TMPDIR names where), which ends with the array.
"""

import fcntl
import math
import os
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["blocks", "concatenated", "empty", "file_of", "filled", "is_mapped", "take"]

_BLOCK = 2**24  # bytes copied at a time
_SMALL = 2**20  # bytes that a column may take in memory
_PREFIX, _SUFFIX = "equipoise-", ".mapped"
_YOUNG = 60  # seconds in which a file may not yet be locked

Pixels = NDArray[Any]


def is_mapped(array: object) -> bool:
    """Whether an array is a map of a file, or a view of one."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def file_of(array: object) -> Path | None:
    """Return the file that an array is a map of, or a view of one; None where it has no name."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return Path(array.filename) if array.filename else None
        array = array.base
    return None


def take(images: Pixels, rows: NDArray[np.intp]) -> Pixels:
    """Return the images at `rows`, in that order; of a map, without holding them in memory."""
    if not is_mapped(images):
        return images[rows]
    if len(rows) and (np.diff(rows) == 1).all():
        return images[rows[0] : rows[-1] + 1]
    shape = (len(rows), *images.shape[1:])
    return filled(shape, lambda start, stop: images[rows[start:stop]], images.dtype)


def concatenated(parts: Sequence[Pixels]) -> Pixels:
    """Return arrays of images as one, a map where one of them is."""
    if len(parts) == 1 or not any(map(is_mapped, parts)):
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    joined = _scratch((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    start = 0
    for part in parts:
        for block in blocks(part.shape):
            joined[start + block.start : start + block.stop] = part[block]
        start += len(part)
    return joined


def filled(
    shape: tuple[int, ...], make: Callable[[int, int], NDArray], dtype: DTypeLike = np.uint8
) -> NDArray:
    """Return a map of a temporary file with `make(start, stop)` in its rows, block by block."""
    array = _scratch(shape, dtype)
    for block in blocks(shape):
        array[block] = make(block.start, block.stop)
    return array


def empty(count: int, dtype: DTypeLike) -> NDArray:
    """Return a column of so many numbers to be filled: a map where it is large."""
    size = count * np.dtype(dtype).itemsize
    return np.empty(count, dtype) if size <= _SMALL else _scratch((count,), dtype)


def _scratch(shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray:
    """Return zeros as a map of a temporary file, which is gone when the array is."""
    if 0 in shape:
        return np.zeros(shape, dtype)
    _sweep(tempfile.gettempdir())
    # The file keeps its name while the array lives: other processes are given that instead of the
    # pixels. It is locked meanwhile, which tells it from what a killed run has left.
    file = tempfile.NamedTemporaryFile(prefix=_PREFIX, suffix=_SUFFIX, delete=False)  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _reserve(file.fileno(), math.prod(shape) * np.dtype(dtype).itemsize)
        array = np.memmap(file.name, dtype, "r+", shape=shape)
    except OSError:
        _end(file)
        raise
    # Views hold the map itself, not this array.
    weakref.finalize(array._mmap, _end, file)  # type: ignore[attr-defined]
    return array


def _end(file: Any) -> None:
    Path(file.name).unlink(missing_ok=True)
    file.close()


@cache
def _sweep(folder: str) -> None:
    """Remove the files of runs that were killed, which nobody holds any more; once a process."""
    for path in Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"):
        # Another's file, one in use, or one that went meanwhile.
        with suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if time.time() - os.fstat(file).st_mtime > _YOUNG:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            finally:
                os.close(file)


def _reserve(file: int, size: int) -> None:
    """Take the room on disk at once: a map that finds it full later on kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


def blocks(shape: tuple[int, ...]) -> list[slice]:
    """Return slices of some MiB of bytes each that make up an array of this shape."""
    step = max(1, _BLOCK // max(1, int(np.prod(shape[1:]))))
    return [slice(i, min(i + step, shape[0])) for i in range(0, shape[0], step)]
