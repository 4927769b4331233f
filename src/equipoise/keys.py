"""Counter-based random numbers: a draw is a function of its address and of nothing else.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
as 1, 2, 3", SC 2011). It is used three times:

1. *address to key*: ``Philox(counter=(id mod 2^32, id div 2^32, copy, epoch), key=seed)``; the
   first two words are the image's key.
2. *key to draws*: ``Philox(counter=(n, code, place, 0), key=image key)`` gives the words
   ``4n … 4n+3``; `code` is the CRC-32 of the technique's (or purpose's) name, `place` its position
   in a chain.
3. *key to pixels*: ``Philox(counter=(n, code, place, 1), key=image key)`` for n = 0 … B-1 gives 8·B
   numbers of 16 bits: number ``(2j + h)·B + n`` is the lower (h = 0) or upper (h = 1) half of word
   j of block n. B is an eighth of the numbers needed, rounded up.

There is no state, so threads, batches, order and machines cannot change a draw.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Addresses",
    "code",
    "fill_halves",
    "image_keys",
    "order",
    "order_draws",
    "philox",
    "uniforms",
    "words",
]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_16 = np.uint32(16)


def code(name: str) -> np.uint32:
    """Return the 32-bit number under which a technique or purpose draws."""
    return np.uint32(crc32(name.encode()))


@nb.njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Return the four words of Philox4x32-10 for a counter and a key (all uint32)."""
    for _ in range(10):
        p0 = _M0 * np.uint64(c0)
        p1 = _M1 * np.uint64(c2)
        c0, c1, c2, c3 = (
            np.uint32(np.uint32(p1 >> _32) ^ c1 ^ k0),
            np.uint32(p1 & _LOW),
            np.uint32(np.uint32(p0 >> _32) ^ c3 ^ k1),
            np.uint32(p0 & _LOW),
        )
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)
    return c0, c1, c2, c3


# Each word goes to a row of its own, (words, N), and keys come as two rows: then the numbers of
# many images lie side by side, and LLVM computes as many at once as a vector register holds.


@nb.njit(cache=True, nogil=True)
def _image_keys(seed, ids, copies, epochs, out):  # type: ignore[no-untyped-def]
    k0, k1 = np.uint32(seed & _LOW), np.uint32(seed >> _32)
    for i in range(len(ids)):
        low, upper = np.uint32(ids[i] & _LOW), np.uint32(ids[i] >> _32)
        w = philox(low, upper, copies[i], epochs[i], k0, k1)
        out[0, i], out[1, i] = w[0], w[1]


@nb.njit(cache=True, nogil=True)
def _words(keys, code, place, out):  # type: ignore[no-untyped-def]
    zero = np.uint32(0)
    k0, k1 = keys[0], keys[1]
    for block in range(len(out) // 4):
        at = 4 * block
        a, b, c, d = out[at], out[at + 1], out[at + 2], out[at + 3]
        for i in range(len(k0)):
            w = philox(np.uint32(block), code, place, zero, k0[i], k1[i])
            a[i], b[i], c[i], d[i] = w[0], w[1], w[2], w[3]


@nb.njit(nogil=True)
def fill_halves(k0, k1, code, place, first, blocks, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the pixel stream of one image key, block `first` and those after it.

    What blocks `first` … `first + blocks - 1` give goes to 8 runs of `blocks` uint16: with all of
    an image's blocks, `out` is the stream. For use inside kernels.
    """
    one = np.uint32(1)
    # The lanes of a vector register are successive blocks, and LLVM finds that only when the words
    # go to separate planes of the output and the rounds stand here, not in a call.
    for b in range(blocks):
        c0, c1, c2, c3 = np.uint32(first + b), code, place, one
        a0, a1 = k0, k1
        for _ in range(10):
            p0 = _M0 * np.uint64(c0)
            p1 = _M1 * np.uint64(c2)
            c0, c1, c2, c3 = (
                np.uint32(p1 >> _32) ^ c1 ^ a0,
                np.uint32(p1),
                np.uint32(p0 >> _32) ^ c3 ^ a1,
                np.uint32(p0),
            )
            a0 = np.uint32(a0 + _W0)
            a1 = np.uint32(a1 + _W1)
        out[b] = np.uint16(c0)
        out[b + blocks] = np.uint16(c0 >> _16)
        out[b + 2 * blocks] = np.uint16(c1)
        out[b + 3 * blocks] = np.uint16(c1 >> _16)
        out[b + 4 * blocks] = np.uint16(c2)
        out[b + 5 * blocks] = np.uint16(c2 >> _16)
        out[b + 6 * blocks] = np.uint16(c3)
        out[b + 7 * blocks] = np.uint16(c3 >> _16)


def image_keys(
    seed: int, ids: ArrayLike, copies: ArrayLike = 0, epochs: ArrayLike = 0
) -> NDArray[np.uint32]:
    """Return the key of each image address.

    Parameters
    ----------
    seed : int
        Any whole number; taken modulo 2^64.
    ids : (N,) integers
        Stable image ids, 64 bits.
    copies, epochs : (N,) integers or one integer
        Which copy, and which epoch; 32 bits each.

    Returns
    -------
    (N, 2) uint32
    """
    ids = np.asarray(ids).astype(np.uint64)
    each = np.empty((2, len(ids)), np.uint32)
    for row, numbers in zip(each, (copies, epochs), strict=True):
        row[...] = np.asarray(numbers).astype(np.uint32)
    copies, epochs = each
    out = np.empty((2, len(ids)), np.uint32)
    _image_keys(np.uint64(int(seed) % 2**64), ids, copies, epochs, out)
    return out.T


@dataclass(frozen=True)
class Addresses:
    """The addresses of N images, and to numpy an array of their keys, made when it is asked for.

    Many a technique draws nothing, and the keys of small images take as long as what it does.

    Attributes
    ----------
    seed : int
    ids, copies, epochs : (N,) integers; the last two may be one integer
    """

    seed: int
    ids: NDArray[np.integer]
    copies: NDArray[np.integer]
    epochs: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "Addresses":
        copies, epochs = (n[rows] if n.ndim else n for n in (self.copies, self.epochs))
        return Addresses(self.seed, self.ids[rows], copies, epochs)

    @cached_property
    def keys(self) -> NDArray[np.uint32]:
        """(N, 2): the key of each address."""
        return image_keys(self.seed, self.ids, self.copies, self.epochs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint32]:
        return self.keys


def words(keys: NDArray[np.uint32], purpose: str, count: int, place: int = 0) -> NDArray[np.uint32]:
    """Return the first `count` random words of every key, (N, count) uint32."""
    out = np.empty((-(-count // 4) * 4, len(keys)), np.uint32)
    _words(np.ascontiguousarray(keys.T), code(purpose), np.uint32(place), out)
    return out[:count].T


def uniforms(
    keys: NDArray[np.uint32], purpose: str, count: int, place: int = 0
) -> NDArray[np.float64]:
    """Return the first `count` draws of every key, uniform on [0, 1), (N, count) float64."""
    return words(keys, purpose, count, place).astype(np.float64) * 2.0**-32


def order(seed: int, ids: ArrayLike, purpose: str, epoch: int = 0) -> NDArray[np.intp]:
    """Return a random order of `ids`: the indices that sort them by a 64-bit draw of each."""
    return np.argsort(order_draws(seed, ids, purpose, epoch), kind="stable")


def order_draws(seed: int, ids: ArrayLike, purpose: str, epoch: int = 0) -> NDArray[np.uint64]:
    """Return what `order` sorts by: for ids that are too many to be sorted at once."""
    pair = words(image_keys(seed, ids, epochs=epoch), purpose, 2).astype(np.uint64)
    return pair[:, 0] << _32 | pair[:, 1]
