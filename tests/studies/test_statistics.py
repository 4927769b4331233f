import numpy as np
import pytest
from scipy import stats

from equipoise.studies.statistics import (
    estimate,
    gated,
    holm,
    mean_ranks,
    p_value,
    paired,
    ratio,
    runs_needed,
    verdict,
)


def test_interval_is_students():
    values = [0.70, 0.74, 0.71]
    got = estimate(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (got.low, got.high) == pytest.approx((low, high), abs=1e-12)


def test_interval_covers_its_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [
        e.low <= 0.3 <= e.high for e in (estimate(rng.normal(0.3, 0.1, 4)) for _ in range(2000))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_the_wider_of_student_and_bootstrap_counts_from_five_runs_on():
    wide = np.random.default_rng(0).normal(0.5, 0.2, 1000)
    few, many = [0.5, 0.51, 0.49], [0.5, 0.51, 0.49, 0.5, 0.5]
    assert estimate(few, wide) == estimate(few)
    assert estimate(many, wide).low == pytest.approx(np.quantile(wide, 0.025))
    assert estimate(many, np.full(1000, 0.5)) == estimate(many)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1], "one run: no verdict"),
        ([0.10, 0.11, 0.12], "higher"),
        ([-0.10, -0.11, -0.12], "lower"),
        ([-0.10, 0.11, 0.02], "no difference shown"),
        ([float("nan"), 0.1, 0.1], "no difference shown"),
    ],
)
def test_verdicts(values, words):
    assert verdict(estimate(values)) == words


def test_pairs_are_taken_run_by_run():
    assert paired([3.0, 5.0], [1.0, 2.0]) == (2.0, 3.0)


def test_holm_by_hand():
    # Sorted: 0.01, 0.02, 0.03, 0.5, times 4, 3, 2, 1, never below the one before.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    corrected = holm([0.02, float("nan")])
    assert corrected[0] == pytest.approx(0.02)
    assert np.isnan(corrected[1])


def test_further_families_are_gated_by_the_first():
    first, second = gated([[0.03, 0.01], [0.001, 0.04, float("nan")]])
    assert first == pytest.approx([0.03, 0.02])
    assert second[:2] == pytest.approx([0.02, 0.04])
    assert np.isnan(second[2])
    assert gated([[float("nan")], [0.001]])[1] == [1.0]
    assert gated([[], []]) == [[], []]


def test_p_value_is_the_paired_t_tests():
    a, b = [0.70, 0.74, 0.71, 0.75], [0.69, 0.70, 0.70, 0.71]
    assert p_value(paired(a, b)) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=1e-12)
    assert p_value([0.0, 0.0]) == 1.0
    assert np.isnan(p_value([0.1]))


def test_runs_needed_have_the_power_they_promise():
    seen = [0.02, 0.00, 0.03, 0.01]
    needed = runs_needed(seen)
    rng = np.random.default_rng(0)
    drawn = rng.normal(np.mean(seen), np.std(seen, ddof=1), (4000, needed))
    power = (stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05).mean()
    assert 0.79 < power < 0.97  # a whole number of runs: at least, and little more
    assert runs_needed(seen, comparisons=17) > needed
    assert runs_needed([0.1]) is None
    assert runs_needed([0.1, -0.1]) is None


def test_ties_share_their_rank():
    assert mean_ranks([[0.9, 0.8], [0.7, 0.8], [0.5, 0.1]], True) == [1.25, 1.75, 3.0]
    assert mean_ranks([[0.9, 0.8], [0.7, 0.7]], False) == [2.0, 1.0]


def test_overlapping_runs_have_nadeau_and_bengios_variance():
    values, share = [0.02, 0.05, 0.01, 0.04, 0.03], 0.25
    got = estimate(values, overlap=share)
    error = np.std(values, ddof=1) * np.sqrt(1 / 5 + share)
    assert got.high - got.mean == pytest.approx(stats.t.ppf(0.975, 4) * error, abs=1e-12)
    statistic = np.mean(values) / error
    assert p_value(values, share) == pytest.approx(2 * stats.t.sf(statistic, 4), abs=1e-12)
    assert runs_needed(values, overlap=share) > runs_needed(values)
    # What runs have in common does not average out.
    assert runs_needed([0.02, -0.01, 0.03], overlap=share) is None


def test_the_verdict_on_overlapping_runs_is_that_of_their_p_value():
    rng = np.random.default_rng(0)
    for values in rng.normal(0.5, 1, (200, 6)):
        shown = verdict(estimate(values, overlap=0.2)) != "no difference shown"
        assert shown == (p_value(values, 0.2) < 0.05)


def test_fiellers_interval_covers_the_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    spread = [[0.02**2, 0.6 * 0.02**2], [0.6 * 0.02**2, 0.02**2]]
    held, open_ended = [], 0
    for _ in range(2000):
        above, below = rng.multivariate_normal([0.04, 0.1], spread, 6).T
        share = ratio(above.tolist(), below.tolist())
        open_ended += np.isnan(share.low)
        held.append(np.isnan(share.low) or share.low <= 0.4 <= share.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)
    assert open_ended < 20


def test_a_ratio_to_nothing_has_no_interval():
    share = ratio([0.01, 0.02, 0.03], [0.01, -0.02, 0.02])
    assert np.isnan([share.low, share.high]).all()
    assert np.isnan(ratio([0.1], [0.2]).mean)
    exact = ratio([0.1, 0.11, 0.12], [0.2, 0.22, 0.24])
    assert (exact.mean, exact.low, exact.high) == pytest.approx((0.5, 0.5, 0.5))
