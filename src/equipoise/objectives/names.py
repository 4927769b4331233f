"""The names of figures: those of `equipoise.metrics`, F-betas, those of a class, and costs."""

import re

from equipoise.errors import require, unknown
from equipoise.metrics import FIGURES
from equipoise.metrics.decided import DECIDED, precisions, recalls

__all__ = [
    "COST",
    "OF_CLASS",
    "check_name",
    "figure_is_share",
    "figure_label",
    "figure_text",
    "parted",
    "within_sentence",
]

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
