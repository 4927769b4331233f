"""Images that decode on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import WorkError, printable, reason
from equipoise.readers.decoding import MOST_PIXELS, UndecodableError, decode, digest
from equipoise.readers.table import Files

__all__ = ["LazyImages"]


@dataclass(frozen=True)
class LazyImages(Sequence[NDArray[np.uint8]]):
    """A sequence of (H, W, C) uint8 images of any sizes, each decoded when it is asked for.

    Safe to read from many threads, and small to pickle: it holds places, not pixels.

    Attributes
    ----------
    files : Files
    names : (N,) str
    digests : (N,) bytes
        What each image's pixels were when the set was loaded; an image that has changed since is
        an error, or a copy would not be the copy its manifest names.
    held : (N, H, W, C) uint8, optional
        The pixels, where all images have one shape and were decoded already.
    most_pixels : int
        Of one image: the limit it was loaded with.
    """

    files: Files
    names: NDArray[np.str_]
    digests: NDArray[np.bytes_]
    held: NDArray[np.uint8] | None = None
    most_pixels: int = MOST_PIXELS

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> "LazyImages": ...
    def __getitem__(self, index: int | slice) -> "NDArray[np.uint8] | LazyImages":
        if isinstance(index, slice):
            return self.pick(np.arange(len(self), dtype=np.intp)[index])
        if self.held is not None:
            return self.held[index]
        try:
            pixels = decode(self.encoded(index), self.most_pixels).pixels
        except UndecodableError as error:
            raise WorkError(f"{printable(self.names[index])}: {error}.") from None
        if digest(pixels) != self.digests[index].ljust(16, b"\0"):
            raise WorkError(f"{printable(self.names[index])} has changed since it was loaded.")
        return pixels

    def encoded(self, index: int) -> bytes:
        """Return an image's file as it is, to be copied without encoding it anew."""
        try:
            return self.files.fetch(self.files.handles[index])
        except OSError as error:
            raise WorkError(f"{printable(self.names[index])}: {reason(error)}.") from None

    def path(self, index: int) -> str | None:
        """Return where an image's file lies, if it is a file of its own."""
        place = getattr(self.files.fetch, "path", None)
        return place(self.files.handles[index]) if place else None

    def pick(self, rows: NDArray[np.intp]) -> "LazyImages":
        """Return the images at `rows`, in that order; those not decoded yet stay so."""
        held = None if self.held is None else self.held[rows]
        return replace(
            self,
            files=self.files.pick(rows),
            names=self.names[rows],
            digests=self.digests[rows],
            held=held,
        )
