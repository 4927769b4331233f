from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from equipoise.studies.inference import (
    LEVEL,
    UNCORRECTED,
    FigureTable,
    Nominal,
    differences,
    levels,
    verdict,
)
from equipoise.studies.multiplicity import dunnett_level


def _table(figures, images=0.01, bounds=(0.0, 1.0), seed=0):
    """A study with one draw; images of this standard deviation."""
    values = np.asarray(figures, float)
    noise = np.random.default_rng(seed).normal(size=(500, len(values), 1))
    runs = values.shape[1]
    seeds, draws = np.arange(runs), np.zeros(runs, int)
    return FigureTable(values, values + images * noise, seeds, draws, bounds)


def _runs(recipes, runs, spread=0.01, seed=0):
    return np.random.default_rng(seed).normal(0.8, spread, (recipes, runs))


def test_intervals_and_p_values_agree():
    for seed in range(20):
        for d in differences(_table(_runs(5, 3, seed=seed), seed=seed))[1:]:
            assert (d.p < LEVEL) == (d.low > 0 or d.high < 0)
            assert (d.p_family < LEVEL) == (d.family_low > 0 or d.family_high < 0)
            assert d.family_low < d.low < d.mean < d.high < d.family_high
            assert d.run_part + d.draw_part + d.image_part == pytest.approx(d.standard_error**2)


def test_the_ends_are_students_at_the_level_asked_for():
    table = _table(_runs(3, 4))
    found = differences(table, nominal=[UNCORRECTED, Nominal(0.01, 0.002), UNCORRECTED])
    d = found[1]
    for level, low in ((0.01, d.low), (0.002, d.family_low)):
        reach = stats.t.isf(level / 2, d.degrees_of_freedom) * d.standard_error
        assert low == pytest.approx(d.mean - reach)
    assert (found[2].low, found[2].p) == (found[2].family_low, found[2].p_family)
    assert differences(table)[1].family_low == pytest.approx(
        d.mean - stats.t.isf(dunnett_level(0.05, 2) / 2, d.degrees_of_freedom) * d.standard_error
    )


def test_a_recipe_is_compared_on_the_runs_that_both_have():
    figures = _runs(4, 5)
    cut = figures.copy()
    cut[2, 3:] = np.nan
    found = differences(_table(cut))
    assert found[2].seeds == 3
    assert found[2].values == pytest.approx(figures[2, :3] - figures[0, :3])
    # What it says is what it said when all had three runs; the others' later runs change nothing.
    # (The correction is for as many recipes, and the resamples are the same.)
    assert found[2] == differences(_table(figures[:, :3]))[2]


def test_a_recipe_without_a_common_run_has_no_difference():
    figures = _runs(3, 4)
    figures[1, :2], figures[0, 2:] = np.nan, np.nan
    found = differences(_table(figures))
    assert found[0] is None
    assert found[1] is None
    assert found[2].seeds == 2


def test_moderation_makes_few_runs_say_more():
    figures = _runs(12, 3)
    together = differences(_table(figures, images=1e-6), nominal=[UNCORRECTED] * 12)[1]
    alone = differences(_table(figures[:2], images=1e-6), nominal=[UNCORRECTED] * 2)[1]
    assert alone.degrees_of_freedom == pytest.approx(2, rel=1e-3)
    assert together.degrees_of_freedom == pytest.approx(17, rel=1e-3)


def test_a_difference_stays_within_what_is_possible():
    found = differences(_table([[0.02, 0.01, 0.5], [0.9, 0.99, 0.5]], images=0.3))[1]
    assert found.high == 1.0
    assert found.low > -1.0
    wider = _table([[-0.9, 0.9, -0.9], [0.9, 0.9, -0.9]], images=0.5, bounds=(-1.0, 1.0))
    assert differences(wider)[1].high == 2.0
    cost = _table([[1.0, 9.0, 4.0], [40.0, 2.0, 5.0]], images=0.5, bounds=(0.0, np.inf))
    assert np.isfinite([differences(cost)[1].low, differences(cost)[1].high]).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.009, 0.009, "no difference that matters"),
        (0.001, 0.009, "no difference that matters"),  # even where zero is excluded
        (0.001, 0.03, "better"),
        (-0.03, -0.001, "worse"),
        (-0.009, 0.011, "undecided"),
        (-0.03, 0.03, "undecided"),
        (np.nan, np.nan, "no verdict"),
    ],
)
def test_four_answers(low, high, expected):
    d = replace(differences(_table(_runs(2, 3)))[1], family_low=low, family_high=high)
    assert verdict(d, 0.01) == expected
    turned = {"better": "worse", "worse": "better"}.get(expected, expected)
    assert verdict(d, 0.01, higher_is_better=False) == turned


def test_two_seeds_give_figures_and_no_verdict():
    sure = _table([[0.5, 0.51], [0.9, 0.911], [0.9, 0.91]], images=1e-4)
    found = differences(sure)[1]
    assert found.low > 0
    assert verdict(found, 0.01) == "no verdict"
    # Three folds do, with one seed each.
    folds = replace(
        _table([[0.5, 0.51, 0.52], [0.9, 0.912, 0.921]], images=1e-4),
        seeds=np.zeros(3, int),
        draws=np.arange(3),
    )
    assert verdict(differences(folds)[1], 0.01) == "better"


def test_levels_stay_between_0_and_100_percent():
    found = levels(_table([[0.97, 0.99, 0.98], [0.02, 0.05, 0.01], [0.5, 0.5, 0.5]], images=0.02))
    for level in found:
        assert 0 < level.low < level.mean < level.high < 1
    assert found[0].mean - found[0].low > found[0].high - found[0].mean
    # Half-way, where the scale is straight, they are Student's with the images' error.
    assert found[2].high - 0.5 == pytest.approx(1.96 * 0.02, rel=0.1)


def test_a_level_of_100_percent_is_worth_its_images():
    perfect = _table([[1.0, 1.0, 1.0]], images=0.0)
    assert np.isnan(levels(perfect)[0].low)
    found = levels(replace(perfect, images=20))[0]
    assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    none = levels(replace(_table([[0.0, 0.0, 0.0]], images=0.0), images=20))[0]
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))


def test_levels_and_differences_of_one_run_have_no_interval():
    table = _table(_runs(2, 1))
    assert np.isnan(levels(table)[0].low)
    d = differences(table)[1]
    assert np.isnan([d.low, d.family_high, d.p, d.standard_error]).all()
    assert verdict(d, 0.01) == "no verdict"
