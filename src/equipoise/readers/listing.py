"""A table's images counted and not looked at, for what needs their numbers alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.readers.decoded import Decoded
from equipoise.readers.table import Table

__all__ = ["Unread", "listed"]


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
