"""What C libraries print on stderr while they decode, gathered by the thread that decodes.

libpng and libjpeg, as they are built into OpenCV, print what is odd about a file on the C library's
`stderr`: on a terminal such lines name no file and break progress bars. While any thread gathers,
that stream is one of ours, which gives each thread its own lines and passes on those of others.
That takes glibc; elsewhere the lines go where they went.
"""

import ctypes
import os
from functools import cache
from threading import Lock, local

from cv2.utils import logging

__all__ = ["gathered"]

_UNBUFFERED = 2
_Write = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Functions(ctypes.Structure):
    _fields_ = (
        ("read", ctypes.c_void_p),
        ("write", _Write),
        ("seek", ctypes.c_void_p),
        ("close", ctypes.c_void_p),
    )


class _Gathering:
    """How many threads gather, and what stood in the place of our stream before."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.threads = 0
        self.stream: int | None = None
        self.level = 0


_now = _Gathering()
_mine = local()


class gathered:  # noqa: N801  a context manager; one made by contextlib takes longer
    """Give the lines that C libraries print in this thread meanwhile: whole when it has ended.

    Within another one of the same thread it takes that one's lines away, and next to no time.
    """

    __slots__ = ("lines", "outer")

    def __enter__(self) -> list[str]:
        self.lines: list[str] = []
        self.outer = getattr(_mine, "parts", None)
        _mine.parts = []
        if self.outer is None:
            _begin()
        return self.lines

    def __exit__(self, *_: object) -> None:
        if self.outer is None:
            _end()
        parts, _mine.parts = _mine.parts, self.outer
        if parts:
            self.lines += b"".join(parts).decode("utf-8", "replace").splitlines()


def _begin() -> None:
    with _now.lock:
        _now.threads += 1
        if _now.threads == 1:
            _now.level = logging.getLogLevel()
            logging.setLogLevel(0)  # OpenCV's own lines say no more than what it returns
            if ours := _stream():
                place = _stderr()
                _now.stream, place.value = place.value, ours


def _end() -> None:
    with _now.lock:
        _now.threads -= 1
        if _now.threads == 0:
            _restore()


def _restore() -> None:
    logging.setLogLevel(_now.level)
    if _now.stream is not None:
        _stderr().value, _now.stream = _now.stream, None


@cache
def _stderr() -> ctypes.c_void_p:
    """Return the C library's variable of that name."""
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")


@cache
def _stream() -> int | None:
    """Return a C stream that hands on what is written to it; None without glibc."""
    try:
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version
        make = library.fopencookie
    except (AttributeError, OSError, TypeError):
        return None
    make.restype = ctypes.c_void_p
    make.argtypes = (ctypes.c_void_p, ctypes.c_char_p, _Functions)
    made = make(None, b"w", _Functions(None, _take, None, None))
    if made:
        library.setvbuf(ctypes.c_void_p(made), None, _UNBUFFERED, ctypes.c_size_t(0))
    return made


@_Write
def _take(_: int, place: int, size: int) -> int:
    """Keep what this thread prints while it gathers; otherwise print it."""
    text = ctypes.string_at(place, size)
    parts = getattr(_mine, "parts", None)
    if parts is None:
        return os.write(2, text)
    parts.append(text)
    return size


def _forget() -> None:
    """Start anew in a forked process, where no other thread goes on."""
    if _now.threads:
        _restore()
    _now.lock, _now.threads = Lock(), 0


os.register_at_fork(after_in_child=_forget)
