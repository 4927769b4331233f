"""Figures as readers see them."""

import math

import pytest

from equipoise.metrics import HIGHER_IS_BETTER
from equipoise.studies.formats import (
    LOWER_IS_BETTER,
    METRICS,
    change,
    duration,
    estimate,
    level,
    metric_name,
    percent,
)


def test_every_metric_has_a_name_and_the_same_direction():
    assert set(METRICS) == set(HIGHER_IS_BETTER)
    assert {name for name, higher in HIGHER_IS_BETTER.items() if not higher} < LOWER_IS_BETTER


def test_figures_of_objectives_have_names_and_units():
    assert [metric_name(name) for name in ("cost", "f2", "dog.recall", "dog.f0.5")] == [
        "Cost per image",
        "F2",
        "Recall of dog",
        "F0.5 of dog",
    ]
    assert LOWER_IS_BETTER - HIGHER_IS_BETTER.keys() == {"cost"}
    assert level("cost", 0.2871) == "0.287"
    assert level("dog.recall", 0.2871) == "28.7"


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("recall", 0.3842, "+38.4"),
        ("recall", -0.031, "−3.1"),
        ("recall", 0.00001, "0.0"),
        ("recall", -0.00001, "0.0"),
        ("roc_auc", -0.0126, "−0.013"),
        ("roc_auc", None, "–"),
    ],
)
def test_changes_have_a_sign_unless_they_round_to_nothing(metric, value, text):
    assert change(metric, value) == text


def test_levels():
    assert level("recall", 0.3842) == "38.4"
    assert level("mcc", -0.25) == "−0.250"
    assert percent(0.384) == "38\u202f%"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (75, "75 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_are_in_the_unit_a_person_would_use(seconds, text):
    assert duration(seconds).replace("\u202f", " ") == text


def test_what_is_no_figure_is_no_estimate():
    assert estimate(None) is None
    assert estimate({"mean": math.nan}) is None
    assert estimate({"mean": "x"}) is None
    assert estimate(7).mean == 7
    one_run = estimate({"mean": 0.5, "low": None, "high": None, "values": [0.5]})
    assert (one_run.low, one_run.values) == (None, (0.5,))
