"""Decoding a whole table on all cores, in bounded memory; or counting its images alone."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import plural, printable, reason
from equipoise.images import Broken, Images
from equipoise.mapped import filled, is_mapped, take
from equipoise.parallel import threaded
from equipoise.readers.complaints import gathered
from equipoise.readers.decoding import Picture, UndecodableError, decode, narrow
from equipoise.readers.depth import FULL, Range, outside, peak, smallest, to_eight
from equipoise.readers.digests import digest, file_digest
from equipoise.readers.lazy import LazyImages
from equipoise.readers.sizing import Sizing, resize, to_channels
from equipoise.readers.table import Files, Table

__all__ = ["Decoded", "Unread", "decode_table", "listed"]

_CHUNK = 64  # images a task: the pool's overhead vanishes and the cores end together
_TOGETHER = 4 << 20  # bytes of decoded pixels that wait to be put side by side
_LITTLE = 1 << 14  # bytes of a picture that is put beside others, and read by one thread
_HELD = 2**30  # bytes; whole images beyond this stay in their files until asked for
_OBJECT = 256  # bytes that an array takes beside its pixels

# How pictures are brought to size, in words.
_WAYS = {
    "squash": "squashed",
    "crop": "centre crop",
    "pad": "longer side to size, padded",
}

Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True)
class Decoded:
    """The images of a table that could be read.

    Attributes
    ----------
    rows : (M,) int
        Their rows in the table, ascending.
    images : (M, H, W, C) uint8, or a sequence of (H, W, C) uint8
    digests : (M,) bytes of length 16
        Of the pixels as they are stored, before any resizing.
    sizes, modes : mapping
    broken : tuple of Broken
    notes : tuple of str
    range : (low, high), optional
        The values of sixteen bits that became 0 and 255, where there are such images.
    size : int, optional
        The side that they were brought to; None where all kept their own.
    """

    rows: NDArray[np.intp]
    images: Images
    digests: NDArray[np.bytes_]
    sizes: Mapping[str, int]
    modes: Mapping[str, int]
    broken: tuple[Broken, ...]
    notes: tuple[str, ...]
    range: Range | None
    size: int | None = None


@dataclass(slots=True)
class _Seen:
    """What one decoded image leaves behind; `pixels` is None where they are not held."""

    pixels: Pixels | None
    shape: tuple[int, ...]
    mode: str
    digest: bytes
    file: bytes  # the digest of its file, or nothing where it has none
    complaint: str
    peak: int | None  # of sixteen bits
    clipped: int = 0


def decode_table(
    table: Table,
    *,
    sizing: Sizing,
    whole: bool,
    most_pixels: int,
    bounds: Range | None = None,
) -> Decoded:
    """Decode every image of a table once; those of sixteen bits twice where they choose the range.

    Parameters
    ----------
    table : Table
    sizing : Sizing
    whole : bool
        Resize nothing unless a size is given, keep transparency and each image's own channels;
        images of files then are `LazyImages`, which hold what fits a budget and decode the rest
        on demand.
    most_pixels : int
        Of one image in a file.
    bounds : (low, high), optional
        The values of sixteen bits that become 0 and 255. By default the range of the fewest bits
        that holds all of training.
    """
    whole = whole and sizing.size is None
    arrays = not isinstance(table.pixels, Files)
    keep = _none if arrays else _Holder(_HELD) if whole else partial(_reduced, sizing=sizing)

    def look(rows: Sequence[int], bounds: Range | None = bounds) -> list[_Seen | Broken]:
        found: list[_Seen | Broken] = []
        with gathered():  # once for all, as it takes a lock
            for some in _together(_picture(table, row, most_pixels, whole) for row in rows):
                found += _seen(some, bounds, keep)
        return found

    every = range(len(table.names))
    first = look(every[:_CHUNK])
    results = first + _parallel(look, every[_CHUNK:], alone=_are_little(first))
    wide = [i for i, one in enumerate(results) if isinstance(one, _Seen) and one.peak is not None]
    if wide and bounds is None:
        bounds = _smallest(table, results)
        for i, again in zip(wide, _parallel(partial(look, bounds=bounds), wide), strict=True):
            results[i] = again
    rows = np.array([i for i, one in enumerate(results) if isinstance(one, _Seen)], np.intp)
    seen = [one for one in results if isinstance(one, _Seen)]
    images: Images
    if not isinstance(table.pixels, Files):
        images = _of_arrays(table.pixels, rows, seen, bounds or FULL, None if whole else sizing)
    elif whole:
        images = _lazy(
            table.pixels.pick(rows), table.names[rows], seen, bounds or FULL, most_pixels
        )
    else:
        images = _uniform(seen, sizing)
    return Decoded(
        rows=rows,
        images=images,
        digests=np.array([one.digest for one in seen], "S16"),
        sizes=_counted(f"{one.shape[1]}×{one.shape[0]}" for one in seen),
        modes=_counted(one.mode for one in seen),
        broken=tuple(one for one in results if isinstance(one, Broken)),
        notes=(
            *_range_notes(seen, bounds or FULL),
            *(() if whole else _sizing_notes(seen, sizing)),
            *_complaints([(table.names[i], one) for i, one in zip(rows, seen, strict=True)]),
        ),
        range=bounds if any(one.peak is not None for one in seen) else None,
        size=None if whole else _side(seen, sizing),
    )


def _picture(
    table: Table, row: int, most_pixels: int, marked: bool
) -> tuple[Picture, bytes] | Broken:
    """Return an image and, if it is to be marked, the digest of its file."""
    pixels = table.pixels
    if isinstance(pixels, Files):
        try:
            data = pixels.fetch(pixels.handles[row])
            return decode(data, most_pixels), file_digest(data) if marked else b""
        except (UndecodableError, OSError) as error:
            return Broken(str(table.names[row]), reason(error))
    image = pixels[row]
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[image.shape[-1]]
    if image.dtype == np.uint16:
        mode = "I;16" if mode == "L" else f"{mode};16"
    return Picture(image, mode), b""


def _together(read: Iterable[tuple[Picture, bytes] | Broken]) -> Iterator[list]:
    """Cut what was read into lists of bounded size."""
    some: list[tuple[Picture, bytes] | Broken] = []
    size = 0
    for one in read:
        some.append(one)
        size += 0 if isinstance(one, Broken) else one[0].pixels.nbytes
        if size >= _TOGETHER:
            yield some
            some, size = [], 0
    yield some


def _seen(
    read: Sequence[tuple[Picture, bytes] | Broken],
    bounds: Range | None,
    keep: Callable[[Pixels], Pixels | None],
) -> Iterator[_Seen | Broken]:
    """Give what is to be known of pictures; without a range nothing is kept of a wide one."""
    each = iter(_beside([one[0].pixels for one in read if not isinstance(one, Broken)]))
    for one in read:
        if isinstance(one, Broken):
            yield one
            continue
        (picture, file), pixels = one, next(each)
        wide = pixels.dtype == np.uint16
        kept = narrow(picture, bounds or FULL) if wide else pixels
        yield _Seen(
            pixels=None if wide and bounds is None else keep(kept),
            shape=pixels.shape,
            mode=picture.mode,
            digest=digest(pixels),
            file=file,
            complaint=picture.complaint,
            peak=peak(pixels) if wide else None,
            clipped=outside(pixels, bounds) if wide and bounds is not None else 0,
        )


def _beside(pictures: list[NDArray[Any]]) -> list[NDArray[Any]] | NDArray[Any]:
    """Put small pictures of one shape into one array: many small ones cost memory and time."""
    kinds = {(pixels.shape, pixels.dtype) for pixels in pictures}
    alike = len(kinds) == 1 and pictures[0].nbytes <= _LITTLE
    return np.stack(pictures) if alike else pictures


def _smallest(table: Table, results: Sequence[_Seen | Broken]) -> Range:
    """Return the range that holds training, or all where none of training has sixteen bits."""
    peaks = np.array([getattr(one, "peak", None) or 0 for one in results])
    wide = np.array([getattr(one, "peak", None) is not None for one in results])
    training = wide & (table.splits == "train")
    return smallest(peaks[training if training.any() else wide].max())


def _parallel(
    work: Callable[[Sequence[int]], list[T]], rows: Sequence[int], *, alone: bool = False
) -> list[T]:
    """Return `work` of the rows, in order, by a thread a core, or by this one alone."""
    if alone:
        starts = range(0, len(rows), _CHUNK)
        return [one for start in starts for one in work(rows[start : start + _CHUNK])]
    parts = threaded(lambda run: work(rows[run.start : run.stop]), len(rows), _CHUNK)
    return [one for part in parts for one in part]


def _are_little(seen: Sequence[_Seen | Broken]) -> bool:
    """Whether pictures take more of Python than of a decoder: threads would wait for each other."""
    sizes = [math.prod(one.shape) for one in seen if isinstance(one, _Seen)]
    return bool(sizes) and median(sizes) <= _LITTLE


def _none(pixels: Pixels) -> None:
    """Keep nothing of a picture that is an array already."""


class _Holder:
    """Keeps whole pictures while they fit the budget, and after that none."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.lock = Lock()

    def __call__(self, pixels: Pixels) -> Pixels | None:
        with self.lock:
            self.left -= pixels.nbytes + _OBJECT
            return pixels if self.left >= 0 else None


def _reduced(pixels: Pixels, sizing: Sizing) -> Pixels:
    """Return what is kept of a picture at once, so that large ones never pile up."""
    pixels = sizing.at_once(pixels)
    return to_channels(pixels, 3) if pixels.shape[-1] == 4 else pixels


def _fitted(pixels: Pixels, shape: tuple[int, int, int], fit: str) -> Pixels:
    """Bring what is kept of a picture to the (height, width, channels) of its set."""
    same = pixels.shape[:2] == shape[:2]
    return to_channels(pixels if same else resize(pixels, shape[0], fit), shape[2])


def _lazy(
    files: Files, names: NDArray[np.str_], seen: list[_Seen], bounds: Range, most_pixels: int
) -> LazyImages:
    """Return pictures of one shape or not: writers copy the files themselves."""
    return LazyImages(
        files=files,
        names=names,
        marks=np.array([one.file for one in seen], "S8"),
        held=[one.pixels for one in seen],
        wide=np.array([one.peak is not None for one in seen], bool),
        range=bounds,
        most_pixels=most_pixels,
    )


def _uniform(seen: list[_Seen], sizing: Sizing) -> Pixels:
    """Return the kept pictures as one array, emptying them on the way to save memory."""
    shape = _common_shape(seen, sizing)
    images = np.empty((len(seen), *shape), np.uint8)
    for place, one in zip(images, seen, strict=True):
        assert one.pixels is not None
        place[:] = _fitted(one.pixels, shape, sizing.fit)
        one.pixels = None
    return images


def _of_arrays(
    pixels: NDArray[Any] | list[NDArray[Any]],
    rows: NDArray[np.intp],
    seen: list[_Seen],
    bounds: Range,
    sizing: Sizing | None,
) -> Images:
    """Return pictures that are arrays already, of a map as a map; whole ones without a sizing."""
    if isinstance(pixels, list):
        if sizing is None:
            images = [_narrowed(pixels[row], bounds) for row in rows]
            return np.stack(images) if len({image.shape for image in images}) == 1 else images
        shape = _common_shape(seen, sizing)
    else:
        shape = pixels.shape[1:] if sizing is None else _common_shape(seen, sizing)
        if pixels.dtype == np.uint8 and pixels.shape[1:] == shape:
            return take(pixels, rows)

    def make(start: int, stop: int) -> Pixels:
        some = rows[start:stop]
        if isinstance(pixels, np.ndarray) and pixels.shape[1:3] == shape[:2]:
            return to_channels(_narrowed(pixels[some], bounds), shape[2])
        images = np.empty((len(some), *shape), np.uint8)

        def fit(places: range) -> None:
            assert sizing is not None
            for place in places:  # one at a time: they may be larger than what they become
                kept = _reduced(_narrowed(pixels[some[place]], bounds), sizing)
                images[place] = _fitted(kept, shape, sizing.fit)

        for _ in threaded(fit, len(some), _CHUNK):
            pass
        return images

    return filled((len(rows), *shape), make) if is_mapped(pixels) else make(0, len(rows))


def _narrowed(pixels: NDArray[Any], bounds: Range) -> Pixels:
    """Return arrays of sixteen bits in eight, and others as they are."""
    return to_eight(pixels, bounds) if pixels.dtype == np.uint16 else pixels


def _common_shape(seen: list[_Seen], sizing: Sizing) -> tuple[int, int, int]:
    """Return the (height, width, channels) that pictures of a set are brought to."""
    height, width = sizing.shape({(one.shape[0], one.shape[1]) for one in seen})
    return height, width, 1 if all(one.shape[2] == 1 for one in seen) else 3


def _side(seen: list[_Seen], sizing: Sizing) -> int | None:
    """Return the side that pictures were brought to, or None where there was nothing to do."""
    shape = _common_shape(seen, sizing)
    return shape[0] if any(one.shape[:2] != shape[:2] for one in seen) else None


def _range_notes(seen: list[_Seen], bounds: Range) -> Iterator[str]:
    low, high = bounds
    if wide := sum(one.peak is not None for one in seen):
        yield (
            f"{wide:,} of {len(seen):,} images are 16-bit: the range {low}…{high} of their values "
            "became 0…255; --range sets another"
        )
    clipped = [one.clipped for one in seen if one.clipped]
    if clipped:
        yield (
            f"{plural(sum(clipped), 'value')} of {plural(len(clipped), '16-bit image')} outside "
            f"the range {low}…{high} were clipped to it"
        )


def _complaints(seen: list[tuple[str, _Seen]]) -> Iterator[str]:
    found = [(name, one.complaint) for name, one in seen if one.complaint]
    if found:
        name, complaint = found[0]
        yield (
            f"{plural(len(found), 'file')} with faults that decoding passed over, such as "
            f"{printable(name)} ({complaint})"
        )


def _sizing_notes(seen: list[_Seen], sizing: Sizing) -> tuple[str, ...]:
    notes = []
    shape = _common_shape(seen, sizing)
    if changed := sum(one.shape[:2] != shape[:2] for one in seen):
        notes.append(
            f"{changed:,} of {len(seen):,} images were brought to {shape[1]}×{shape[0]} "
            f"({_WAYS[sizing.fit]}); --size sets another size, --fit another way"
        )
    channels = Counter(one.shape[2] for one in seen)
    if alpha := channels[4]:
        have = plural(alpha, "image has", "images have")
        notes.append(f"{have} transparency, which was laid on white")
    if channels[1] and len(channels) > 1:
        were = plural(channels[1], "grey image among colour was", "grey images among colour were")
        notes.append(f"{were} brought to colour")
    return tuple(notes)


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


@dataclass(frozen=True)
class Unread(Sequence[NDArray[np.uint8]]):
    """So many images that were not looked at."""

    images: int

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: Any) -> Any:
        raise TypeError("Images that were only counted cannot be looked at.")

    def pick(self, rows: NDArray[np.intp]) -> "Unread":
        """Return the images at `rows`."""
        return Unread(len(rows))


def listed(table: Table) -> Decoded:
    """Return a table's images as if every one could be read; their digests are all alike."""
    count = len(table.names)
    return Decoded(
        rows=np.arange(count),
        images=Unread(count),
        digests=np.zeros(count, "S16"),
        sizes={},
        modes={},
        broken=(),
        range=None,
        notes=(),
    )
