"""The pictures whose labels are probably wrong, class by class, and the list of them as a file.

They are found by confident learning (C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident
learning: estimating uncertainty in dataset labels", JAIR 70, 2021), with its pruning by noise rate.
From out-of-fold probabilities it counts how many pictures called one class are surely of another
one: those whose probability of the other class is at least what pictures of that class have on
average. The counts, scaled to the sizes of the classes, say how many labels are wrong; which ones
is told by the margin between the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.deep.pool import Pool
from equipoise.deep.probing import FOLDS, Probed
from equipoise.files import write_csv

__all__ = [
    "ClassSuspects",
    "Suspect",
    "confident_joint",
    "find_errors",
    "find_suspects",
    "write_suspects",
]

_COLUMNS = ("image", "split", "class", "suggested", "probability", "suggested_probability")

Floats = NDArray[np.float64]


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
    rows = (
        (s.image, s.split, s.label, s.suggested, s.probability, s.suggested_probability)
        for s in suspects
    )
    write_csv(path, _COLUMNS, rows)


@dataclass(frozen=True)
class Errors:
    """Which labels are probably wrong.

    Attributes
    ----------
    rows : (S,) int
        The pictures, the surest error first.
    suggested : (S,) int64
        The class that each is likelier to be.
    """

    rows: NDArray[np.intp]
    suggested: NDArray[np.int64]


def confident_joint(labels: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return how many pictures of each given class (row) are of each true class (column).

    Rows add up to the pictures of each given class.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sure = np.where(probabilities >= _thresholds(labels, probabilities), probabilities, -1.0)
    told = sure.max(axis=1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[told], sure[told].argmax(axis=1)), 1)
    # A class without any picture that is sure is taken at its word.
    np.fill_diagonal(joint, np.where(joint.sum(axis=1) == 0, 1, joint.diagonal()))
    return joint * (counts / joint.sum(axis=1))[:, None]


def find_errors(labels: NDArray[np.int64], probabilities: Floats) -> Errors:
    """Return the labels that are probably wrong.

    Parameters
    ----------
    labels : (N,) int64
    probabilities : (N, K) float64
        Of each class, by nets that were not trained on the picture.
    """
    wrong = np.zeros(len(labels), bool)
    counts = np.round(confident_joint(labels, probabilities)).astype(int)
    for given, row in enumerate(counts.tolist()):
        mine = np.flatnonzero(labels == given)
        for true, count in enumerate(row):
            if true != given and count:
                margin = probabilities[mine, true] - probabilities[mine, given]
                wrong[mine[np.argsort(-margin, kind="stable")[:count]]] = True
    best = probabilities.argmax(axis=1)
    rows = np.flatnonzero(wrong & (best != labels))
    # Pictures of rare classes get lower probabilities; each is measured by what its class has.
    scaled = probabilities[rows] / _thresholds(labels, probabilities)
    order = np.argsort(
        scaled[np.arange(len(rows)), labels[rows]] / scaled.sum(axis=1), kind="stable"
    )
    return Errors(rows[order], best[rows[order]])


def _thresholds(labels: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return the mean probability of each class among the pictures that are called so."""
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=classes)
    means = np.bincount(labels, own, classes) / np.maximum(counts, 1)
    return np.where(counts > 0, np.maximum(means, 1e-12), np.inf)
