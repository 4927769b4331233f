"""The pictures whose labels are probably wrong, class by class, and the list of them as a file."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.deep.labels import find_errors
from equipoise.deep.pool import Pool
from equipoise.deep.probing import FOLDS, Probed
from equipoise.files import atomic

__all__ = ["ClassSuspects", "Suspect", "find_suspects", "write_suspects"]

_COLUMNS = ("image", "split", "class", "suggested", "probability", "suggested_probability")


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is probably wrong.

    Attributes
    ----------
    image, split : str
    label, suggested : str
        The class that it has, and the one that it is likelier to be.
    probability, suggested_probability : float
        Of these two, by a probe that was trained on other pictures.
    row : int
        The picture's place in the pool.
    """

    image: str
    split: str
    label: str
    suggested: str
    probability: float
    suggested_probability: float
    row: int


@dataclass(frozen=True)
class ClassSuspects:
    """What a class would lose.

    Attributes
    ----------
    name : str
    training : int
        Training pictures, copies apart.
    can_lose : int
        Of them the class can lose so many: half, and five are left.
    suspects : int
        Training pictures that are listed as suspects.
    more : int
        Training pictures beyond these that are suspects, too: the class cannot lose them.
    held_out : int
        Suspects in validation and test, which stay.
    judged : bool
        False for a class that is too small to be judged.
    """

    name: str
    training: int
    can_lose: int
    suspects: int
    more: int
    held_out: int
    judged: bool


def find_suspects(
    pool: Pool, probed: Probed
) -> tuple[tuple[Suspect, ...], tuple[ClassSuspects, ...]]:
    """Return the suspects, the surest first, and what each class would lose."""
    labels = pool.labels[probed.rows]
    errors = find_errors(labels, probed.probabilities)
    rows = probed.rows[errors.rows]
    in_training = pool.splits == "train"
    counts = np.bincount(pool.labels[in_training], minlength=len(pool.classes))
    can_lose = np.maximum(np.minimum(counts // 2, counts - FOLDS), 0)
    listed = np.ones(len(rows), bool)
    classes = []
    for label, name in enumerate(pool.classes):
        mine = np.flatnonzero((pool.labels[rows] == label) & in_training[rows])
        listed[mine[can_lose[label] :]] = False
        held = (pool.labels[rows] == label) & ~in_training[rows]
        classes.append(
            ClassSuspects(
                name=name,
                training=int(counts[label]),
                can_lose=int(can_lose[label]),
                suspects=min(len(mine), int(can_lose[label])),
                more=max(0, len(mine) - int(can_lose[label])),
                held_out=int(held.sum()),
                judged=label not in probed.small,
            )
        )
    found = tuple(
        Suspect(
            image=str(pool.names[row]),
            split=str(pool.splits[row]),
            label=pool.classes[pool.labels[row]],
            suggested=pool.classes[suggested],
            probability=round(float(probed.probabilities[place, pool.labels[row]]), 4),
            suggested_probability=round(float(probed.probabilities[place, suggested]), 4),
            row=int(row),
        )
        for row, place, suggested in zip(
            rows[listed], errors.rows[listed], errors.suggested[listed], strict=True
        )
    )
    return found, tuple(classes)


def write_suspects(path: Path, suspects: Sequence[Suspect]) -> None:
    """Write the list that `--drop-suspects` takes."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for one in suspects:
            chances = one.probability, one.suggested_probability
            writer.writerow((one.image, one.split, one.label, one.suggested, *chances))
