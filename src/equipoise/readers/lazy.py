"""Images that decode on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import WorkError, printable, reason
from equipoise.readers.decoding import UndecodableError, decode, narrow
from equipoise.readers.depth import FULL, Range
from equipoise.readers.digests import file_digest
from equipoise.readers.table import Files
from equipoise.selection import MOST_PIXELS

__all__ = ["LazyImages"]


@dataclass(frozen=True)
class LazyImages(Sequence[NDArray[np.uint8]]):
    """A sequence of (H, W, C) uint8 images of any sizes, each decoded when it is asked for.

    Safe to read from many threads, and small to pickle: it holds places, not pixels.

    Attributes
    ----------
    files : Files
    names : (N,) str
    marks : (N,) bytes of length 8
        Digests of the files when the set was loaded; a file that has changed since is an error, or
        a copy would not be the copy its manifest names.
    held : list of (H, W, C) uint8 or None
        The pixels that were decoded already; empty in a set that came from another process.
    wide : (N,) bool
        Whose files have sixteen bits a channel.
    range : (low, high)
        Their values that are 0 and 255 here.
    most_pixels : int
        Of one image: the limit it was loaded with.
    """

    files: Files
    names: NDArray[np.str_]
    marks: NDArray[np.bytes_]
    held: list[NDArray[np.uint8] | None]
    wide: NDArray[np.bool_]
    range: Range = FULL
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
        pixels = self.held[index] if self.held else None
        if pixels is not None:
            return pixels
        try:
            return narrow(decode(self.encoded(index), self.most_pixels), self.range)
        except UndecodableError as error:
            raise WorkError(f"{printable(self.names[index])}: {error}.") from None

    def encoded(self, index: int) -> bytes:
        """Return an image's file as it is, to be copied without encoding it anew."""
        try:
            data = self.files.fetch(self.files.handles[index])
        except OSError as error:
            raise WorkError(f"{printable(self.names[index])}: {reason(error)}.") from None
        if file_digest(data) != self.marks[index].ljust(8, b"\0"):
            raise WorkError(f"{printable(self.names[index])} has changed since it was loaded.")
        return data

    def is_wide(self, index: int) -> bool:
        """Return whether an image's file has sixteen bits a channel."""
        return bool(self.wide[index])

    def path(self, index: int) -> str | None:
        """Return where an image's file lies, if it is a file of its own."""
        place = getattr(self.files.fetch, "path", None)
        return place(self.files.handles[index]) if place else None

    def pick(self, rows: NDArray[np.intp]) -> "LazyImages":
        """Return the images at `rows`, in that order; those not decoded yet stay so."""
        held = [self.held[row] for row in rows.tolist()] if self.held else []
        return replace(
            self,
            files=self.files.pick(rows),
            names=self.names[rows],
            marks=self.marks[rows],
            held=held,
            wide=self.wide[rows],
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "held": []}
