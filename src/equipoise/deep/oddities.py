"""Pictures that do not belong with the others: far from all, or of another kind."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from equipoise.deep.facts import Facts
from equipoise.deep.pool import Pool

__all__ = ["Oddity", "find_oddities"]

_NEIGHBOURS = 10
_FAR = 3.5  # deviations from the median; B. Iglewicz and D. C. Hoaglin, 1993, take so many
_EVEN = 0.7  # share of equal neighbours that a drawing or screenshot has at least
_RARE = 0.05  # of the pictures: what more of them are is no other kind
_MOST = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Oddity:
    """A picture that is unlike the others.

    Attributes
    ----------
    image, split, label : str
    kind : {'of one colour', 'drawing or screenshot', 'without colour', 'far from all'}
        In this order: a picture is listed once.
    distance : float
        To its nearest pictures, in deviations from what is usual.
    row : int
        The picture's place in the pool.
    """

    image: str
    split: str
    label: str
    kind: str
    distance: float
    row: int


def find_oddities(pool: Pool, facts: Facts, unit: NDArray[np.intp]) -> tuple[Oddity, ...]:
    """Return pictures of another kind, kind by kind, and then those that are far from all.

    Parameters
    ----------
    pool : Pool
    facts : Facts
    unit : (N,) int
        A picture is not made less odd by others of its unit.
    """
    far = _deviations(_distances(pool.embeddings, unit))
    kinds = {
        "of one colour": facts.blank,
        "drawing or screenshot": (facts.even >= _EVEN) & (_deviations(facts.even) > _FAR),
        "without colour": facts.grey,
    }
    found: list[Oddity] = []
    listed = np.zeros(len(pool), bool)
    for kind, mask in (*kinds.items(), ("far from all", far > _FAR)):
        if kind == "without colour" and mask.mean() > _RARE:
            continue  # it is what the set is like
        rows = np.flatnonzero(mask & ~listed)
        rows = rows[np.argsort(-far[rows], kind="stable")][:_MOST]
        listed[rows] = True
        found += [
            Oddity(
                image=str(pool.names[row]),
                split=str(pool.splits[row]),
                label=pool.classes[pool.labels[row]],
                kind=kind,
                distance=round(float(far[row]), 2),
                row=int(row),
            )
            for row in rows
        ]
    return tuple(found)


def _distances(embeddings: NDArray[np.float32], unit: NDArray[np.intp]) -> Floats:
    """Return the mean cosine distance of each picture to its nearest ones of other units."""
    _, first = np.unique(unit, return_index=True)
    wanted = min(_NEIGHBOURS + 1, len(first))
    if wanted < 2:
        return np.zeros(len(embeddings))
    centred = embeddings - embeddings.mean(axis=0)
    search = NearestNeighbors(n_neighbors=wanted, metric="cosine", algorithm="brute")
    distance, neighbour = search.fit(centred[first]).kneighbors(centred)
    other = unit[first][neighbour] != unit[:, None]
    # Of its own unit there is one at most, and it is replaced by nothing: the mean is of the rest.
    return (distance * other).sum(axis=1) / other.sum(axis=1)


def _deviations(values: Floats) -> Floats:
    """Return how far values are above their median, in deviations that outliers do not widen."""
    middle = np.median(values)
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return (values - middle) / max(spread, 1e-9)
