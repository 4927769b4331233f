"""What tells the classes apart without their content: a small model on facts of the files alone.

A net that can tell a class by the camera, the file's coding or the light need not learn what it
looks like. A decision tree is cross-validated on such facts, whole groups in one fold, and so it is
on labels that are dealt out anew among the groups: how often that does as well is the p-value (M.
Ojala and G. C. Garriga, "Permutation tests for studying classifier performance", JMLR 11, 2010).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

from equipoise.deep.facts import Facts
from equipoise.deep.probing import FOLDS, enough, fold_numbers, units_of
from equipoise.errors import printable

__all__ = ["Fact", "Shortcuts", "find_shortcuts"]

_DEPTH, _LEAF = 6, 10
_PERMUTATIONS = 99
_MOST = 5000  # pictures; more of them take longer and tell little more
_VALUES = 8  # of a fact in words; rarer ones count as one
_LEVEL = 0.05
_MATTERS = 0.05  # of balanced accuracy above chance

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Fact:
    """A fact, and the balanced accuracy that it reaches alone."""

    name: str
    balanced_accuracy: float


@dataclass(frozen=True)
class Shortcuts:
    """How well the facts tell the classes apart.

    Attributes
    ----------
    images, classes : int
        Pictures looked at, of how many classes.
    balanced_accuracy : float
        Of a small model on all facts, cross-validated.
    chance : float
        What labels dealt out anew reach on average.
    p : float
        The share of such labels, out of 100, that do as well.
    telling : bool
        Whether the facts tell the classes apart: by 5 points more than chance, and p is at most
        0.05.
    facts : tuple of Fact
        The most telling first.
    sentence : str
    """

    images: int
    classes: int
    balanced_accuracy: float
    chance: float
    p: float
    telling: bool
    facts: tuple[Fact, ...]
    sentence: str


def find_shortcuts(
    facts: Facts,
    labels: NDArray[np.int64],
    unit: Ints,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Shortcuts | None:
    """Return how well facts tell the classes apart; None where too few classes are large enough.

    Parameters
    ----------
    facts : Facts
    labels, unit : (N,) int
        Pictures of one unit are never on both sides, and labels are dealt out among units.
    seed : int
    tell : callable
        Called with how many permutations are done, and how many there are.
    """
    rng = np.random.default_rng([seed % 2**64, 5])
    rows = _some(labels, unit, rng)
    classes = len(np.unique(labels[rows]))
    if classes < 2:
        return None
    columns = {name: column for name, column in _columns(facts, rows).items() if _varies(column)}
    if not columns:
        return None
    labels, unit = labels[rows], units_of(unit[rows])
    fold = fold_numbers(labels, unit, seed)
    table = np.concatenate(list(columns.values()), axis=1)
    reached = _reached(table, labels, fold)
    others = []
    for done in range(1, _PERMUTATIONS + 1):
        others.append(_reached(table, _dealt_anew(labels, unit, rng), fold))
        tell(done, _PERMUTATIONS)
    p = (1 + sum(other >= reached for other in others)) / (1 + _PERMUTATIONS)
    chance = float(np.mean(others))
    alone = [Fact(name, round(_reached(one, labels, fold), 4)) for name, one in columns.items()]
    ranked = tuple(sorted(alone, key=lambda fact: -fact.balanced_accuracy))
    telling = p <= _LEVEL and reached - chance >= _MATTERS
    return Shortcuts(
        images=len(rows),
        classes=classes,
        balanced_accuracy=round(reached, 4),
        chance=round(chance, 4),
        p=p,
        telling=telling,
        facts=ranked,
        sentence=_sentence(reached, chance, p, ranked if telling else ()),
    )


def _some(labels: NDArray[np.int64], unit: Ints, rng: np.random.Generator) -> Ints:
    """Return the rows to look at, those of classes that are large enough.

    All, or whole units drawn by lot up to a number.
    """
    rows = np.arange(len(labels))
    if len(rows) > _MOST:
        place = rng.permutation(int(unit.max()) + 1)[unit]
        rows = rows[place <= np.sort(place)[_MOST - 1]]
    there = enough(labels[rows], unit[rows], int(labels.max()) + 1)
    return rows[there[labels[rows]]]


def _columns(facts: Facts, rows: Ints) -> dict[str, NDArray[np.float64]]:
    """Return each fact as (M, 1) numbers, or (M, V) marks of its commonest words."""
    columns = {name: values[rows, None] for name, values in facts.numbers.items()}
    for name, values in facts.words.items():
        known, counts = np.unique(values[rows], return_counts=True)
        common = known[np.argsort(-counts, kind="stable")[:_VALUES]]
        columns[name] = (values[rows, None] == common).astype(np.float64)
    return columns


def _varies(column: NDArray[np.float64]) -> bool:
    there = np.isfinite(column)
    some = column[there]
    return bool(some.size) and (not there.all() or bool((column != column[0]).any()))


def _reached(table: NDArray[np.float64], labels: NDArray[np.int64], fold: Ints) -> float:
    """Return the cross-validated balanced accuracy of a small tree."""
    found = np.empty_like(labels)
    for number in range(FOLDS):
        held = fold == number
        tree = DecisionTreeClassifier(
            max_depth=_DEPTH, min_samples_leaf=_LEAF, class_weight="balanced", random_state=0
        )
        found[held] = tree.fit(table[~held], labels[~held]).predict(table[held])
    return float(balanced_accuracy_score(labels, found))


def _dealt_anew(
    labels: NDArray[np.int64], unit: Ints, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return labels in which each unit has those of another one, over and over where it is larger.

    Pictures of one unit are no independent draws: labels that moved alone would be easier to beat.
    """
    order = np.argsort(unit, kind="stable")
    sizes = np.bincount(unit)
    starts = np.cumsum(sizes) - sizes
    within = np.arange(len(unit)) - starts[unit[order]]
    other = rng.permutation(len(sizes))[unit[order]]
    dealt = np.empty_like(labels)
    dealt[order] = labels[order][starts[other] + within % sizes[other]]
    return dealt


def _sentence(reached: float, chance: float, p: float, telling: tuple[Fact, ...]) -> str:
    figures = (
        f"a balanced accuracy of {reached:.0%}, where labels dealt out anew reach {chance:.0%} "
        f"(p = {p:.2f})"
    )
    if not telling:
        return (
            "File, size, light and sharpness alone do not tell the classes apart: a small model on "
            f"these has {figures}."
        )
    strongest = ", ".join(
        f"{printable(fact.name)} ({fact.balanced_accuracy:.0%} alone)"
        for fact in telling[:3]
        if fact.balanced_accuracy > chance
    )
    most = f" Most telling: {strongest}." if strongest else ""
    return (
        f"File, size, light and sharpness alone tell the classes apart: a small model on these has "
        f"{figures}.{most} Some of it may follow from the content; where it does not, a net can "
        "learn it in the place of the content."
    )
