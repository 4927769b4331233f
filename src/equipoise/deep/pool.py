"""All pictures of a data set but the copies of ours, as one list with an embedding each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.backbones import embed
from equipoise.errors import InputError, printable
from equipoise.images import ImageSet, Splits

__all__ = ["Pool", "pooled"]

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pool:
    """The pictures of all splits, one after another.

    Attributes
    ----------
    parts : tuple of ImageSet
        The splits' pictures: training, validation, test.
    splits : (N,) str
        The split of each picture.
    labels : (N,) int64
    classes : tuple of str
    names : (N,) str
    digests : (N,) bytes
        Of the pixels.
    groups : (N,) str, optional
    embeddings : (N, D) float32
    copies : int
        Pictures of the data set that are copies which `upsample` made; they are not in here.
    """

    parts: tuple[ImageSet, ...]
    splits: NDArray[np.str_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: NDArray[np.str_]
    digests: NDArray[np.bytes_]
    groups: NDArray[np.str_] | None
    embeddings: NDArray[np.float32]
    copies: int

    def __len__(self) -> int:
        return len(self.labels)

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Return a picture, (H, W, C) as it is in the source."""
        part, own = self.place(row)
        return np.asarray(part.images[own], np.uint8)

    def place(self, row: int) -> tuple[ImageSet, int]:
        """Return the split that a picture is in, and which of it it is."""
        for part in self.parts:
            if row < len(part):
                return part, row
            row -= len(part)
        raise IndexError(row)


def pooled(data: Splits, backbone: str, jobs: int | None, tell: Tell) -> Pool:
    """Bring a data set's pictures together, and compute the embeddings that the cache lacks."""
    parts = {name: part.select(part.originals) for name, part in data.parts.items()}
    parts = {name: part for name, part in parts.items() if len(part)}
    if not parts:
        raise InputError(
            f"{printable(data.source)}: every image is a copy that upsample made. Name the data "
            "set that was upsampled."
        )
    total = sum(map(len, parts.values()))
    vectors: list[NDArray[np.float32]] = []

    def done_before(before: int) -> Callable[[int, int], None]:
        return lambda done, _: tell("embeddings", before + done, total)

    for part in parts.values():
        before = sum(map(len, vectors))
        vectors.append(embed(part, backbone, jobs=jobs, progress=done_before(before)))
    groups = [part.groups for part in parts.values() if part.groups is not None]
    return Pool(
        parts=tuple(parts.values()),
        splits=np.repeat(list(parts), [len(part) for part in parts.values()]),
        labels=np.concatenate([part.labels for part in parts.values()]),
        classes=data.classes,
        names=np.concatenate([part.names for part in parts.values()]),
        digests=np.concatenate([part.digests for part in parts.values()]),
        groups=np.concatenate(groups) if len(groups) == len(parts) else None,
        embeddings=np.concatenate(vectors),
        copies=sum(len(part) for part in data.parts.values()) - total,
    )
