"""Cutting a split or folds from a set: stratified, whole groups, the same for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, StratifiedShuffleSplit

from equipoise.errors import InputError, plural, printable
from equipoise.readers.grouped import by_groups

__all__ = ["Cut", "cut", "dealt", "folds_of", "units"]

_NAMED = 10  # classes that a message names

Ints = NDArray[np.intp]


def units(*columns: NDArray[np.str_] | NDArray[np.bytes_] | None) -> Ints:
    """Return the number of each image's unit: what a cut may not part.

    Images that are equal in any column belong together: those of one group, and those with the same
    pixels (the same digest), or the cut itself would put a training picture into the test split.
    What is empty binds nothing.
    """
    given = [column for column in columns if column is not None]
    bound = [column != column.dtype.type() for column in given]
    if len(given) == 1 and bound[0].all():
        return np.unique(given[0], return_inverse=True)[1].ravel()
    count = len(given[0])
    rows, nodes, number = [], [], count
    for column, binds in zip(given, bound, strict=True):
        values, member = np.unique(column, return_inverse=True)
        there = np.flatnonzero(binds)
        rows.append(there)
        nodes.append(number + member.ravel()[there])
        number += len(values)
    ends = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(number, number))
    return connected_components(graph, directed=False)[1][:count].astype(np.intp)


@dataclass(frozen=True)
class Cut:
    """What is cut off, and from what.

    Attributes
    ----------
    name : {'test', 'validation'}
        The split that is cut; it also seeds the choice.
    fraction : float
        Share of the images to cut, 0 < fraction < 1. Every class gives one image at least.
    seed : int
    later : tuple of str
        Splits that are cut afterwards: every class keeps enough for them.
    """

    name: str
    fraction: float
    seed: int
    later: tuple[str, ...] = ()

    @property
    def spare(self) -> int:
        """How many units of each class must remain: one for training and for each later cut."""
        return 1 + len(self.later)

    @property
    def splits(self) -> str:
        """The splits that every class must be in, in words."""
        *some, last = ("training", *self.later, self.name)
        return f"{', '.join(some)} and {last}"


def cut(
    labels: NDArray[np.int64], unit: Ints, wanted: Cut, classes: Sequence[str], *, grouped: bool
) -> NDArray[np.bool_]:
    """Choose the images of a new split.

    Parameters
    ----------
    labels : (N,) int64
    unit : (N,) int
        Images of the same unit stay together.
    wanted : Cut
    classes : sequence of str
    grouped : bool
        Whether units are groups of any make-up, or single images and their duplicates.

    Returns
    -------
    (N,) bool
        True for the images cut off.

    Raises
    ------
    InputError
        Where classes are too small to be on both sides: all of them are named.
    """
    seed, name = wanted.seed % 2**64, wanted.name
    state = int(np.random.SeedSequence([seed, len(name)]).generate_state(1)[0])
    _, first, index = np.unique(unit, return_index=True, return_inverse=True)
    index = index.ravel()
    there = _units_of_classes(labels, index, first, len(classes), grouped)
    if (small := np.flatnonzero(there < 1 + wanted.spare)).size:
        raise _too_small(wanted, classes, there, small, grouped)
    if not grouped:
        return _by_shuffle(labels[first], wanted, state)[index]
    chosen = by_groups(labels, index, wanted.fraction, state, wanted.spare)
    if chosen is None:
        raise InputError(
            f"Groups stay whole, and no choice of them for the {name} split leaves every class in "
            f"{wanted.splits}. Give splits of your own, or smaller groups."
        )
    return chosen


def folds_of(
    labels: NDArray[np.int64],
    unit: Ints,
    folds: int,
    *,
    seed: int,
    classes: Sequence[str],
    grouped: bool,
) -> Ints:
    """Deal the images out to folds of about the same size and the same shares of the classes.

    Parameters
    ----------
    labels : (N,) int64
    unit : (N,) int
        Images of the same unit stay together.
    folds : int
    seed : int
    classes : sequence of str
    grouped : bool
        As in `cut`.

    Returns
    -------
    (N,) int
        The fold of each image, from 0.

    Raises
    ------
    InputError
        Where classes are too small to be in every fold: all of them are named.
    """
    # The last number is for folds alone: a split is cut by the length of its name.
    state = int(np.random.SeedSequence([seed % 2**64, folds, 1]).generate_state(1)[0])
    _, first, index = np.unique(unit, return_index=True, return_inverse=True)
    index = index.ravel()
    there = _units_of_classes(labels, index, first, len(classes), grouped)
    if there.min() >= folds:
        number = (
            dealt(labels, index, folds, state)
            if grouped
            else dealt(labels[first], None, folds, state)[index]
        )
        shared = np.zeros((folds, len(classes)), bool)
        shared[number, labels] = True
        if shared.all():
            return number
        there = shared.sum(0)
    small = _told(classes, there, np.flatnonzero(there < folds), grouped)
    raise InputError(
        f"--folds {folds}: every class must be in every fold, but there are too few of {small}. "
        f"Give fewer folds, or leave small classes out with --drop-classes-below {folds}."
    )


def _units_of_classes(
    labels: NDArray[np.int64], index: Ints, first: Ints, classes: int, grouped: bool
) -> Ints:
    """How many units have images of each class; of duplicates the first one's class counts."""
    if not grouped:
        return np.bincount(labels[first], minlength=classes)
    pairs = np.unique(np.stack([labels, index]), axis=1)
    return np.bincount(pairs[0], minlength=classes)


def dealt(labels: NDArray[np.int64], groups: Ints | None, folds: int, state: int) -> Ints:
    """Deal rows out to stratified folds, whole groups where there are any."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=state)
    number = np.empty(len(labels), np.intp)
    for fold, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
        number[rows] = fold
    return number


def _by_shuffle(strata: NDArray[np.int64], wanted: Cut, state: int) -> NDArray[np.bool_]:
    """Cut units that are single images (or one picture several times over)."""
    counts = np.bincount(strata)
    most = len(strata) - wanted.spare * len(counts)
    held = min(max(round(wanted.fraction * len(strata)), len(counts)), most)
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=held, random_state=state)
    _, picked = next(splitter.split(strata, strata))
    mask = np.zeros(len(strata), bool)
    mask[picked] = True
    # The share of a small class is rounded to nothing, or to all of it.
    rng = np.random.default_rng(state)
    share = np.bincount(strata[mask], minlength=len(counts))
    right = np.clip(share, 1, counts - wanted.spare)
    for label in np.flatnonzero(share != right):
        mine = strata == label
        more = bool(right[label] > share[label])
        some = np.flatnonzero(mine & (mask != more))
        mask[rng.choice(some, abs(int(right[label] - share[label])), replace=False)] = more
    return mask


def _too_small(
    wanted: Cut, classes: Sequence[str], there: Ints, small: Ints, grouped: bool
) -> InputError:
    least = 1 + wanted.spare
    told = _told(classes, there, small, grouped)
    kind = "groups" if grouped else "different images"
    leave = "--classes" if grouped else f"--drop-classes-below {least}"
    return InputError(
        f"Every class must be in {wanted.splits}, but there are fewer than {least} {kind} of "
        f"{told}. Add images, give a {wanted.name} split of its own, or leave such classes out "
        f"with {leave}."
    )


def _told(classes: Sequence[str], there: Ints, small: Ints, grouped: bool) -> str:
    """The classes at `small`, each with what it has."""
    kind = "group" if grouped else "image"
    counts = there.tolist()
    named = [
        f"{printable(classes[k])!r} ({plural(counts[k], kind)})" for k in small[:_NAMED].tolist()
    ]
    more = (
        [plural(len(small) - _NAMED, "more class", "more classes")] if len(small) > _NAMED else []
    )
    *some, last = [*named, *more]
    return f"{', '.join(some)} and {last}" if some else last
