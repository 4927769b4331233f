import numpy as np
import pytest
from scipy import stats

from equipoise.studies.standard_errors import (
    PRIOR_FREEDOM,
    drawn_together,
    moderated,
    of_differences,
    of_level,
)

ONE_DRAW = np.zeros(5, int)


def of_difference(figures, under, draws, overlap=0.0):
    """Of two recipes, given their difference under resamples."""
    resampled = np.stack([np.zeros_like(under), under], axis=1)
    (found,) = of_differences(figures, resampled, draws, overlap=overlap)
    return found


def _still(runs):
    """Test images that vary nothing."""
    return np.zeros((3, runs))


def test_with_two_recipes_and_endless_images_it_is_the_paired_t_test():
    figures = np.random.default_rng(0).normal(size=(2, 5))
    got = of_difference(figures, _still(5), ONE_DRAW)
    expected = stats.ttest_rel(figures[1], figures[0])
    assert got.p_value() == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert got.interval(0.05) == pytest.approx((interval.low, interval.high))
    assert (got.runs, got.draws, got.images) == pytest.approx((got.squared, 0, 0))


def test_nets_without_randomness_have_the_error_of_the_images():
    figures = np.array([[0.8, 0.8, 0.8], [0.83, 0.83, 0.83]])
    # Three runs that are one and the same see the same images.
    under = np.repeat(np.random.default_rng(0).normal(0.03, 0.02, (4000, 1)), 3, axis=1)
    got = of_difference(figures, under, np.zeros(3, int))
    assert got.squared**0.5 == pytest.approx(0.02, rel=0.05)
    assert got.freedom > 1e9
    assert got.images == pytest.approx(got.squared)
    assert got.p_value() == pytest.approx(2 * stats.norm.sf(1.5), abs=0.02)


def test_equal_differences_do_not_make_a_sure_one():
    # Each run reads its images with a noise of its own, and yet all differ by 1 point.
    under = np.random.default_rng(0).normal(0.01, 0.02, (4000, 3))
    figures = np.array([[0.80, 0.81, 0.79], [0.81, 0.82, 0.80]])
    got = of_difference(figures, under, np.zeros(3, int))
    assert got.squared == pytest.approx(0.9 * 0.02**2 / 3, rel=0.1)


def test_where_nothing_varies_there_is_no_error():
    got = of_difference(np.full((2, 3), 0.8), _still(3), np.zeros(3, int))
    assert np.isnan(got.p_value())
    assert np.isnan(got.interval(0.05)).all()


def test_one_run_has_no_error():
    got = of_difference(np.array([[0.8], [0.9]]), _still(1), np.zeros(1, int))
    assert got.mean == pytest.approx(0.1)
    assert np.isnan(got.squared)


def test_images_are_shared_by_runs_and_do_not_average_out():
    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(50_000, 1)), rng.normal(size=(50_000, 5))
    figures = np.stack([np.zeros(5), rng.normal(size=5)])
    got = of_difference(figures, 2 * shared + own, ONE_DRAW)
    variance = figures[1].var(ddof=1)
    assert got.images == pytest.approx(4, rel=0.05)
    # The images let runs differ by a variance of 1, which is part of that of the runs.
    assert got.squared == pytest.approx(4 + variance / 5, rel=0.05)


def test_runs_of_one_draw_count_as_one():
    rng = np.random.default_rng(2)
    draws = np.repeat(np.arange(4), 5)
    of_draw = rng.normal(size=4)[draws]
    figures = np.stack([np.zeros(20), of_draw + 0.01 * rng.normal(size=20)])
    got = of_difference(figures, _still(20), draws)
    means = figures[1].reshape(4, 5).mean(1)
    assert got.squared == pytest.approx(means.var(ddof=1) / 4)
    assert got.freedom == 3
    assert got.runs < 0.01 * got.draws


def test_draws_are_no_more_alike_than_their_runs_allow():
    rng = np.random.default_rng(3)
    figures = np.stack([np.zeros(10), np.tile([-2.0, -1, 0, 1, 2], 2) + 1e-3 * rng.normal(size=10)])
    got = of_difference(figures, _still(10), np.repeat([0, 1], 5))
    assert got.squared == pytest.approx(2.5 / 10, rel=0.01)  # of ten independent runs


def test_folds_share_training_images():
    figures = np.random.default_rng(4).normal(size=(2, 5))
    plain = of_difference(figures, _still(5), np.arange(5))
    got = of_difference(figures, _still(5), np.arange(5), 0.25)
    # Nadeau and Bengio: s²(1/5 + 1/4) in the place of s²/5.
    assert got.squared == pytest.approx(plain.squared * (0.2 + 0.25) / 0.2)
    assert got.freedom == plain.freedom


def test_resamples_without_a_meaning_do_not_count():
    under = np.random.default_rng(5).normal(size=(1000, 5))
    figures = np.random.default_rng(6).normal(size=(2, 5))
    spoiled = np.vstack([under, np.full((1, 5), np.nan)])
    assert of_difference(figures, spoiled, ONE_DRAW) == of_difference(figures, under, ONE_DRAW)


def test_what_few_images_explain_is_moderated_over_the_recipes():
    rng = np.random.default_rng(7)
    figures = rng.normal(size=(4, 3))
    scale = np.array([0.0, 1.0, 2.0, 9.0])[:, None]
    under = rng.normal(size=(20_000, 4, 1)) * scale + 0 * figures
    many = of_differences(figures, under, np.zeros(3, int))
    few = of_differences(figures, under, np.zeros(3, int), images=16)
    assert [e.images for e in many] == pytest.approx([1, 4, 81], rel=0.05)
    # Fifteen degrees of freedom of their own, fifteen of what they have in common.
    assert [e.images for e in few] == pytest.approx(
        [(own + (1 + 4 + 81) / 3) / 2 for own in (1, 4, 81)], rel=0.05
    )


def test_a_level_is_its_own_runs():
    values = np.array([0.7, 0.72, 0.75, 0.71, 0.74])
    got = of_level(values, _still(5), ONE_DRAW, 0.0)
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert got.interval(0.05) == pytest.approx((low, high))


def _centred(figures):
    figures = np.asarray(figures, float)
    return figures - figures.mean(1, keepdims=True)


def test_with_two_recipes_a_difference_keeps_its_own_variance():
    figures = np.random.default_rng(0).normal(size=(2, 4))
    got = moderated(_centred(figures), 3)
    assert got.variances[0] == pytest.approx(np.var(figures[1] - figures[0], ddof=1), abs=1e-12)
    assert got.freedom == 3


def test_smyths_formula_by_hand():
    # Three recipes, three runs. Residuals of recipe and run effects by hand.
    figures = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 5.0], [0.0, 5.0, 1.0]])
    residuals = figures - figures.mean(1, keepdims=True) - figures.mean(0) + figures.mean()
    common = 2 * (residuals**2).sum() / 4  # (3 - 1)(3 - 1) degrees of freedom
    own = np.var([1.0, 0.0, 2.0], ddof=1)
    got = moderated(_centred(figures), 2)
    # The prior has no more than the residuals' degrees of freedom less the difference's own.
    assert got.variances[0] == pytest.approx((2 * common + 2 * own) / 4)
    assert got.freedom == 4


def test_the_prior_counts_no_more_than_it_may():
    figures = np.random.default_rng(1).normal(size=(12, 9))
    assert moderated(_centred(figures), 8).freedom == PRIOR_FREEDOM + 8


def test_what_runs_have_in_common_does_not_count():
    rng = np.random.default_rng(2)
    figures = rng.normal(size=(2000, 5, 4))  # variance 1, so 2 of a difference
    drawn = np.array([moderated(_centred(study), 3).variances[0] for study in figures])
    assert drawn.mean() == pytest.approx(2, rel=0.05)
    for study, before in zip(figures[:5], drawn[:5], strict=True):
        shifted = study + np.array([0.0, 10, -5, 3])
        assert moderated(_centred(shifted), 3).variances[0] == pytest.approx(before)


def test_one_run_has_no_spread():
    got = moderated(np.zeros((3, 1)), 0)
    assert np.isnan(got.variances).all()
    assert got.freedom == 0


def test_variances_are_drawn_together_the_more_the_less_is_known_of_each():
    variances = np.array([1.0, 3.0, 5.0])
    assert drawn_together(variances, np.inf) == pytest.approx(variances)
    assert drawn_together(variances, PRIOR_FREEDOM) == pytest.approx([2, 3, 4])
    assert drawn_together(variances[:1], 1.0) == pytest.approx([1])
