"""Figures as readers see them."""

import pytest

from equipoise.metrics import FIGURES
from equipoise.studies.formats import (
    METRICS,
    change,
    duration,
    higher_is_better,
    in_sentence,
    interval,
    is_share,
    level,
    metric_name,
    percent,
    points,
    quantity,
)


def test_every_metric_has_a_name_and_the_same_direction():
    assert set(METRICS) == set(FIGURES)
    assert all(
        higher_is_better(name) == figure.higher_is_better for name, figure in FIGURES.items()
    )


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


def test_sizes_have_their_unit_and_no_sign():
    assert points("recall", 0.01) == "1 point"
    assert points("recall", -0.028) == "2.8 points"
    assert points("roc_auc", 0.0126) == "0.013"
    assert interval("recall", -0.004, 0.031) == "−0.4 to +3.1"
    assert interval("recall", None, None) == ""
    assert quantity("recall", 0.702).replace("\u202f", " ") == "70.2 %"


def test_figures_of_an_objective_are_called_and_read_like_others():
    assert metric_name("dog.recall") == "Recall of dog"
    assert in_sentence("dog.recall") == "recall of dog"
    assert in_sentence("roc_auc") == "ROC-AUC"
    assert is_share("f2")
    assert not is_share("cost")
    assert higher_is_better("dog.recall")
    assert not higher_is_better("cost")
