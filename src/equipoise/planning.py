"""From labels and a `sampling_strategy` to the list of copies to make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import keys
from equipoise.errors import InputError, require, unknown
from equipoise.mapped import empty
from equipoise.typed import number_of, pairs_of, shown, whole_of

__all__ = [
    "Plan",
    "Strategy",
    "parse_strategy",
    "plan",
    "share_out",
    "targets",
    "undersample",
]

Strategy = str | float | Mapping[str, int] | Mapping[int, int] | Callable[..., Mapping] | None

_BLOCK = 1 << 16  # copies planned at a time
_MOST = 10**9  # images that a class can be brought up to

_WORDS = ("auto", "minority", "not minority", "not majority", "all")
_UNDER = ("auto", "majority", "not minority", "not majority", "all")


@dataclass(frozen=True)
class Plan:
    """The copies to make, class by class in the order of the labels.

    Attributes
    ----------
    source : (M,) int64
        Row of the image to copy.
    technique : (M,) int16
        Which technique makes the copy, counted from 0; -1 is a plain duplicate.
    copy : (M,) int32
        The how-many-th copy of its source this is, from 0.
    replaces : (M,) bool
        Whether the copy stands in the place of its original instead of being added.
    """

    source: NDArray[np.int64]
    technique: NDArray[np.int16]
    copy: NDArray[np.int32]
    replaces: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.source)

    def pick(self, rows: NDArray[np.intp]) -> "Plan":
        """Return the plan of some of the copies."""
        return Plan(self.source[rows], self.technique[rows], self.copy[rows], self.replaces[rows])

    def kept(self, images: int) -> NDArray[np.bool_]:
        """Return the (images,) mask of the originals that stay as they are."""
        mask = np.ones(images, bool)
        mask[self.source[self.replaces]] = False
        return mask


def parse_strategy(text: str) -> str | float | dict[str, int]:
    """Read a strategy as it is typed: ``auto``, ``0.5`` or ``dog=4800,fox=300``.

    Raises
    ------
    InputError
        If the text is none of these.
    """
    if text in _WORDS:
        return text
    found = pairs_of(text, whole_of) or number_of(text.strip())
    if found is None:
        raise InputError(
            f"A strategy is one of {', '.join(_WORDS)}, a number, or counts such as "
            f"dog=4800,fox=300 (each class once), but got {shown(text)}."
        )
    return found


def targets(
    labels: ArrayLike, strategy: Strategy, classes: tuple[str, ...] | None = None
) -> dict[int, int]:
    """Return how many new images each class gets.

    Parameters
    ----------
    labels : (N,) integers
    strategy : str, float, dict, callable or None
        imbalanced-learn's `sampling_strategy` for over-sampling. None asks for nothing.
    classes : tuple of str, optional
        Names of the labels; with them the keys of a dict may be class names.

    Returns
    -------
    dict
        From label to number of new images, in the order of the labels.

    Raises
    ------
    InputError
        If the strategy cannot be met on these labels.
    """
    return _checked(labels, strategy, classes, "over-sampling")


def undersample(
    labels: ArrayLike,
    strategy: Strategy,
    *,
    seed: int,
    ids: ArrayLike,
    classes: tuple[str, ...] | None = None,
) -> NDArray[np.intp]:
    """Return the rows that stay when classes are brought down to where the strategy wants them.

    Parameters
    ----------
    labels : (N,) integers
    strategy : str, float, dict, callable or None
        imbalanced-learn's `sampling_strategy` for under-sampling: 'auto' brings every class down
        to the smallest, a number is the ratio of the smaller of two classes to the larger, a dict
        gives the images that stay. None takes nothing away.
    seed, ids
        The seed and the (N,) stable ids; they, not the order of the rows, say which images stay.
    classes : tuple of str, optional
        Names of the labels; with them the keys of a dict may be class names.

    Returns
    -------
    (M,) rows, ascending

    Raises
    ------
    InputError
        If the strategy cannot be met on these labels.
    """
    labels = np.asarray(labels)
    stay = np.ones(len(labels), bool)
    order = keys.order(seed, ids, "undersample")
    for label, count in _checked(labels, strategy, classes, "under-sampling").items():
        stay[order[labels[order] == label][count:]] = False
    return np.flatnonzero(stay)


def _checked(
    labels: ArrayLike, strategy: Strategy, classes: tuple[str, ...] | None, kind: str
) -> dict[int, int]:
    """imbalanced-learn's reading of a strategy: from label to number of images."""
    from imblearn.utils import check_sampling_strategy  # slow to import, and imports pandas

    if strategy is None:
        return {}
    labels = np.asarray(labels)
    words = _WORDS if kind == "over-sampling" else _UNDER
    if isinstance(strategy, Mapping):
        strategy = _by_label(strategy, labels, classes, kind)
    elif isinstance(strategy, str) and strategy not in words:
        raise unknown("strategy", strategy, words)
    try:
        counts = check_sampling_strategy(strategy, labels, kind)
    except ValueError as error:
        raise InputError(f"strategy={strategy!r}: {' '.join(str(error).split())}") from None
    require(
        counts is not None,
        "a strategy that is a word, a number, counts by class or a function",
        strategy=strategy,
    )
    return {int(label): int(count) for label, count in counts.items()}


def _by_label(
    strategy: Mapping, labels: NDArray, classes: tuple[str, ...] | None, kind: str
) -> dict[int, int]:
    """A dict strategy with class names turned into labels, its counts checked by name."""
    names = {name: label for label, name in enumerate(classes or ())}
    present = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    result: dict[int, int] = {}
    for key, count in strategy.items():
        label: Any = names.get(key, key)
        if label not in present:
            known = [str(name) for name, label in names.items() if label in present]
            raise unknown("class", str(key), known or [str(label) for label in present])
        _check_count(key, count, int(present[label]), kind)
        result[label] = int(count)
    return result


def _check_count(key: object, count: object, present: int, kind: str) -> None:
    over = kind == "over-sampling"
    whole = isinstance(count, int | np.integer)
    require(
        whole and (count >= present if over else 1 <= count <= present),  # type: ignore[operator]
        f"target count >= the {present} images that class {key} has"
        if over
        else f"1 <= target count <= the {present} images that class {key} has",
        remedy="Oversampling removes nothing." if over else "Undersampling adds nothing.",
        count=count,
    )
    require(count <= _MOST, f"target count <= {_MOST:,}", count=count)  # type: ignore[operator]


def plan(
    labels: ArrayLike,
    strategy: Strategy,
    techniques: int,
    *,
    seed: int,
    ids: ArrayLike,
    scope: str = "minority",
    classes: tuple[str, ...] | None = None,
    weights: Sequence[float] | None = None,
) -> Plan:
    """Plan the copies that bring the classes to where the strategy wants them.

    Parameters
    ----------
    labels : (N,) integers
        Labels of the training images.
    strategy
        See `targets`.
    techniques : int
        How many techniques share the copies; with 0 all copies are plain duplicates.
    seed, ids
        The seed and the (N,) stable ids of the images; they, not the order of the rows, say which
        sources an incomplete round takes.
    scope, weights
        See `share_out`.
    classes : tuple of str, optional
        Names of the labels.
    """
    new = targets(labels, strategy, classes)
    return share_out(labels, new, techniques, seed=seed, ids=ids, scope=scope, weights=weights)


def share_out(
    labels: ArrayLike,
    new: Mapping[int, int],
    techniques: int,
    *,
    seed: int,
    ids: ArrayLike,
    scope: str = "minority",
    weights: Sequence[float] | None = None,
) -> Plan:
    """Share new images out over the sources of each class and over the techniques.

    Every source of a class is copied equally often before any is copied once more. The techniques
    get equally many copies, within one, in each class and in all. As many copies of a source as
    there are techniques see every technique once.

    Parameters
    ----------
    labels, ids : (N,) integers
    new : dict
        From label to number of new images.
    techniques : int
    seed : int
    scope : {'minority', 'all'}
        With 'all' every class gets the same share of augmented images, that of the class which
        needs most: where copies are too few for it, augmented images replace originals. So no
        technique marks a class.
    weights : sequence of float, optional
        One a technique, > 0: their shares of the copies of each class, instead of equal ones.
        Which copies a technique makes is then drawn by the copies' addresses.
    """
    require(scope in ("minority", "all"), "scope 'minority' or 'all'", scope=scope)
    groups = _sources(np.asarray(labels), np.asarray(ids), seed)
    require(new.keys() <= groups.keys(), "images of every class to copy", new=dict(new))
    sizes = {label: len(rows) for label, rows in groups.items()}
    replaced = _replacements(sizes, new) if scope == "all" and techniques else {}
    total = sum(new.values()) + sum(replaced.values())
    _check_weights(weights, techniques)
    result = Plan(*(empty(total, kind) for kind in (np.int64, np.int16, np.int32, np.bool_)))
    start = 0
    for label, rows in groups.items():
        added = new.get(label, 0)
        end = start + added + replaced.get(label, 0)
        _take_turns(result, rows, techniques, start, end)
        result.replaces[start : start + added] = False
        result.replaces[start + added : end] = True
        if weights is not None:
            address = np.asarray(ids)[result.source[start:end]], result.copy[start:end]
            result.technique[start:end] = _weighted(weights, seed, *address)
        start = end
    return result


def _take_turns(plan: Plan, rows: NDArray[np.intp], techniques: int, start: int, end: int) -> None:
    """Fill a plan from `start` to `end` with the sources of a class and the techniques in turn."""
    # A common multiple of turns is even in itself; the step after it moves each source on to
    # techniques that it has not had. What is left over takes up where the last class stopped, which
    # keeps the techniques even over all classes.
    common = lcm(len(rows), max(techniques, 1))
    for first in range(start, end, _BLOCK):
        some = slice(first, min(first + _BLOCK, end))
        turn = np.arange(some.start - start, some.stop - start)
        plan.copy[some], place = divmod(turn, len(rows))
        plan.source[some] = rows[place]
        step = turn // common - (end - start) // common
        plan.technique[some] = (start + turn + step) % techniques if techniques else -1


def _check_weights(weights: Sequence[float] | None, techniques: int) -> None:
    require(
        weights is None or (len(weights) == techniques > 0 and min(weights) > 0),
        "one weight > 0 a technique",
        weights=weights,
        techniques=techniques,
    )


def _weighted(
    weights: Sequence[float], seed: int, ids: NDArray, copies: NDArray[np.int32]
) -> NDArray[np.int16]:
    """The technique of each copy: so many of each as its share, rounded, in a drawn order."""
    upto = np.cumsum(weights) / np.sum(weights) * len(ids)
    counts = np.diff(np.floor(upto + 0.5).astype(int), prepend=0)
    draws = keys.uniforms(keys.image_keys(seed, ids, copies), "weights", 1)[:, 0]
    result = np.empty(len(ids), np.int16)
    result[draws.argsort(kind="stable")] = np.arange(len(weights)).repeat(counts)
    return result


def _sources(labels: NDArray, ids: NDArray, seed: int) -> dict[int, NDArray[np.intp]]:
    """The rows of each class in an order drawn from their ids."""
    order = keys.order(seed, ids, "plan")
    order = order[np.argsort(labels[order], kind="stable")]
    present, starts = np.unique(labels[order], return_index=True)
    return dict(zip(present.tolist(), np.split(order, starts[1:]), strict=True))


def _replacements(sizes: Mapping[int, int], new: Mapping[int, int]) -> dict[int, int]:
    """How many originals of each class give way so that all have the same augmented share."""
    totals = {label: size + new.get(label, 0) for label, size in sizes.items()}
    most = max(totals, key=lambda label: new.get(label, 0) / totals[label], default=None)
    if most is None:
        return {}
    # Rounded in whole numbers: no count depends on floating point.
    share, whole = new.get(most, 0), totals[most]
    wanted = {label: (2 * share * n + whole) // (2 * whole) for label, n in totals.items()}
    return {label: max(0, count - new.get(label, 0)) for label, count in wanted.items()}
