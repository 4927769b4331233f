"""Seeds by need: looks at a growing number of seeds, with the error over all looks held.

A study begins with a family of recipes and the numbers of seeds at which it will be looked at.
What each look spends of the 5 % is fixed beforehand and stored in the ledger, so that neither
resuming nor more seeds nor more recipes win anything by chance:

- the planned looks of the first family spend four fifths of it, the first look the most;
- every later wish, looks beyond the plan or recipes that were not there at the beginning, gets half
  of what is left, and its verdicts ask for that much more.

A recipe stops when it is decided; when its upper bound leaves no hope of the margin; or when the
test images alone would keep it undecided. Which recipes run on depends on the figures at the look
and on nothing else, so it is the same for any number of jobs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from equipoise.studies.inference import LEVEL, Difference, verdict
from equipoise.studies.multiplicity import dunnett_level, look_levels

__all__ = [
    "AUTO",
    "Family",
    "Ledger",
    "Look",
    "Reason",
    "Stop",
    "begin",
    "extend",
    "nominal_levels",
    "planned_looks",
    "seeds_due",
    "take_look",
]

AUTO = (3, 5, 7, 9)
# What the planned looks of the first family spend together, of LEVEL.
_PLANNED = 0.8

Reason = Literal["decided", "no hope of the margin", "more test images", "last look"]


@dataclass(frozen=True)
class Look:
    """A look that was taken: at how many seeds, and what has been spent by then."""

    seeds: int
    spent: float


@dataclass(frozen=True)
class Family:
    """Recipes that are judged together.

    Attributes
    ----------
    recipes : tuple of str
        Fixed when the family begins; without the baseline.
    planned : tuple of int
        The seeds at each look, taken ones included.
    level : float
        What all planned looks spend.
    looks : tuple of Look
        Those taken.
    """

    recipes: tuple[str, ...]
    planned: tuple[int, ...]
    level: float
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class Stop:
    """A recipe that gets no more seeds: after how many, and why."""

    recipe: str
    seeds: int
    reason: Reason


@dataclass(frozen=True)
class Ledger:
    """What a study has spent, and who has stopped. Plain data, stored with the study."""

    families: tuple[Family, ...]
    stopped: tuple[Stop, ...] = ()

    @property
    def left(self) -> float:
        """What no plan has claimed."""
        return LEVEL - sum(family.level for family in self.families)


def planned_looks(seeds: int | Literal["auto"], most: int = AUTO[-1]) -> tuple[int, ...]:
    """Return the numbers of seeds at which a study is looked at."""
    if seeds != "auto":
        return (seeds,)
    return (*(n for n in AUTO if n < most), most)


def begin(recipes: Sequence[str], planned: Sequence[int]) -> Ledger:
    """Return the ledger of a new study.

    Parameters
    ----------
    recipes : sequence of str
        Without the baseline.
    planned : sequence of int
        Of `planned_looks`.
    """
    return Ledger((Family(tuple(recipes), tuple(planned), _PLANNED * LEVEL),))


def extend(ledger: Ledger, recipes: Sequence[str], planned: Sequence[int]) -> Ledger:
    """Return the ledger of a study that is asked for again, perhaps for more.

    Parameters
    ----------
    ledger : Ledger
    recipes : sequence of str
        All that are asked for, without the baseline. Those that are new become a family.
    planned : sequence of int
        Looks beyond the last planned one are added to every family.
    """
    families: list[Family] = []
    grown: set[str] = set()
    for family in ledger.families:
        more = tuple(n for n in planned if n > family.planned[-1])
        if more:
            level = family.level + ledger.left / 2
            family = replace(family, planned=family.planned + more, level=level)
            grown |= set(family.recipes)
        families.append(family)
        ledger = replace(ledger, families=(*families, *ledger.families[len(families) :]))
    known = {name for family in families for name in family.recipes}
    new = tuple(name for name in recipes if name not in known)
    if new:
        ledger = replace(ledger, families=(*families, Family(new, tuple(planned), ledger.left / 2)))
    still = tuple(s for s in ledger.stopped if s.reason != "last look" or s.recipe not in grown)
    return replace(ledger, stopped=still)


def seeds_due(ledger: Ledger) -> dict[str, int]:
    """Return how many seeds each recipe is to have before the next look.

    A recipe that has stopped keeps those it has. The baseline needs as many as the largest of
    them. When this is what the study already has, it is finished.
    """
    stopped = {stop.recipe: stop.seeds for stop in ledger.stopped}
    return {
        name: stopped.get(name, _next(family))
        for family in ledger.families
        for name in family.recipes
    }


def _next(family: Family) -> int:
    return family.planned[min(len(family.looks), len(family.planned) - 1)]


def nominal_levels(ledger: Ledger, recipes: Sequence[str]) -> list[float]:
    """Return the level of a single comparison for each recipe at its last (or the coming) look.

    Parameters
    ----------
    ledger : Ledger
    recipes : sequence of str
        The rows of a `FigureTable`. The baseline, which is in no family, gets `LEVEL`.
    """
    found = {name: _levels(family) for family in ledger.families for name in family.recipes}
    stopped = {stop.recipe: stop.seeds for stop in ledger.stopped}
    due = seeds_due(ledger)
    return [
        found[name][stopped.get(name, due[name])] if name in found else LEVEL for name in recipes
    ]


def _levels(family: Family) -> dict[int, float]:
    """Return the level of a single comparison at each planned look of a family."""
    spent = [dunnett_level(s, len(family.recipes)) for s in _spending(family)]
    return dict(zip(family.planned, look_levels(family.planned, spent), strict=True))


def _spending(family: Family) -> list[float]:
    """Return what a family has spent by each of its planned looks."""
    done = [look.spent for look in family.looks]
    ahead = len(family.planned) - len(done)
    before = done[-1] if done else 0.0
    step = (family.level - before) / ahead if ahead else 0.0
    return done + [before + step * (i + 1) for i in range(ahead)]


def take_look(ledger: Ledger, found: Mapping[str, Difference | None], margin: float) -> Ledger:
    """Return the ledger after a look at the runs that were due.

    Parameters
    ----------
    ledger : Ledger
    found : mapping of recipe to Difference
        With `nominal_levels` of the ledger before the look, in the objective's sense (higher is
        better).
    margin : float
    """
    stopped = {stop.recipe: stop for stop in ledger.stopped}
    families = []
    for family in ledger.families:
        active = [name for name in family.recipes if name not in stopped]
        if not active or len(family.looks) == len(family.planned):
            families.append(family)
            continue
        seeds, last = _next(family), len(family.looks) + 1 == len(family.planned)
        look = Look(seeds, _spending(family)[len(family.looks)])
        families.append(replace(family, looks=(*family.looks, look)))
        for name in active:
            reason = _reason(found.get(name), margin, last)
            if reason is not None:
                stopped[name] = Stop(name, seeds, reason)
    return Ledger(tuple(families), tuple(stopped.values()))


def _reason(difference: Difference | None, margin: float, last: bool) -> Reason | None:
    if difference is not None:
        if verdict(difference, margin) in ("better", "worse", "no difference that matters"):
            return "decided"
        if difference.high < margin:
            return "no hope of the margin"
    return "last look" if last else None
