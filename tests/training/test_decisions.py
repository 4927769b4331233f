import numpy as np
import pytest
from scipy.special import softmax

from equipoise.objectives import Objective
from equipoise.training.decisions import Decision, plain

LOGITS = np.random.default_rng(0).normal(size=(50, 3))
GAINS = ((1.0, 0.0, 0.2), (0.0, 3.0, 0.0), (0.5, 0.0, 2.0))


def test_offsets_are_added_before_the_largest_is_taken():
    np.testing.assert_array_equal(plain(3).apply(LOGITS), LOGITS.argmax(1))
    moved = Decision((0.0, 1.5, -1.0))
    np.testing.assert_array_equal(moved.apply(LOGITS), (LOGITS + np.array([0, 1.5, -1])).argmax(1))


def test_with_gains_the_highest_to_be_expected_is_taken():
    got = Decision((0.1, 0.2, -0.3), gains=GAINS, scale=0.5).apply(LOGITS)
    expected = softmax(0.5 * (LOGITS + np.array([0.1, 0.2, -0.3])), axis=1) @ np.array(GAINS)
    np.testing.assert_array_equal(got, expected.argmax(1))


@pytest.mark.parametrize(
    "decision",
    [
        plain(2),
        Decision((0.0, 1.25), Objective("g_mean")),
        Decision((0.0, 1.25), Objective(), tau=0.5),
        Decision(
            (0.0, 1.0, 2.0),
            Objective("cost", {"cat.recall": 0.9}, {"dog": {"cat": 5.0}}),
            gains=GAINS,
            scale=2.0,
            few={"dog": 3},
            unmet={"cat.recall": 0.8},
        ),
    ],
)
def test_round_trips(decision):
    assert Decision.from_dict(decision.to_dict()) == decision


def test_decisions_of_earlier_versions_are_read():
    old = {"offsets": [0.0, 1.0], "objective": "balanced_accuracy"}
    assert Decision.from_dict(old) == Decision((0.0, 1.0), Objective())
    assert Decision.from_dict(old).to_dict() == old
    assert plain(2).to_dict() == {"offsets": [0.0, 0.0], "objective": ""}


def test_remarks_say_what_one_should_know():
    goal = Objective("dog.recall", {"dog.precision": 0.9}).on(("cat", "dog"), 1)
    few, unmet = Decision((0.0, 0.0), goal, few={"dog": 3}, unmet={"dog.precision": 0.8123}).remarks
    assert "too few images to tune a decision on (3 of 'dog')" in few
    assert "precision of dog at least 90\u202f%" in unmet
    assert "81.2\u202f%" in unmet
    many = Decision((0.0,) * 9, few={str(k): k for k in range(9)}).remarks[0]
    assert "(0 of '0', 1 of '1', 2 of '2' and few of 6 more classes)" in many
    assert Decision((0.0, 0.0), goal).remarks == ()
