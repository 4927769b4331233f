"""Putting images of all splits together by what they share, with their names."""

import numpy as np
from numpy.typing import NDArray

from equipoise.images import Splits
from equipoise.near import shares

__all__ = ["gather"]

Told = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


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
    for split, (part, mine) in zip(data.parts, shares(data.parts.values(), rows), strict=True):
        names, labels = part.names[mine].tolist(), part.labels[mine].tolist()
        told += [
            (name, split, data.classes[label]) for name, label in zip(names, labels, strict=True)
        ]
    members: dict[int, list[tuple[str, str, str]]] = {}
    for group, one in zip(groups.tolist(), told, strict=True):
        members.setdefault(group, []).append(one)
    return {group: tuple(zip(*some, strict=True)) for group, some in members.items()}  # type: ignore[misc]
