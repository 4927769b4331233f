"""Choosing whole groups for a split: every class there, and its share as near as can be."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_groups"]

_MOST_TRIES = 100
_WORK = 20_000  # groups looked at in all tries together

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class _Groups:
    """How many images of each class every group has, as the pairs that are not nothing.

    Attributes
    ----------
    group, label, images : (P,) int
        Of each pair of a group and a class; sorted by group.
    starts : (G + 1,) int
        The first pair of each group.
    """

    group: Ints
    label: Ints
    images: Ints
    starts: Ints

    @cached_property
    def sizes(self) -> Ints:
        """Images of each group."""
        return np.bincount(self.group, self.images).astype(np.intp)

    @cached_property
    def classes(self) -> int:
        return int(self.label.max()) + 1

    def counts(self, chosen: NDArray[np.bool_]) -> Ints:
        """Images of each class in the groups chosen."""
        there = chosen[self.group]
        sums = np.bincount(self.label[there], self.images[there], minlength=self.classes)
        return sums.astype(np.intp)

    def numbers(self, chosen: NDArray[np.bool_]) -> Ints:
        """How many of the groups chosen have images of each class."""
        return np.bincount(self.label[chosen[self.group]], minlength=self.classes)

    def with_class(self, label: int, among: NDArray[np.bool_]) -> Ints:
        """The groups of `among` that have images of a class, the smallest first."""
        mine = self.group[self.label == label]
        mine = mine[among[mine]]
        return mine[np.argsort(self.sizes[mine], kind="stable")]


def by_groups(
    labels: NDArray[np.int64], group: Ints, fraction: float, state: int, spare: int
) -> NDArray[np.bool_] | None:
    """Choose whole groups with about `fraction` of the images of each class.

    The groups are gone through in random orders; each is taken where that brings the classes nearer
    to their shares (the sum of squared gaps, each over its class's share). Then what a class lacks
    is made up by its smallest groups. The best of several tries counts.

    Parameters
    ----------
    labels : (N,) int64
        From 0, none missing.
    group : (N,) int
        From 0, none missing.
    fraction : float
    state : int
    spare : int
        Groups with images of each class that must not be chosen.

    Returns
    -------
    (N,) bool, or None
        The images chosen; None where no try left every class on both sides.
    """
    pairs, images = np.unique(np.stack([group, labels]), axis=1, return_counts=True)
    starts = np.searchsorted(pairs[0], np.arange(int(group.max()) + 2))
    groups = _Groups(pairs[0], pairs[1], images, starts)
    targets = np.maximum(fraction * np.bincount(labels), 1.0)
    rng = np.random.default_rng(state)
    tries = min(max(_WORK // len(groups.sizes), 1), _MOST_TRIES)
    found = [_repaired(groups, _tried(groups, targets, rng), spare) for _ in range(tries)]
    whole = [chosen for chosen in found if chosen is not None]
    if not whole:
        return None
    return min(whole, key=lambda one: _gap(groups.counts(one), targets))[group]


def _gap(counts: Ints, targets: NDArray[np.float64]) -> float:
    return float(((counts - targets) ** 2 / targets).sum())


def _tried(
    groups: _Groups, targets: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose among the groups in a random order, those of one image last and all at once."""
    left = targets.copy()
    chosen = np.zeros(len(groups.sizes), bool)
    for g in rng.permutation(np.flatnonzero(groups.sizes > 1)).tolist():
        span = slice(groups.starts[g], groups.starts[g + 1])
        label, images = groups.label[span], groups.images[span]
        if (images * (2 * left[label] - images) / targets[label]).sum() > 0:
            chosen[g] = True
            left[label] -= images
    single = groups.sizes[groups.group] == 1
    order = rng.permutation(np.flatnonzero(single))
    order = order[np.argsort(groups.label[order], kind="stable")]
    sorted_labels = groups.label[order]
    first = np.searchsorted(sorted_labels, sorted_labels)  # where the class of each begins
    wanted = np.round(np.maximum(left, 0)).astype(np.intp)
    chosen[groups.group[order[np.arange(len(order)) - first < wanted[sorted_labels]]]] = True
    return chosen


def _repaired(groups: _Groups, chosen: NDArray[np.bool_], spare: int) -> NDArray[np.bool_] | None:
    """Return the choice with every class in it, and `spare` groups of each outside; or None."""
    for label in np.flatnonzero(groups.numbers(~chosen) < spare).tolist():
        for g in groups.with_class(label, chosen).tolist():
            if groups.numbers(~chosen)[label] >= spare:
                break
            chosen[g] = False
    for label in np.flatnonzero(groups.numbers(chosen) == 0).tolist():
        for g in groups.with_class(label, ~chosen).tolist():
            chosen[g] = True
            if (groups.numbers(~chosen) >= spare).all():
                break
            chosen[g] = False
    whole = groups.numbers(chosen).all() and (groups.numbers(~chosen) >= spare).all()
    return chosen if whole else None
