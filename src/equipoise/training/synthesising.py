"""Over-sampling on embeddings, by imbalanced-learn: new points between images of a class.

A neighbour is always an image of another group: a point between two pictures of one thing is no
more than that thing once again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import euclidean_distances
from sklearn.neighbors import NearestNeighbors

from equipoise import keys
from equipoise.errors import InputError, plural, printable
from equipoise.images import ImageSet
from equipoise.planning import targets
from equipoise.recipes import Recipe

__all__ = ["check_synthesis", "synthesise"]

# As imbalanced-learn has them: among how many neighbours one is chosen, and by how many it is told
# whether an image lies at the border.
_CHOSEN, _AROUND = 5, 10

Floats = NDArray[np.float32]


def check_synthesis(train: ImageSet, recipe: Recipe) -> None:
    """Raise `InputError` where a class that is to be brought up has no two groups."""
    if recipe.synthesise is None:
        return
    groups = _groups(train)
    for label in _wanted(train, recipe):
        members = groups[train.labels == label]
        if _most(members, _CHOSEN) < 1:
            one = "one image" if len(members) == 1 else f"{len(members)} images of one group"
            raise InputError(
                f"{recipe.synthesise} makes points between images of different groups, but "
                f"{printable(train.classes[label])!r} has {one} to train on. Leave that class out "
                "by strategy, or take another recipe."
            )


def synthesise(
    embeddings: Floats, train: ImageSet, recipe: Recipe, new: Mapping[int, int], *, seed: int
) -> tuple[dict[int, Floats], list[str]]:
    """Return new embeddings of each class, and what should be said of them.

    Parameters
    ----------
    embeddings : (N, D) float32
    train : ImageSet
        The N training images that they are of, and no others.
    recipe : Recipe
        With `synthesise`.
    new : mapping of int to int
        How many are wanted of each label. ADASYN makes about so many, and Borderline-SMOTE none
        where no image of a class lies at the border.
    seed : int
    """
    way, labels, groups = str(recipe.synthesise), train.labels, _groups(train)
    group_of = {row.tobytes(): group for row, group in zip(embeddings, groups, strict=True)}
    made: dict[int, Floats] = {}
    remarks = []
    for label, count in new.items():
        name = printable(train.classes[label])
        members = groups[labels == label]
        k = _most(members, _CHOSEN)
        if k < _CHOSEN:
            remarks.append(
                f"{way}: '{name}' has {plural(len(members), 'image')} to train on, so a neighbour "
                f"is one of the nearest {k} of another group, not of {_CHOSEN}."
            )
        sampler = _sampler(way, group_of, k, _most(groups, _AROUND))
        sampler.set_params(
            sampling_strategy={label: len(members) + count},
            random_state=int(keys.image_keys(seed, [label])[0, 0]),
        )
        try:
            found = sampler.fit_resample(embeddings, labels)[0][len(labels) :]
        except (RuntimeError, ValueError):  # ADASYN, where no neighbour is of another class
            found = embeddings[:0]
        made[label] = found[:count].astype(np.float32)
        if not len(found):
            remarks.append(
                f"{way}: no image of '{name}' lies near another class, so it is brought up by "
                "plain copies."
            )
    return made, remarks


def _wanted(train: ImageSet, recipe: Recipe) -> list[int]:
    new = targets(train.labels, recipe.strategy or "auto", train.classes)
    return [label for label, count in new.items() if count]


def _groups(train: ImageSet) -> NDArray[Any]:
    """The group of each image; by default each is one of its own."""
    return np.arange(len(train)) if train.groups is None else train.groups


def _most(groups: NDArray[Any], wanted: int) -> int:
    """How many neighbours of another group every image has, up to so many."""
    return min(wanted, len(groups) - int(np.unique(groups, return_counts=True)[1].max()))


def _sampler(way: str, group_of: Mapping[bytes, Any], chosen: int, around: int) -> Any:
    from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE  # slow to import

    near = _OtherGroups(group_of, chosen + 1)
    if way == "adasyn":
        return ADASYN(n_neighbors=near)
    if way == "borderline_smote":
        return BorderlineSMOTE(k_neighbors=near, m_neighbors=_OtherGroups(group_of, around + 1))
    return SMOTE(k_neighbors=near)


class _OtherGroups(NearestNeighbors):
    """The nearest points of other groups.

    As imbalanced-learn asks for them: the first column, which it drops, is the point's own.
    """

    def __init__(self, group_of: Mapping[bytes, Any], n_neighbors: int) -> None:
        super().__init__(n_neighbors=n_neighbors)
        self.group_of = group_of

    def fit(self, X: Floats, y: Any = None) -> "_OtherGroups":
        self.points = X
        return self

    def kneighbors(
        self, X: Floats, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        theirs = self._groups(self.points)
        rows = []
        for start in range(0, len(X), 1024):
            some = X[start : start + 1024]
            far = euclidean_distances(some, self.points)
            far[self._groups(some)[:, None] == theirs] = np.inf
            rows.append(far.argsort(axis=1, kind="stable")[:, : self.n_neighbors - 1])
        nearest = np.concatenate(rows)
        return np.column_stack([np.zeros(len(nearest), np.intp), nearest])

    def _groups(self, points: Floats) -> NDArray[Any]:
        return np.array([self.group_of[point.tobytes()] for point in points])
