"""A short form of benchmarks/verdicts.py; the long one is published in docs/results/verdicts.md."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def _judged(make, world, studies):
    from verdict_page import cell

    sets = [make(world, number, studies // 4) for number in range(4)]
    for said in sets:
        said["truth"] = np.repeat(said["truth"][None], studies // 4, axis=0)
    joined = {name: np.concatenate([said[name] for said in sets]) for name in sets[0]}
    return {name: cell(world, joined, name) for name in joined if "x" in name}


@pytest.mark.parametrize("kind", ["nothing", "thresholds", "population"])
def test_intervals_hold_and_nothing_is_found_where_nothing_is(kind):
    from simulated_studies import World
    from verdicts import simulated

    studies = 120
    found = _judged(simulated, World(kind, 2, 2000, recipes=5), studies)
    assert set(found) == {"2x3", "2x5", "2xauto", "5x3", "5x5", "5xauto"}
    for cell in found.values():
        assert cell.single.value > 0.95 - 3 * (0.05 * 0.95 / studies) ** 0.5
        assert cell.family.value > 0.95 - 3 * (0.05 * 0.95 / studies) ** 0.5
        assert cell.false.value < 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
    # Where nothing can be found, seeds by need do not look for it for long.
    assert found["5xauto"].runs < 20


def test_what_helps_is_found():
    from simulated_studies import World
    from verdicts import simulated

    found = _judged(simulated, World("gain", 2, 2000, 0.04, recipes=5), 120)
    assert found["5x3"].power.value > 0.7
    assert found["5xauto"].power.value > 0.85
    assert found["5xauto"].runs < 25
    assert found["5x3"].power.value < found["5x3"].ceiling + 0.05


def test_evaluate_is_right_too():
    from verdicts_evaluated import EVALUATED, evaluated

    world = replace(EVALUATED[-1], images=400, recipes=5, seeds=3, gain=0.08)
    (cell,) = _judged(evaluated, world, 20).values()
    assert cell.single.value > 0.85
    assert cell.family.value >= 0.8
    assert cell.false.value <= 0.15
    assert cell.power.value > 0.3
