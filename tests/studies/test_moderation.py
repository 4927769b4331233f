import numpy as np
import pytest

from equipoise.studies.standard_errors import PRIOR_FREEDOM, drawn_together, moderated


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
