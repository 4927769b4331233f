"""The two figures of a study: well-formed, true to its figures, and safe from names."""

from xml.etree import ElementTree

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.studies.charts import CHARTS, Change, Scale, chart, class_rows, compared
from equipoise.studies.evaluating import evaluate

HOSTILE = ("<script>alert(1)</script>", "a\nb", '\u202egod & "co"')


@pytest.fixture(scope="module")
def study():
    """Two recipes on three classes: `b` finds more of the last class, less of the first."""
    rng = np.random.default_rng(0)
    columns = {name: [] for name in ("recipe", "seed", "split", "id", "label")}
    logits = []
    for recipe, lean in (("a", 0.0), ("b", 1.5)):
        for seed in range(3):
            for split in ("validation", "test"):
                labels = np.arange(240) % 3
                scores = rng.normal(0, 1, (240, 3)) + 2 * np.eye(3)[labels]
                scores[:, 2] -= 2.0
                scores[labels == 2, 2] += lean
                for name, value in (("recipe", recipe), ("seed", seed), ("split", split)):
                    columns[name] += [value] * 240
                columns["id"] += [f"{split}{k}" for k in range(240)]
                columns["label"] += labels.tolist()
                logits.append(scores)
    every = np.concatenate(logits)
    table = columns | {f"logit_{k}": every[:, k] for k in range(3)}
    return evaluate(table, classes=HOSTILE)


@pytest.mark.parametrize("what", CHARTS)
def test_a_figure_is_well_formed_shows_itself_and_can_be_saved(study, what, tmp_path):
    drawn = study.plot(what)
    assert drawn._repr_svg_() == drawn.svg
    ElementTree.fromstring(drawn.svg)
    assert "<script" not in drawn.svg
    assert "\u202e" not in drawn.svg
    assert drawn.save(tmp_path / "figure.svg").read_text("utf-8") == drawn.svg


def test_the_forest_plot_says_in_words_what_its_colours_say(study):
    (one,) = compared(study.summary)
    drawn = study.plot()
    assert one.verdict in drawn.svg
    assert one.verdict in drawn.words
    assert f"{100 * one.mean:+.1f}" in drawn.svg


def test_changes_are_to_the_baseline_of_the_deciding_decision(study):
    summary = study.summary
    for decision in ("plain", "tuned"):
        for row in class_rows(summary, decision):
            base = summary.class_figure("a", "tuned", row.name, "recall").mean
            mine = summary.class_figure("b", decision, row.name, "recall").mean
            assert row.cells[1].recall == mine
            assert row.cells[1].gain == pytest.approx(mine - base)
    assert [row.cells[0].gain for row in class_rows(summary, "tuned")] == [None] * 3


def test_what_may_be_luck_is_faint_and_has_no_sign():
    assert Change(0.7, 0.1).mark == ""
    assert abs(Change(0.7, -0.1).strength) < abs(Change(0.7, -0.1, clear=True).strength)
    assert (Change(0.7, -0.1, clear=True).mark, Change(0.7, 0.1, clear=True).mark) == ("▼", "▲")


@pytest.mark.parametrize(("low", "high"), [(-0.05, 0.04), (-1.2, 0.1), (-1e-4, 3e-4)])
def test_ticks_are_round_and_few(low, high):
    ticks = Scale(low, high).ticks()
    assert 3 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)
    assert 0.0 in ticks


def test_a_figure_that_there_is_not_is_refused(study):
    with pytest.raises(InputError, match="recipes, classes"):
        chart(study.summary, "curves")
    alone = study.summary.model_copy(update={"question": None})
    with pytest.raises(InputError, match="no figure of the recipes yet"):
        chart(alone, "recipes")
