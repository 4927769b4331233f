"""The objective as one value, and the names of figures: F-betas, those of a class, and costs."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from equipoise.errors import InputError, require, unknown
from equipoise.metrics import FIGURES
from equipoise.metrics.decided import (
    DECIDED,
    Confusion,
    Counts,
    Floats,
    counts_of,
    f_betas,
    mean_over,
    precisions,
    recalls,
)

__all__ = [
    "COST",
    "COSTS_LIKE",
    "DEFAULT",
    "OF_CLASS",
    "Objective",
    "check_name",
    "figure_is_share",
    "figure_label",
    "figure_text",
    "parted",
    "within_sentence",
]

DEFAULT = "balanced_accuracy"
COSTS_LIKE = "dog:cat=5,cat:dog=1 (true:predicted=cost) or the name of a .yaml or .csv file"


@dataclass(frozen=True)
class Objective:
    """A figure to make as good as it can be, with floors that others must reach.

    Attributes
    ----------
    figure : str
        'balanced_accuracy', 'macro_f1', 'g_mean', 'accuracy', 'mcc'; 'recall', 'precision' or
        F-beta ('f2', 'f0.5'), of the positive class with two classes and macro averages with more;
        any of these three of a class ('dog.recall'); or 'cost', the mean cost of an image.
    at_least : mapping of str to float
        Floors: from such a figure to what it must reach.
    costs : mapping of str to mapping of str to float
        From the true class to the predicted one to the cost of the mistake, with `figure` 'cost'.
        A mistake that is not named costs 1, a right answer nothing.
    classes : tuple of str
        The classes it is of, in order; none until `on` has said.
    positive : int, optional
        Label of the positive class of two.
    """

    figure: str = DEFAULT
    at_least: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    classes: tuple[str, ...] = field(default=(), compare=False)
    positive: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_name(self.figure)
        for name, least in self.at_least.items():
            check_name(name)
            require(name != COST, "a floor under a figure of which more is better", figure=name)
            holds = isinstance(least, Real) and 0 < least <= 1
            require(holds, "0 < floor <= 1", f"Floor: {name}.", floor=least)
        if self.figure == COST and not self.costs:
            raise InputError(f"The objective cost needs costs: {COSTS_LIKE}.")
        if self.costs and self.figure != COST:
            raise InputError(f"Costs go with the objective cost, but got {self.figure!r}.")
        for true, row in self.costs.items():
            named = isinstance(row, Mapping) and all(isinstance(name, str) for name in (true, *row))
            require(named, "costs by the names of the true and the predicted class", costs=row)
            for said, cost in row.items():
                where, number = f"Costs: {true}:{said}.", isinstance(cost, Real)
                require(number and 0 <= cost < math.inf, "0 <= cost, and finite,", where, cost=cost)
                require(true != said or cost == 0, "0 for a right answer", where, cost=cost)

    @property
    def name(self) -> str:
        """The figure's key in tables and files."""
        return self.figure

    @property
    def label(self) -> str:
        """What readers call the figure."""
        return self.label_of(self.figure)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The floors in words: 'precision of dog at least 90 %'."""
        return tuple(self.condition(name) for name in self.at_least)

    def condition(self, name: str) -> str:
        """Return one of the floors in words."""
        least = figure_text(name, self.at_least[name])
        return f"{within_sentence(self.label_of(name))} at least {least}"

    def __str__(self) -> str:
        return ", ".join((within_sentence(self.label), *self.conditions))

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the figure is better: of all but costs."""
        return self.figure != COST

    @property
    def worst(self) -> float:
        """The figure of a net that gets everything wrong."""
        if self.figure == COST:
            return float(self.cost_matrix.max())
        return -1.0 if self.figure == "mcc" else 0.0

    @property
    def figures(self) -> tuple[str, ...]:
        """The figure and those that have floors."""
        return tuple(dict.fromkeys((self.figure, *self.at_least)))

    def label_of(self, name: str) -> str:
        """Return what readers call one of `figures`."""
        of = None if self.positive is None else self.classes[self.positive]
        return figure_label(name, of)

    def on(self, classes: Sequence[str], positive: int | None = None) -> "Objective":
        """Return the objective for a data set's classes, which it has from then on.

        Raises
        ------
        InputError
            If it names a class that there is not, or makes no sense for these classes.
        """
        if self.classes == tuple(classes):
            return self
        two = len(classes) == 2
        bound = replace(self, classes=tuple(classes), positive=positive if two else None)
        named = [of for of, _ in map(parted, self.figures) if of is not None]
        named += [name for true, row in self.costs.items() for name in (true, *row)]
        for name in named:
            if name not in classes:
                raise unknown("class", name, classes)
        bound._check_sense()
        return bound

    def _check_sense(self) -> None:
        of, figure = parted(self.figure)
        alone = of is not None or self.positive is not None
        if alone and figure in OF_CLASS and not {*self.at_least} - {self.figure}:
            other = "precision" if figure == "recall" else "recall"
            name = of or self.classes[self.positive or 0]
            raise InputError(
                f"{self.label} alone is best in a way of no use: say what must be kept with it, "
                f"as in --at-least {name}.{other}=0.9."
            )
        if self.figure == COST:
            rows = zip(self.classes, self.cost_matrix, strict=True)
            free = [name for name, row in rows if not row.any()]
            require(not free, "a cost above 0 for some mistake on every class", without=free)

    @property
    def alone(self) -> int | None:
        """The label of the one class that all `figures` are of, if it is one."""
        classes = {parted(name)[0] for name in self.figures}
        of = classes.pop() if len(classes) == 1 else None
        return None if of is None else self.classes.index(of)

    @property
    def cost_matrix(self) -> Floats:
        """The (K, K) costs, rows the true class."""
        at = {name: label for label, name in enumerate(self.classes)}
        matrix = 1.0 - np.eye(len(self.classes))
        for true, row in self.costs.items():
            for said, cost in row.items():
                matrix[at[true], at[said]] = cost
        return matrix

    def value(self, confusion: Confusion) -> Floats:
        """Return the figure of (…, K, K) confusion matrices, rows the true class, or counts."""
        return self.measure(self.figure, confusion)

    def measure(self, name: str, confusion: Confusion) -> Floats:
        """Return one of `figures` of (…, K, K) confusion matrices, rows the true class."""
        if name == COST:
            return self._cost(confusion)
        counts = counts_of(confusion)
        if name in DECIDED:
            return DECIDED[name](counts)
        of, figure = parted(name)
        if figure in OF_CLASS:
            each = OF_CLASS[figure](counts)
        else:
            each = f_betas(counts, beta=float(figure[1:]))
        if of is not None:
            return each[..., self.classes.index(of)]
        return mean_over(each) if self.positive is None else each[..., self.positive]

    def _cost(self, confusion: Confusion) -> Floats:
        total = counts_of(confusion).true.sum(-1)
        if isinstance(confusion, Counts):
            assert confusion.cost is not None
            cost = confusion.cost
        else:
            cost = (confusion * self.cost_matrix).sum((-2, -1))
        return cost / np.where(total > 0, total, np.nan)

    @property
    def measures(self) -> dict[str, Any]:
        """From each of `figures` to its function of confusion matrices."""
        return {name: partial(self.measure, name) for name in self.figures}

    def shortfall(self, values: Mapping[str, Any]) -> Any:
        """Return by how much the floors are missed in all, given `figures` by name."""
        missed = (np.maximum(least - values[name], 0.0) for name, least in self.at_least.items())
        return sum(missed, 0.0)

    def worth(self, values: Mapping[str, Any]) -> Any:
        """Return the figure as a number of which more is better, given `figures` by name.

        Costs are taken as shares of the largest.
        """
        value = values[self.figure]
        return value if self.higher_is_better else -value / self.cost_matrix.max()

    def utility(self, values: Mapping[str, Any]) -> Any:
        """Return one number of `figures` by name, the more the better.

        What a floor is missed by counts three times.
        """
        return self.worth(values) - 3.0 * self.shortfall(values)

    @property
    def options(self) -> list[str]:
        """The options of the command line that ask for it; none for the default."""
        words = [] if self.figure in (DEFAULT, COST) else ["--objective", self.figure]
        pairs = [
            f"{true}:{said}={cost:g}"
            for true, row in self.costs.items()
            for said, cost in row.items()
        ]
        words += ["--costs", ",".join(pairs)] if pairs else []
        floors = [f"{name}={least:g}" for name, least in self.at_least.items()]
        return words + (["--at-least", ",".join(floors)] if floors else [])

    def to_json(self) -> str | dict[str, Any]:
        """Return what `get_objective` reads again: the figure's name where that is all."""
        fields = {"figure": self.figure}
        for key in ("at_least", "costs"):
            if getattr(self, key):
                fields[key] = getattr(self, key)
        return self.figure if len(fields) == 1 else fields


COST = "cost"
# The figures of one class, besides F-beta.
OF_CLASS = {"recall": recalls, "precision": precisions}

_F_BETA = re.compile(r"f(\d+(?:\.\d+)?)")
_CLASS = re.compile(rf"(.+)\.(recall|precision|{_F_BETA.pattern})", re.DOTALL)
_KNOWN = (*DECIDED, *OF_CLASS, "f2", "dog.recall", COST)


def figure_label(name: str, positive: str | None = None) -> str:
    """Return what readers call a figure, of `equipoise.metrics` or an objective's."""
    if name == COST:
        return "Cost per image"
    of, figure = parted(name)
    if figure in FIGURES and figure not in OF_CLASS:
        return FIGURES[figure].label
    label = FIGURES[figure].label if figure in FIGURES else figure.replace("_", " ").capitalize()
    of = of or positive
    return label if of is None else f"{label} of {of}"


def figure_is_share(name: str) -> bool:
    """Return whether a figure lies between 0 and 1 and is shown in per cent."""
    return FIGURES[name].share if name in FIGURES else name != COST


def figure_text(name: str, value: float) -> str:
    """Return a figure's value as it stands in a sentence, to three digits."""
    return f"{100 * value:.3g}\u202f%" if figure_is_share(name) else f"{value:.3g}"


def check_name(name: str) -> None:
    """Raise `InputError` for a name that no objective has."""
    require(isinstance(name, str), "the name of a figure", objective=name)
    _, figure = parted(name)
    beta = _F_BETA.fullmatch(figure)
    if beta:
        require(float(beta[1]) > 0, "beta > 0 in F-beta", objective=name)
    elif name not in DECIDED and name != COST and figure not in OF_CLASS:
        raise unknown("objective", name, _KNOWN)


def parted(name: str) -> tuple[str | None, str]:
    """Return the class of a figure, if it is of one, and the figure."""
    found = _CLASS.fullmatch(name)
    return (None, name) if found is None else (found[1], found[2])


def within_sentence(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return label if label[1:2].isupper() or label[1:2].isdigit() else label[:1].lower() + label[1:]
