"""Seeds by need: looks at a growing number of seeds, with the error over all looks held.

A study begins with a family of recipes and the numbers of seeds at which it will be looked at.
What each look spends of the 5 % is fixed beforehand and stored in the ledger, so that neither
resuming nor more seeds nor more recipes win anything by chance:

- the planned looks of the first family spend four fifths of it, the first look the most;
- every later wish, looks beyond the plan or recipes that were not there at the beginning, gets half
  of what is left, and its verdicts ask for that much more;
- a look that can give no verdict, at one or two seeds, spends nothing, and a plan by which nothing
  has been spent may be changed at will.

A recipe stops when it is decided; when its upper bound leaves no hope of the margin; when the test
images (or draws) alone would keep it undecided; or when it would still be undecided at the last
planned look. Its intervals hold at all looks at once, so they hold at whichever it stops. Which
recipes run on depends on the figures at the look and on nothing else, so it is the same for any
number of jobs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import stdtrit  # Student's distribution

from equipoise.studies.inference import (
    LEVEL,
    UNCORRECTED,
    Difference,
    Nominal,
    Verdict,
    verdict,
)
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
    "nominal_by_look",
    "nominal_levels",
    "planned_looks",
    "seeds_due",
    "take_look",
]

AUTO = (3, 5, 7, 9)
# What share of LEVEL the planned looks of the first family spend.
_PLANNED = 0.8

# Two-sided: a recipe whose upper bound of 95 % is below the margin is given up.
_HOPE = 0.1

Reason = Literal[
    "decided", "no hope of the margin", "more test images", "more seeds than planned", "last look"
]


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

    @property
    def spent(self) -> float:
        """What all looks taken have spent."""
        return self.looks[-1].spent if self.looks else 0.0


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

    @property
    def most_seeds(self) -> int:
        """How many seeds a recipe may get."""
        return max((n for family in self.families for n in family.planned), default=AUTO[0])


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
    left, families = ledger.left, []
    for family in ledger.families:
        more = tuple(n for n in planned if n > family.planned[-1])
        if more:
            family = replace(family, planned=(*family.planned, *more))
            if family.spent > 0:
                left /= 2
                family = replace(family, level=family.level + left)
        families.append(family)
    known = {name for family in families for name in family.recipes}
    new = tuple(name for name in recipes if name not in known)
    if new:
        families.append(Family(new, tuple(planned), left / 2))
    # Who is decided stays so; all others of a family go on where it has further looks.
    longer = {n for f in families if f not in ledger.families for n in f.recipes}
    stays = tuple(s for s in ledger.stopped if s.recipe not in longer or s.reason == "decided")
    return Ledger(tuple(families), stays)


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


def nominal_levels(ledger: Ledger, recipes: Sequence[str], *, coming: bool = True) -> list[Nominal]:
    """Return with what chance of missing each recipe's intervals are made, for `differences`.

    Parameters
    ----------
    ledger : Ledger
    recipes : sequence of str
        The rows of a `FigureTable`. What is in no family (the baseline) is uncorrected.
    coming : bool
        Of the coming look, at the runs that `seeds_due` asks for; else of the last one that was
        taken. Of recipes that have stopped, it is the look at which they did.
    """
    due = seeds_due(ledger)
    found = {}
    for family in ledger.families:
        by_look, last = nominal_by_look(family), family.looks[-1:]
        for name in family.recipes:
            stands = not coming and last and due[name] > last[0].seeds
            found[name] = by_look[last[0].seeds if stands else due[name]]
    return [found.get(name, UNCORRECTED) for name in recipes]


def nominal_by_look(family: Family) -> dict[int, Nominal]:
    """Return the levels of a single comparison at each planned look of a family.

    At one that was taken and spent nothing they are as if it were the only one: it can give no
    verdict.
    """
    size, spending = len(family.recipes), dict(zip(family.planned, _spending(family), strict=True))
    once = Nominal(family.level, dunnett_level(family.level, size))
    counted = {seeds: spent for seeds, spent in spending.items() if spent > 0}
    alone = look_levels(counted, counted.values())
    together = look_levels(counted, [dunnett_level(spent, size) for spent in counted.values()])
    by_look = {n: Nominal(*at) for n, *at in zip(counted, alone, together, strict=True)}
    return {seeds: by_look.get(seeds, once) for seeds in spending}


def _spending(family: Family) -> list[float]:
    """Return what a family has spent by each of its planned looks.

    The first look spends twice as much as each of the others: most recipes stop there.
    """
    ahead = len(family.planned) - len(family.looks)
    parts = [1.0] * ahead
    if family.spent == 0 and ahead:
        parts[0] = 2.0
    unspent = family.level - family.spent
    coming = [family.spent + unspent * sum(parts[: i + 1]) / sum(parts) for i in range(ahead)]
    return [look.spent for look in family.looks] + coming


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
        seeds = _next(family)
        told = any(_said(found.get(name), margin) != "no verdict" for name in active)
        spent = _spending(family)[len(family.looks)] if told else family.spent
        family = replace(family, looks=(*family.looks, Look(seeds, spent)))
        families.append(family)
        for name in active:
            reason = _reason(found.get(name), margin, family)
            if reason is not None:
                stopped[name] = Stop(name, seeds, reason)
    return Ledger(tuple(families), tuple(stopped.values()))


def _reason(difference: Difference | None, margin: float, family: Family) -> Reason | None:
    """Return why a recipe of a family gets no seeds after the family's latest look, or None."""
    seeds, last = family.looks[-1].seeds, family.planned[-1]
    said = _said(difference, margin)
    if difference is not None and said == "undecided":
        if _upper(difference) < margin:
            return "no hope of the margin"
        level = nominal_by_look(family)[last].family
        if seeds < last and not _could_decide(difference, margin, 0.0, level):
            return "more test images"
        if seeds < last and not _could_decide(difference, margin, seeds / last, level):
            return "more seeds than planned"
    elif said != "no verdict":
        return "decided"
    return "last look" if seeds == last else None


def _said(difference: Difference | None, margin: float) -> Verdict:
    return "no verdict" if difference is None else verdict(difference, margin)


def _upper(difference: Difference) -> float:
    reach = -float(stdtrit(difference.degrees_of_freedom, _HOPE / 2))
    return difference.mean + reach * difference.standard_error


def _could_decide(difference: Difference, margin: float, left: float, level: float) -> bool:
    """Whether a look could decide at which only a share of the run part is left.

    By then the mean may have moved, in either direction, by one standard deviation of what the
    further runs would bring.
    """
    fixed = difference.draw_part + difference.image_part
    squared, uncertain = fixed + left * difference.run_part, difference.draw_part
    uncertain += left * difference.run_part
    moved = ((1 - left) * difference.run_part) ** 0.5
    reach = -float(stdtrit(_freedom(difference, squared, uncertain), level / 2))
    half = reach * squared**0.5
    far, near = abs(difference.mean) + moved, max(abs(difference.mean) - moved, 0.0)
    return far > half or near + half <= margin


def _freedom(difference: Difference, squared: float, uncertain: float) -> float:
    """Return Satterthwaite's degrees of freedom once less of a squared error is uncertain."""
    now = (difference.run_part + difference.draw_part) / difference.standard_error**2
    if uncertain <= 0:
        return float("inf")
    return difference.degrees_of_freedom * (now * squared / uncertain) ** 2
