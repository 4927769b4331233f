import numpy as np
import pytest
from scipy import stats

from equipoise.studies.multiplicity import dunnett_level, look_levels


def _critical(level):
    return stats.norm.isf(level / 2)


# Dunnett, "New tables for multiple comparisons with a control", Biometrics 20, 1964: two-sided 5 %,
# infinitely many degrees of freedom.
@pytest.mark.parametrize(
    ("members", "critical"), [(1, 1.96), (2, 2.21), (3, 2.35), (4, 2.44), (5, 2.51), (9, 2.69)]
)
def test_dunnetts_table(members, critical):
    assert _critical(dunnett_level(0.05, members)) == pytest.approx(critical, abs=0.006)


def test_dunnett_agrees_with_scipy():
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=4000) for _ in range(5)]
    groups[1] += 0.05
    found = stats.dunnett(*groups[1:], control=groups[0], rng=np.random.default_rng(1))
    for statistic, p in zip(found.statistic, found.pvalue, strict=True):
        alone = 2 * stats.norm.sf(abs(statistic))
        # The level of a single comparison is p alone where that of all is p of the family.
        assert dunnett_level(p, 4) == pytest.approx(alone, abs=0.004)


def test_a_family_of_one_needs_no_correction():
    assert dunnett_level(0.03, 1) == 0.03
    assert dunnett_level(0.03, 0) == 0.03


# Pocock, Biometrika 64, 1977, and O'Brien and Fleming, Biometrics 35, 1979: two looks, 5 %.
@pytest.mark.parametrize("critical", [(2.178, 2.178), (2.797, 1.977)])
def test_two_looks_of_the_literature(critical):
    first = 2 * stats.norm.sf(critical[0])
    levels = look_levels([1, 2], [first, 0.05])
    assert [_critical(level) for level in levels] == pytest.approx(critical, abs=0.002)


def test_looks_spend_what_they_are_to_spend():
    seeds, spent = [3, 5, 7, 9], [0.016, 0.024, 0.032, 0.04]
    steps = np.sqrt(np.diff([0, *seeds]))
    paths = np.cumsum(np.random.default_rng(0).normal(size=(400_000, 4)) * steps, axis=1)
    statistics = np.abs(paths) / np.sqrt(seeds)
    beyond = statistics > _critical(np.array(look_levels(seeds, spent)))
    by_then = np.maximum.accumulate(beyond, axis=1).mean(0)
    assert by_then == pytest.approx(spent, abs=0.001)


def test_one_look_spends_all():
    assert look_levels([3], [0.04]) == [0.04]
