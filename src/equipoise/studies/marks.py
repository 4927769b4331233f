"""Which technique has become the mark of which classes, in sentences, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.recipes import Recipe
from equipoise.strengths import weaken
from equipoise.studies.shortcut import Rise, Shortcut
from equipoise.studies.values import Value

__all__ = ["Mark", "find_marks", "mended"]

# Smaller rises are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.05
_LEVEL = 0.05
_NAMED = 4  # classes in one sentence


class Mark(Value):
    """A technique that nets of a recipe take for the mark of some classes.

    Attributes
    ----------
    recipe, technique : str
    classes : tuple of str
        What it is a mark of: one class where that takes at least half of what the others lose, else
        the fewest classes that do so together.
    lost : tuple of str
        The classes whose images are taken for others, the worst first.
    sentence : str
    """

    recipe: str
    technique: str
    classes: tuple[str, ...]
    lost: tuple[str, ...]
    sentence: str


def find_marks(
    matrix: Shortcut, reference: str, recipes: Mapping[str, Recipe]
) -> tuple[tuple[Mark, ...], dict[str, str]]:
    """Return the marks, and for each recipe with some the YAML of one without.

    A recipe teaches a mark only by a technique that it shows its nets. What counts is a rise that
    is there, is larger than the baseline's beyond chance (after Holm's correction over all recipes,
    techniques and classes) and ends beyond it: a net that is better on clean images can rise
    further to the same end.
    """
    marks: list[Mark] = []
    remedies: dict[str, str] = {}
    for name in matrix:
        if name == reference:
            continue
        shown = {technique.name for technique in recipes[name].resolved()}
        found = {technique: _lost(of) for technique, of in matrix[name].items()}
        mine = [technique for technique, lost in found.items() if lost and technique in shown]
        marks += [
            _mark(recipes[name], one, matrix[name][one], found[one], reference) for one in mine
        ]
        if mine:
            remedies[name] = mended(recipes[name], mine).to_yaml()
    return tuple(marks), remedies


def _lost(rises: Mapping[str, Rise]) -> list[str]:
    """The classes that surely lose by a technique, the worst first."""
    lost = [label for label, rise in rises.items() if _is_lost(rise)]
    return sorted(lost, key=lambda label: -(rises[label].excess or 0.0))


def _is_lost(rise: Rise) -> bool:
    if rise.p is None or rise.excess is None:
        return False
    least = min(rise.augmented - rise.clean, rise.augmented - rise.control, rise.excess)
    return rise.p < _LEVEL and least >= _WORTH_SAYING


def _takers(rises: Sequence[Rise]) -> tuple[str, ...]:
    """The fewest classes that together take at least half of what is lost."""
    total: dict[str, float] = {}
    for rise in rises:
        for label, share in rise.gained.items():
            total[label] = total.get(label, 0.0) + share
    chosen: list[str] = []
    for label in sorted(total, key=lambda label: -total[label]):
        chosen.append(label)
        if 2 * sum(total[one] for one in chosen) >= sum(total.values()):
            break
    return tuple(chosen)


def _mark(
    recipe: Recipe, technique: str, rises: Mapping[str, Rise], lost: list[str], reference: str
) -> Mark:
    takers = _takers([rises[label] for label in lost])
    told = [
        f"{rises[label].augmented:.0%} of the images of {label} are taken for another class "
        f"({rises[label].clean:.0%} when clean; {rises[label].control:.0%} in the nets of "
        f"'{reference}')"
        for label in lost[:_NAMED]
    ]
    if len(lost) > _NAMED:
        told.append(f"and so it is with {len(lost) - _NAMED} more")
    return Mark(
        recipe=recipe.name,
        technique=technique,
        classes=takers,
        lost=tuple(lost),
        sentence=(
            f"In nets trained with '{recipe.name}', {technique} has become a mark of "
            f"{_together(takers)}: after {technique}, {'; '.join(told)}. "
            f"{_remedy(recipe, technique)}"
        ),
    )


def _together(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return classes[0]
    if len(classes) > _NAMED:
        return f"a group of {len(classes)} classes"
    return f"the group of {', '.join(classes[:-1])} and {classes[-1]}"


def _remedy(recipe: Recipe, technique: str) -> str:
    if recipe.scope == "all":
        return (
            "The recipe shows it to every class already, so show a weaker one: "
            f"'{mended(recipe, [technique]).name}' has it at half its strength."
        )
    return (
        f"Show it to every class alike, anew each time: '{mended(recipe, [technique]).name}' has "
        "scope: all and augmentation: fresh."
    )


def mended(recipe: Recipe, marks: Sequence[str]) -> Recipe:
    """Return the recipe with the change that keeps `marks`, names of techniques, from being marks.

    Every class sees them alike and anew; where that is so already, they are at half their strength.
    """
    if recipe.scope != "all":
        change: dict[str, Any] = {"scope": "all", "augmentation": "fresh"}
        return recipe.model_copy(update={"name": f"{recipe.name[:60]}-all", **change})
    specs = [
        weaken(technique, 0.5).spec
        if technique.name in marks and technique.function is None
        else spec
        for technique, spec in zip(recipe.resolved(), recipe.techniques, strict=True)
    ]
    return recipe.model_copy(
        update={"name": f"{recipe.name[:59]}-half", "techniques": tuple(specs)}
    )
