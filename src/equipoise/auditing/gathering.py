"""Putting images of all splits together by what they share, with their names."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from equipoise.images import ImageSet, Splits

__all__ = ["by_split", "gather"]

Told = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def by_split(
    parts: Mapping[str, ImageSet], rows: NDArray[np.intp]
) -> Iterator[tuple[str, ImageSet, NDArray[np.intp]]]:
    """Give each split its share of `rows`, counted over all splits, as rows of its own."""
    first = 0
    for split, part in parts.items():
        yield split, part, rows[(rows >= first) & (rows < first + len(part))] - first
        first += len(part)


def gather(data: Splits, rows: NDArray[np.intp], groups: NDArray[np.integer]) -> dict[int, Told]:
    """Return from group to the names, splits and classes of its images.

    Parameters
    ----------
    data : Splits
    rows : (M,) int
        Images, counted over training, validation and test one after another, ascending.
    groups : (M,) int
        The group of each.

    Returns
    -------
    dict
        The groups in the order of their first images.
    """
    told: list[tuple[str, str, str]] = []
    for split, part, mine in by_split(data.parts, rows):
        names, labels = part.names[mine].tolist(), part.labels[mine].tolist()
        told += [
            (name, split, data.classes[label]) for name, label in zip(names, labels, strict=True)
        ]
    members: dict[int, list[tuple[str, str, str]]] = {}
    for group, one in zip(groups.tolist(), told, strict=True):
        members.setdefault(group, []).append(one)
    return {group: tuple(zip(*some, strict=True)) for group, some in members.items()}  # type: ignore[misc]
