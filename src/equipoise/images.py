"""`ImageSet`, the one type that flows through the house, and `Splits`, three of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import printable, require
from equipoise.mapped import take

__all__ = ["Broken", "ImageSet", "LeftOut", "Splits", "at_once", "leave_out"]

_NAMED = 5  # of what is left out for one reason; a line tells the first few of these
_TOLD = 3

Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class ImageSet:
    """Labelled images.

    Attributes
    ----------
    images : (N, H, W, C) uint8 array, or a sequence of N (H, W, C) uint8 arrays
        One array (in memory or memory-mapped) where all have one size; otherwise a sequence that
        decodes on demand. C is 1 (grey), 3 (RGB) or 4 (RGBA).
    labels : (N,) int64
        Positions in `classes`.
    classes : tuple of str
    ids : (N,) int64
        Stable ids: the same image has the same id whatever was filtered out around it.
    names : (N,) str
        The relative path in the source, or a row's name, for messages and manifests.
    groups : (N,) str, optional
        Images of one group (a patient, a camera burst, an image and its copies) stay in one split.
    digests : (N,) bytes of length 16
        A digest of each image's decoded pixels as they were in the source, before any resizing.
    generated : (N,) bool, optional
        Which images are from elsewhere than the data set: those of a recipe's `extra` folder.
    copies : (N,) bool, optional
        Which images `upsample` made, by a manifest that lies with the data. None of them is ever
        validated or tested on.
    """

    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    ids: NDArray[np.int64]
    names: NDArray[np.str_]
    digests: NDArray[np.bytes_]
    groups: NDArray[np.str_] | None = None
    generated: NDArray[np.bool_] | None = None
    copies: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.labels), len(self.ids), len(self.names), len(self.digests)}
        require(
            lengths == {len(self.images)},
            "one label, id, name and digest an image",
            images=len(self.images),
            lengths=sorted(lengths),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images of each class, in the order of `classes`."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def uniform(self) -> bool:
        """Whether the images are one array."""
        return isinstance(self.images, np.ndarray)

    @property
    def array(self) -> NDArray[np.uint8]:
        """The images as one (N, H, W, C) array; an error where their sizes are mixed."""
        require(
            isinstance(self.images, np.ndarray),
            "images of one size",
            remedy="Load them with size=N.",
            images="mixed sizes",
        )
        assert isinstance(self.images, np.ndarray)
        return self.images

    def select(self, rows: ArrayLike) -> "ImageSet":
        """Return the images at `rows` (indices or a mask), in that order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
        images = self.images
        return replace(
            self,
            images=take(images, rows) if isinstance(images, np.ndarray) else _pick(images, rows),
            labels=self.labels[rows],
            ids=self.ids[rows],
            names=self.names[rows],
            digests=self.digests[rows],
            groups=None if self.groups is None else self.groups[rows],
            generated=None if self.generated is None else self.generated[rows],
            copies=None if self.copies is None else self.copies[rows],
        )

    @cached_property
    def digest(self) -> str:
        """A digest of what the set holds: ids, labels, pixels."""
        state = hashlib.blake2b(digest_size=16)
        _feed(state, "", self)
        return state.hexdigest()

    @property
    def originals(self) -> NDArray[np.bool_]:
        """Which images no upsampling made."""
        return np.ones(len(self), bool) if self.copies is None else ~self.copies

    @property
    def real_counts(self) -> NDArray[np.int64]:
        """Images of each class that are of the data set itself."""
        real = self.labels if self.generated is None else self.labels[~self.generated]
        return np.bincount(real, minlength=len(self.classes))

    @property
    def real(self) -> "ImageSet":
        """The images that are of the data set itself."""
        return self if self.generated is None else self.select(~self.generated)


def _pick(
    images: Sequence[NDArray[np.uint8]], rows: NDArray[np.intp]
) -> Sequence[NDArray[np.uint8]]:
    """Rows of a sequence; one that decodes on demand brings its own lazy `pick`."""
    pick = getattr(images, "pick", None)
    return pick(rows) if pick else [images[i] for i in rows]


def _feed(state: "hashlib.blake2b", name: str, part: ImageSet) -> None:
    state.update(f"{name}:{len(part)}".encode())
    shape = part.images.shape if isinstance(part.images, np.ndarray) else ()
    state.update(repr(shape).encode())
    for column in (part.ids, part.labels, part.digests):
        state.update(np.ascontiguousarray(column).tobytes())
    if part.groups is not None:  # folds and draws keep them whole
        state.update("\0".join(part.groups.tolist()).encode("utf-8", "surrogatepass"))
    if part.copies is not None:
        state.update(part.copies.tobytes())


def at_once(size: tuple[int, int], *, pixels: int, most: int) -> int:
    """Return how many images of (height, width) to take together: one at least.

    As many as have so many pixels, `most` of them, which bounds the memory that large ones take.
    """
    height, width = size
    return max(1, min(most, pixels // (height * width)))


@dataclass(frozen=True)
class Broken:
    """A file that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """Files or rows of a source that are not used, for one reason.

    Attributes
    ----------
    reason : str
        What they are, in the plural: "files of other kinds", "links that leave the folder".
    count : int
    names : tuple of str
        The first few of them.
    """

    reason: str
    count: int
    names: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """What to tell of them, as a line without its full stop."""
        words = f"{self.reason[:1].upper()}{self.reason[1:]} left out: {self.count:,}"
        some = ", ".join(map(printable, self.names[:_TOLD]))
        if self.count > len(self.names[:_TOLD]):
            return f"{words}, such as {some}" if some else words
        return f"{words} ({some})"


def leave_out(reason: str, names: Iterable[str]) -> tuple[LeftOut, ...]:
    """Return what is left out for one reason: nothing where there are no names."""
    there = sorted(names)
    return (LeftOut(reason, len(there), tuple(there[:_NAMED])),) if there else ()


@dataclass(frozen=True)
class Splits:
    """A data set as training, validation and test, with what its reader saw.

    Attributes
    ----------
    train, validation, test : ImageSet
        An absent split is an empty set.
    source : str
        What was loaded, as given.
    broken : tuple of Broken
        Files that could not be read.
    left_out : tuple of LeftOut
        All that is not used, reason by reason, what is broken too.
    sizes, modes : mapping
        How many images had each size ("32×32") and mode ("RGB", "L", "RGBA", …) in the source.
    notes : tuple of str
        What a reader changed on the way and a user should know ("brought to 64×64").
    given : tuple of str
        Which of 'validation' and 'test' the source brought along; the others were cut.
    range : (low, high), optional
        Which values of images of sixteen bits a channel are 0 and 255 here; None without any.
    withheld : ImageSet, optional
        The training images of a class that a selection left out, where there are any: of those
        classes there are other draws. None of them is in, or in one group with, validation or test.
    fit : {'squash', 'crop', 'pad'}
        How images were, or other ones are to be, brought to size.
    size : int, optional
        The side that images were brought to; None where all kept their own.
    dropped : ImageSet, optional
        Images whose labels are suspected, left out of training.
    suspects : (S,) int64, optional
        The ids of all suspects, those in validation and test too. None of them is trained on.
    read_with : mapping of str to str
        The options of `load` that were given, and the seed.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    source: str = ""
    broken: tuple[Broken, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    range: tuple[int, int] | None = None
    withheld: ImageSet | None = None
    fit: str = "squash"
    size: int | None = None
    dropped: ImageSet | None = None
    suspects: NDArray[np.int64] | None = None
    read_with: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is a position here."""
        return self.train.classes

    @property
    def parts(self) -> dict[str, ImageSet]:
        """The three splits by the names used in every file: train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def untested(self) -> tuple[str, ...]:
        """The classes without an image in a test split that there is."""
        there = self.test.counts
        lacking = zip(self.classes, there.tolist(), strict=True)
        return tuple(name for name, count in lacking if there.any() and not count)

    @cached_property
    def digest(self) -> str:
        """A digest of what the splits hold (ids, labels, pixels, range): resuming compares it."""
        state = hashlib.blake2b(digest_size=16)
        state.update("\0".join(self.classes).encode("utf-8", "surrogatepass"))
        state.update(self.fit.encode())
        for name, part in self.parts.items():
            _feed(state, name, part)
        if self.range is not None:
            state.update(repr(self.range).encode())
        if self.suspects is not None:
            state.update(b"suspects" + np.sort(self.suspects).tobytes())
        return state.hexdigest()

    @property
    def rarest(self) -> int:
        """The label of the class that is rarest in training: the positive class of two.

        Of classes that are equally rare, the last.
        """
        counts = self.train.real_counts
        return int(len(counts) - 1 - np.argmin(counts[::-1]))

    @property
    def positive(self) -> int | None:
        """The label of the positive class of two; of more classes none is."""
        return self.rarest if len(self.classes) == 2 else None
