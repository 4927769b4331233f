from dataclasses import replace

import numpy as np
import pytest

from equipoise.studies.inference import LEVEL, Difference, FigureTable, differences, verdict
from equipoise.studies.multiplicity import dunnett_level
from equipoise.studies.sequential import (
    Ledger,
    begin,
    extend,
    nominal_by_look,
    nominal_levels,
    planned_looks,
    seeds_due,
    take_look,
)

MARGIN = 0.01


def _difference(mean, error=0.002, images=0.0, nominal=None, freedom=50.0, seeds=3):
    """A difference with this share of its squared error due to test images."""
    reach = 3 * error
    return Difference(
        mean=mean, standard_error=error, degrees_of_freedom=freedom,
        low=mean - 2 * error, high=mean + 2 * error,
        family_low=mean - reach, family_high=mean + reach, p=0.5, p_family=0.5,
        run_part=error**2 * (1 - images), draw_part=0.0, image_part=error**2 * images,
        seeds=seeds, draws=1, values=(),
    )  # fmt: skip


def _stops(ledger):
    return {stop.recipe: (stop.seeds, stop.reason) for stop in ledger.stopped}


def test_looks_are_planned():
    assert planned_looks("auto") == (3, 5, 7, 9)
    assert planned_looks("auto", 6) == (3, 5, 6)
    assert planned_looks("auto", 3) == (3,)
    assert planned_looks("auto", 15) == (3, 5, 7, 9, 15)
    assert planned_looks(4) == (4,)


def test_one_look_has_dunnetts_level():
    ledger = begin(["a", "b", "c"], (3,))
    (family,) = ledger.families
    assert ledger.left == pytest.approx(LEVEL - family.level)
    base, a, *_ = nominal_levels(ledger, ["none", "a", "b", "c"])
    assert base.family == LEVEL
    assert a.alone == family.level
    assert a.family == pytest.approx(dunnett_level(family.level, 3))


def test_all_recipes_get_the_first_look_and_those_undecided_the_next():
    ledger = begin(["up", "down", "even", "open"], planned_looks("auto"))
    assert seeds_due(ledger) == {"up": 3, "down": 3, "even": 3, "open": 3}
    found = {
        "up": _difference(0.02),
        "down": _difference(-0.02),
        "even": _difference(0.0),
        "open": _difference(0.005, error=0.004),
    }
    ledger = take_look(ledger, found, MARGIN)
    assert seeds_due(ledger) == {"up": 3, "down": 3, "even": 3, "open": 5}
    assert _stops(ledger) == dict.fromkeys(["up", "down", "even"], (3, "decided"))
    # At the next look what has stopped counts with the level of the look it stopped at.
    levels = nominal_levels(ledger, ["up", "open"])
    by_look = nominal_by_look(ledger.families[0])
    assert levels == [by_look[3], by_look[5]]


def test_without_hope_of_the_margin_a_recipe_stops():
    # Up to 0.004 is still possible, and a loss of more than the margin too.
    ledger = take_look(begin(["a"], (3, 5)), {"a": _difference(-0.004, 0.0045)}, MARGIN)
    assert _stops(ledger) == {"a": (3, "no hope of the margin")}


def test_seeds_that_cannot_help_are_not_made():
    much = _difference(0.01, error=0.02, images=0.95)
    ledger = take_look(begin(["a"], (3, 5)), {"a": much}, MARGIN)
    assert _stops(ledger) == {"a": (3, "more test images")}
    # Endless seeds would decide it, five will not.
    some = _difference(0.003, error=0.01, images=0.0)
    ledger = take_look(begin(["a"], (3, 5)), {"a": some}, MARGIN)
    assert _stops(ledger) == {"a": (3, "more seeds than planned")}
    assert _stops(take_look(begin(["a"], (3, 30)), {"a": some}, MARGIN)) == {}


def test_the_last_look_ends_it():
    ledger = begin(["a"], (3, 5))
    for seeds in (3, 5):
        assert seeds_due(ledger) == {"a": seeds}
        ledger = take_look(ledger, {"a": _difference(0.0065, 0.0022, seeds=seeds)}, MARGIN)
    assert _stops(ledger) == {"a": (5, "last look")}
    assert seeds_due(ledger) == {"a": 5}
    assert take_look(ledger, {}, MARGIN) == ledger


def test_two_seeds_decide_nothing():
    ledger = take_look(begin(["a"], (2,)), {"a": _difference(0.1, seeds=2)}, MARGIN)
    assert _stops(ledger) == {"a": (2, "last look")}
    ledger = take_look(begin(["a"], (2,)), {"a": None}, MARGIN)
    assert _stops(ledger) == {"a": (2, "last look")}


def test_a_look_without_a_verdict_spends_nothing():
    ledger = take_look(begin(["a", "b"], (2,)), {"a": _difference(0.1, seeds=2)}, MARGIN)
    (family,) = ledger.families
    assert family.spent == 0
    # Five seeds after two are what five at once are.
    longer = extend(ledger, ["a", "b"], (5,))
    assert seeds_due(longer) == {"a": 5, "b": 5}
    at_once = begin(["a", "b"], (5,))
    assert longer.left == at_once.left
    assert nominal_levels(longer, ["a"]) == nominal_levels(at_once, ["a"])


def test_a_plan_by_which_nothing_was_looked_at_may_be_changed():
    longer = extend(begin(["a"], (3,)), ["a"], planned_looks("auto"))
    assert longer == begin(["a"], planned_looks("auto"))


def test_between_two_looks_the_last_one_stands():
    ledger = begin(["a", "b"], (3, 5))
    by_look = nominal_by_look(ledger.families[0])
    assert nominal_levels(ledger, ["a"], coming=False) == [by_look[3]]
    found = {"a": _difference(0.0065, 0.0022), "b": _difference(0.1)}
    ledger = take_look(ledger, found, MARGIN)
    assert nominal_levels(ledger, ["a", "b"], coming=True) == [by_look[5], by_look[3]]
    assert nominal_levels(ledger, ["a", "b"], coming=False) == [by_look[3], by_look[3]]


def _looked(ledger, mean=0.0065):
    """All planned looks, with nothing decided."""
    while True:
        due = seeds_due(ledger)
        found = {name: _difference(mean, 0.0022, seeds=n) for name, n in due.items()}
        ledger = take_look(ledger, found, MARGIN)
        if seeds_due(ledger) == due:
            return ledger


def test_asking_for_the_same_again_changes_nothing():
    for ledger in (begin(["a", "b"], (3, 5)), _looked(begin(["a", "b"], (3, 5)))):
        assert extend(ledger, ["a", "b"], (3, 5)) == ledger
        assert extend(ledger, ["a"], (3,)) == ledger


def test_more_seeds_are_a_further_look_and_spend_half_of_what_is_left():
    ledger = _looked(begin(["a", "b"], (3,)))
    longer = extend(ledger, ["a", "b"], (5,))
    assert seeds_due(longer) == {"a": 5, "b": 5}
    assert longer.left == pytest.approx(ledger.left / 2)
    first, second = nominal_by_look(longer.families[0]).values()
    assert first == nominal_by_look(ledger.families[0])[3]  # what was spent stays spent
    assert second.alone < first.alone
    # However often it is asked, it never comes to more than LEVEL.
    for seeds in range(6, 11):
        longer = extend(_looked(longer), ["a", "b"], (seeds,))
        assert longer.left > 0
    assert longer.families[0].level < LEVEL


def test_who_is_decided_stays_so_and_who_was_given_up_gets_another_chance():
    found = {"up": _difference(0.02), "no": _difference(-0.004, 0.0045)}
    ledger = take_look(begin(["up", "no"], (3,)), found, MARGIN)
    longer = extend(ledger, ["up", "no"], (9,))
    assert seeds_due(longer) == {"up": 3, "no": 9}


def test_recipes_that_come_later_are_a_family_of_their_own():
    ledger = _looked(begin(["a", "b"], (3,)))
    wider = extend(ledger, ["a", "b", "c"], (3,))
    assert wider.families[0] == ledger.families[0]
    assert wider.families[1].recipes == ("c",)
    assert seeds_due(wider) == {"a": 3, "b": 3, "c": 3}
    assert nominal_levels(wider, ["a"]) == nominal_levels(ledger, ["a"])
    assert nominal_levels(wider, ["c"])[0].family == pytest.approx(ledger.left / 2)
    # One after the other until one works: together they never spend more than LEVEL.
    for number in range(30):
        wider = extend(_looked(wider), [f"more{number}"], (3,))
    assert sum(family.level for family in wider.families) < LEVEL


def test_a_look_that_was_broken_off_is_taken_when_its_runs_are_there():
    ledger = take_look(begin(["a"], (3, 5)), {"a": _difference(0.0065, 0.0022)}, MARGIN)
    # Nothing but looks changes a ledger, so gone on with it is what it was.
    assert extend(ledger, ["a"], (3, 5)) == ledger
    assert seeds_due(ledger) == {"a": 5}


@pytest.mark.parametrize("recipes", [2, 6])
def test_intervals_hold_at_whatever_look_a_recipe_stops(recipes):
    """Coverage of simulated studies: runs vary by 1 point, images by half of one."""
    rng, studies, missed = np.random.default_rng(recipes), 200, 0
    names = [str(n) for n in range(recipes)]
    for _ in range(studies):
        shift = 0.005 * rng.normal(size=(recipes, 1))
        values = 0.01 * rng.normal(size=(recipes, 9)) + shift
        under = 0.005 * rng.normal(size=(100, recipes, 1))
        whole = FigureTable(values, values + under, np.arange(9), np.zeros(9, int), (-1.0, 1.0))
        ledger = begin(names[1:], planned_looks("auto"))
        missed += not _all_hold(ledger, whole, names)
    share = missed / studies
    assert share < 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5


def _all_hold(ledger: Ledger, whole: FigureTable, names) -> bool:
    while True:
        due = seeds_due(ledger)
        values = whole.values.copy()
        for row, name in enumerate(names[1:], start=1):
            values[row, due[name] :] = np.nan
        values[0, max(due.values()) :] = np.nan
        found = differences(replace(whole, values=values), nominal=nominal_levels(ledger, names))
        ledger = take_look(ledger, dict(zip(names, found, strict=True)), MARGIN)
        if seeds_due(ledger) == due:
            decided = {stop.recipe for stop in ledger.stopped if stop.reason == "decided"}
            said = dict(zip(names[1:], (verdict(d, MARGIN) for d in found[1:]), strict=True))
            assert decided == {name for name, answer in said.items() if answer != "undecided"}
            return all(d.family_low <= 0 <= d.family_high for d in found[1:])
