"""Cutting a split or folds from a set: stratified, whole groups, the same for the same seed."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, StratifiedShuffleSplit

from equipoise.errors import InputError, printable

__all__ = ["cut", "folds_of", "units"]

_MOST_FOLDS = 20


def units(digests: NDArray[np.bytes_], groups: NDArray[np.str_] | None) -> NDArray[np.intp]:
    """Return the number of each image's unit: what a cut may not part.

    Images of one group belong together, and so do images with the same pixels, or the cut itself
    would put a training picture into the test split.
    """
    same = np.unique(digests, return_inverse=True)[1].ravel()
    if groups is None:
        return same
    member = np.unique(groups, return_inverse=True)[1].ravel()
    rows, count = np.arange(len(same)), len(same)
    first, second = count + same, count + count + member
    edges = (np.ones(2 * count), (np.tile(rows, 2), np.concatenate([first, second])))
    graph = coo_array(edges, shape=(3 * count, 3 * count))
    return connected_components(graph, directed=False)[1][:count].astype(np.intp)


def cut(
    labels: NDArray[np.int64],
    unit: NDArray[np.intp],
    fraction: float,
    *,
    seed: int,
    name: str,
    classes: tuple[str, ...],
    grouped: bool,
) -> NDArray[np.bool_]:
    """Choose the images of a new split.

    Parameters
    ----------
    labels : (N,) int64
    unit : (N,) int
        Images of the same unit stay together.
    fraction : float
        Share of the images to cut, 0 < fraction < 1.
    seed : int
    name : {'test', 'validation'}
        Which split is cut; it also seeds the choice.
    classes : tuple of str
    grouped : bool
        Whether units are groups given by the user, of any make-up, or single images and their
        duplicates.

    Returns
    -------
    (N,) bool
        True for the images cut off.

    Raises
    ------
    InputError
        Where a class is too small to be on both sides.
    """
    state = int(np.random.SeedSequence([seed % 2**64, len(name)]).generate_state(1)[0])
    _, first, index = np.unique(unit, return_index=True, return_inverse=True)
    pairs = np.unique(np.stack([labels, index.ravel()]), axis=1)
    strata = pairs[0] if grouped else labels[first]
    per_class = np.bincount(strata, minlength=len(classes))
    if per_class.min() < 2:
        raise _too_small(name, fraction, classes, labels, grouped, int(np.argmin(per_class)))
    if grouped:
        chosen = _by_folds(labels, index.ravel(), fraction, state, int(per_class.min()))
    else:
        chosen = _by_shuffle(strata, fraction, state)[index.ravel()]
    held = np.bincount(labels[chosen], minlength=len(classes))
    left = np.bincount(labels[~chosen], minlength=len(classes))
    if not (held.all() and left.all()):
        label = int(np.argmin(np.minimum(held, left)))
        raise _too_small(name, fraction, classes, labels, grouped, label)
    return chosen


def folds_of(
    labels: NDArray[np.int64],
    unit: NDArray[np.intp],
    folds: int,
    *,
    seed: int,
    classes: tuple[str, ...],
    grouped: bool,
) -> NDArray[np.intp]:
    """Deal the images out to folds of about the same size and the same shares of the classes.

    Parameters
    ----------
    labels : (N,) int64
    unit : (N,) int
        Images of the same unit stay together.
    folds : int
    seed : int
    classes : tuple of str
    grouped : bool
        As in `cut`.

    Returns
    -------
    (N,) int
        The fold of each image, from 0.

    Raises
    ------
    InputError
        Where a class is too small to be in every fold.
    """
    state = int(np.random.SeedSequence([seed % 2**64, folds]).generate_state(1)[0])
    _, first, index = np.unique(unit, return_index=True, return_inverse=True)
    index = index.ravel()
    pairs = np.unique(np.stack([labels, index]), axis=1)
    there = np.bincount(pairs[0] if grouped else labels[first], minlength=len(classes))
    if there.min() >= folds:
        number = (
            _dealt(labels, index, folds, state)
            if grouped
            else _dealt(labels[first], None, folds, state)[index]
        )
        shared = np.zeros((folds, len(classes)), bool)
        shared[number, labels] = True
        if shared.all():
            return number
        there = shared.sum(0)
    label = int(np.argmin(there))
    raise InputError(
        f"--folds {folds}: every class must be in every fold, but class "
        f"{printable(classes[label])!r} has only {np.sum(labels == label)} images"
        f"{' in too few groups' if grouped else ''}. Give fewer folds, or leave the class out with "
        "--classes."
    )


def _dealt(
    labels: NDArray[np.int64], groups: NDArray[np.intp] | None, folds: int, state: int
) -> NDArray[np.intp]:
    """Deal rows out to stratified folds, whole groups where there are any."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=state)
    number = np.empty(len(labels), np.intp)
    for fold, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
        number[rows] = fold
    return number


def _by_shuffle(strata: NDArray[np.int64], fraction: float, state: int) -> NDArray[np.bool_]:
    """Cut units that are single images (or one picture several times over)."""
    count = len(np.unique(strata))
    held = min(max(round(fraction * len(strata)), count), len(strata) - count)
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=held, random_state=state)
    _, picked = next(splitter.split(strata, strata))
    mask = np.zeros(len(strata), bool)
    mask[picked] = True
    return mask


def _by_folds(
    labels: NDArray[np.int64], unit: NDArray[np.intp], fraction: float, state: int, rarest: int
) -> NDArray[np.bool_]:
    """Cut whole groups: of n stratified folds, the k whose share k/n is nearest to the fraction.

    There are no more folds than the rarest class has groups. Of the n runs of k folds, the one
    counts that leaves every class on both sides and whose share is nearest to the fraction.
    """
    most = min(_MOST_FOLDS, rarest)
    ways = [(n, min(max(round(fraction * n), 1), n - 1)) for n in range(2, most + 1)]
    folds, take = min(ways, key=lambda way: (abs(way[1] / way[0] - fraction), way[0]))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=state)
    parts = [part for _, part in splitter.split(labels, labels, unit)]
    classes = len(np.unique(labels))
    runs = []
    for start in range(folds):
        mask = np.zeros(len(labels), bool)
        mask[np.concatenate([parts[(start + i) % folds] for i in range(take)])] = True
        whole = len(np.unique(labels[mask])) == len(np.unique(labels[~mask])) == classes
        runs.append((not whole, abs(float(mask.mean()) - fraction), start, mask))
    return min(runs, key=lambda run: run[:3])[3]


def _too_small(
    name: str,
    fraction: float,
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
    grouped: bool,
    label: int,
) -> InputError:
    count = int(np.sum(labels == label))
    groups = " in too few groups" if grouped else ""
    return InputError(
        f"Every class must be in training and {name}, but class {printable(classes[label])!r} has "
        f"only {count} image{'s'[: count != 1]}{groups} for --{name}-fraction {fraction:g}. Add "
        f"images, give a {name} split of its own, or leave the class out with --classes."
    )
