"""How long a study will take, said before it begins."""

import pytest

from equipoise.readers import load
from equipoise.studies import compare
from equipoise.studies.forecasting import forecast
from equipoise.training import get_trainer

FAST, FINETUNE = get_trainer("fast"), get_trainer("finetune")


@pytest.mark.parametrize(
    ("runs", "trainer", "line"),
    [
        (
            (15, 45),
            FINETUNE,
            "15 runs of about 30s each, 2 side by side: about 4m, up to 12m where the first seeds "
            "do not decide, and then the probes and the page. What shortens it: trainer probe, "
            "fewer recipes or seeds, a budget",
        ),
        (
            (1, 1),
            FAST,
            "1 run of about 30s each, 2 side by side: about 30s, and then the probes and the page. "
            "What shortens it: fewer recipes or seeds, a budget",
        ),
    ],
)
def test_the_line_says_how_long_and_what_would_shorten_it(runs, trainer, line):
    assert forecast(30.0, runs, trainer, 2) == line


def test_a_study_tells_it_once_and_not_when_it_is_done(tmp_path):
    digits = load("digits", seed=0)
    told: list[str] = []
    for _ in range(2):
        compare(
            digits, ["none", "weights"], seeds=2, out=tmp_path / "study", trainer="article",
            epochs=1, jobs=1, announce=told.append,
        )  # fmt: skip
    assert len(told) == 1
    assert told[0].startswith("4 runs of about ")
