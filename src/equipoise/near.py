"""Near duplicates: pictures that are one but for coding, size or light.

Two pictures are near where their perceptual hashes differ in few bits and their thumbnails, apart
from brightness and contrast, are alike. Of each image the hash is held and some 40 bytes beside it;
many suspects' thumbnails lie in a temporary file.

The hash is the signs of the low frequencies of the discrete cosine transform (C. Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010): 64 bits that re-coding,
another size, brightness and contrast hardly change. Pairs of near hashes are found by sorting the
hashes once for each choice of some of their blocks of bits, as two hashes that differ in few bits
agree in some blocks altogether (G. S. Manku, A. Jain and A. Das Sarma, "Detecting near-duplicates
for web crawling", WWW 2007). The work grows with N log N.

What is near in photographs may merely be alike in sets of simple pictures, such as handwritten
digits: there the findings are to be looked at.
"""

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from equipoise.mapped import filled
from equipoise.parallel import threaded

__all__ = [
    "RADIUS",
    "Alike",
    "Looks",
    "find_alike",
    "look",
    "near_pairs",
    "perceptual_hash",
    "shares",
    "thumbnails",
]

Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
Pairs = NDArray[np.int64]  # (P, 2), the smaller first
Part = TypeVar("Part", bound=Sized)

_SIDE = 32  # of what is hashed
_THUMBNAIL = 16
_THUMBNAIL_BYTES = _THUMBNAIL**2 * 3
_BLANK = 3  # grey levels between the darkest and the brightest part of a blank picture
_CHUNK = 256  # images a thread looks at before it takes others

# The first eight rows of the orthonormal transform of 32 values.
_LOW = dct(np.eye(_SIDE), axis=0, norm="ortho")[:8].astype(np.float32)

_ALIKE = 0.95  # correlation that the thumbnails of near pictures reach

_SLICE = 1 << 10  # pairs whose thumbnails are compared at a time
_HELD = 2**25  # bytes of thumbnails held in memory; more of them go to a file

RADIUS = 6  # bits that near hashes may differ in

_BLOCKS, _AGREEING = RADIUS + 3, 3  # nine blocks: six bits touch six at most, and three agree
_NEIGHBOURS = 16  # entries after each that it is compared with where many hashes agree
_MOST_PAIRS = 4_000_000  # suspects kept, those with the nearest hashes
_BLOCK = 1 << 16  # hashes compared with their neighbours at a time


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

    for _ in threaded(chunk, len(images), _CHUNK):
        pass
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

    for _ in threaded(chunk, len(rows), _CHUNK):
        pass
    return found


def _small(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Bring an image of any shape to side × side, in colour, transparency laid on white."""
    if image.shape[2] == 4:
        opaque = image[..., 3:] / np.float32(255)
        image = (image[..., :3] * opaque + 255 * (1 - opaque)).astype(np.uint8)
    if image.shape[:2] != (side, side):
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return image.reshape(side, side, -1)


@dataclass(frozen=True)
class Alike:
    """What looking at every picture of a data set found.

    Attributes
    ----------
    looks : Looks
    picture : (N,) int
        The number of each image's picture: exact duplicates are one.
    pairs : (P, 2) int
        Pictures that are near.
    distances : (P,) uint8
        The bits in which the hashes of each pair differ.
    """

    looks: Looks
    picture: NDArray[np.intp]
    pairs: Pairs
    distances: NDArray[np.uint8]

    @property
    def groups(self) -> NDArray[np.intp]:
        """The group of each picture: what hangs together by near pairs."""
        count = int(self.picture.max()) + 1 if len(self.picture) else 0
        edges = (np.ones(len(self.pairs), bool), (self.pairs[:, 0], self.pairs[:, 1]))
        graph = coo_array(edges, shape=(count, count))
        return connected_components(graph, directed=False)[1].astype(np.intp)


def find_alike(parts: Sequence[Images], digests: NDArray[np.bytes_]) -> Alike:
    """Look at every image of some sets, one after another.

    Exact duplicates, by their digests, count as one picture. Blank images are near to none.
    """
    looks = _joined([look(images) for images in parts])
    _, first, picture = np.unique(digests, return_index=True, return_inverse=True)
    rows = np.sort(first[~looks.blank[first]])
    pairs, distances = near_pairs(looks.hashes[rows])
    alike = _alike(parts, rows, pairs)
    picture = picture.ravel()
    return Alike(looks, picture, picture[rows[pairs[alike]]], distances[alike])


def _joined(looks: Sequence[Looks]) -> Looks:
    return Looks(
        np.concatenate([one.hashes for one in looks]),
        np.concatenate([one.blank for one in looks]),
        np.concatenate([one.short for one in looks]),
    )


def _alike(parts: Sequence[Images], rows: NDArray[np.intp], pairs: Pairs) -> NDArray[np.bool_]:
    """Whether the thumbnails of each pair are alike, apart from brightness and contrast."""
    suspect = np.zeros(len(rows), bool)
    suspect[pairs] = True
    place = np.cumsum(suspect, dtype=np.int32) - 1
    pictures = _pictures(parts, rows[suspect])
    alike = np.empty(len(pairs), bool)
    for low in range(0, len(pairs), _SLICE):
        one, other = (pictures[place[side]] for side in pairs[low : low + _SLICE].T)
        alike[low : low + _SLICE] = _correlation(one, other) >= _ALIKE
    return alike


def _pictures(parts: Sequence[Images], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The thumbnails of the images at `rows`, which ascend over all sets; (M, 768)."""

    def make(start: int, stop: int) -> NDArray[np.uint8]:
        found = [thumbnails(images, mine) for images, mine in shares(parts, rows[start:stop])]
        return np.concatenate(found).reshape(stop - start, _THUMBNAIL_BYTES)

    shape = (len(rows), _THUMBNAIL_BYTES)
    return make(0, len(rows)) if len(rows) * _THUMBNAIL_BYTES <= _HELD else filled(shape, make)


def shares(
    parts: Iterable[Part], rows: NDArray[np.intp]
) -> Iterator[tuple[Part, NDArray[np.intp]]]:
    """Give each set its share of `rows`, counted over all of them, as rows of its own."""
    first = 0
    for part in parts:
        yield part, rows[(rows >= first) & (rows < first + len(part))] - first
        first += len(part)


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    first, second = one.astype(np.float32), other.astype(np.float32)
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    product, *squares = (
        np.einsum("ij,ij->i", a, b) for a, b in ((first, second), (first, first), (second, second))
    )
    return product / np.maximum(np.sqrt(squares[0] * squares[1]), 1e-6)


def near_pairs(hashes: NDArray[np.uint64]) -> tuple[Pairs, NDArray[np.uint8]]:
    """Return the pairs of hashes that differ in at most six bits, and in how many they do.

    Where more than 16 hashes agree in three blocks, each is compared with its neighbours in sorted
    order only. At most four million pairs are kept.
    """
    count = max(1, len(hashes))
    kept = np.empty(0, np.uint64)
    radius = RADIUS
    for order, agreeing in _tables(hashes):
        found = [kept]
        for codes in _neighbours(hashes, order, agreeing, radius):
            found.append(codes)
            if sum(map(len, found)) > 2 * _MOST_PAIRS:
                found = [_nearest(found)]
        kept = _nearest(found)
        if len(kept) == _MOST_PAIRS:  # only what is nearer than the farthest can still count
            radius = int((kept & np.uint64(7)).max()) - 1
            if radius < 0:
                break
    codes = (kept >> np.uint64(3)).astype(np.int64)
    return np.stack(divmod(codes, count), axis=1), (kept & np.uint64(7)).astype(np.uint8)


def _tables(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Sort the hashes once for each three of nine blocks.

    Gives the order, and whether each in it agrees with the one before it in the three blocks.
    """
    edges = np.linspace(0, 64, _BLOCKS + 1).astype(int).tolist()
    widths = [high - low for low, high in pairwise(edges)]
    for chosen in combinations(range(_BLOCKS), _AGREEING):
        # The other blocks follow, so that of the hashes that agree the nearest are neighbours.
        turned = np.zeros(len(hashes), np.uint64)
        others = [block for block in range(_BLOCKS) if block not in chosen]
        for block in (*chosen, *others):
            turned <<= np.uint64(widths[block])
            bits = hashes >> np.uint64(edges[block])
            bits &= np.uint64((1 << widths[block]) - 1)
            turned |= bits
        order = np.argsort(turned)
        key = turned[order]
        key >>= np.uint64(64 - sum(widths[block] for block in chosen))
        yield order, key[1:] == key[:-1]


def _neighbours(
    hashes: NDArray[np.uint64], order: NDArray[np.intp], agreeing: NDArray[np.bool_], radius: int
) -> Iterator[NDArray[np.uint64]]:
    """Give the near ones among neighbours, block by block: the pair and its distance in a word."""
    count = np.uint64(len(hashes))
    for start in range(0, len(agreeing), _BLOCK):
        here = start + np.flatnonzero(agreeing[start : start + _BLOCK])
        for step in range(1, _NEIGHBOURS + 1):
            one, other = order[here], order[here + step]
            bits = np.bitwise_count(hashes[one] ^ hashes[other])
            near = bits <= radius
            low, high = np.minimum(one, other)[near], np.maximum(one, other)[near]
            yield (low.astype(np.uint64) * count + high.astype(np.uint64) << 3) + bits[near]
            here = here[here + step < len(agreeing)]
            here = here[agreeing[here + step]]
            if not len(here):
                break


def _nearest(found: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The pairs once each; of too many those with the nearest hashes."""
    codes = np.unique(np.concatenate(found))
    if len(codes) <= _MOST_PAIRS:
        return codes
    distances = (codes & np.uint64(7)).astype(np.uint8)
    return codes[np.argsort(distances, kind="stable")[:_MOST_PAIRS]]
