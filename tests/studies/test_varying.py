"""Studies over draws and folds, and with an oracle: small ones of real digits, end to end."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.errors import InputError
from equipoise.files import read_json
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.reports import report
from equipoise.studies import compare, open_study
from equipoise.training import Trainer

QUICK = Trainer(name="quick", epochs=2, batch_size=32)
NAMES = ["none", "duplicate"]


@pytest.fixture(scope="module")
def images():
    raw = load_digits()
    rows = np.isin(raw.target, (3, 8))
    pixels = np.round(raw.images[rows] * (255 / 16)).astype(np.uint8)
    return pixels.repeat(2, axis=1).repeat(2, axis=2), raw.target[rows]


@pytest.fixture(scope="module")
def taken(images):
    return load(images, take={"3": 90, "8": 20})


@pytest.fixture(scope="module")
def study(taken, tmp_path_factory):
    out = tmp_path_factory.mktemp("draws") / "out"
    compare(taken, NAMES, seeds=1, draws=2, out=out, trainer=QUICK, jobs=1)
    before = {path: path.stat().st_mtime_ns for path in out.glob("trials/*/model.pt")}
    more = compare(taken, NAMES, seeds=1, draws=3, oracle=True, out=out, trainer=QUICK, jobs=1)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    return more


def test_more_draws_and_an_oracle_extend_a_study(study, taken):
    summary = study.summary
    assert summary.draws == (0, 1, 2)
    assert summary.data.digest == taken.digest
    assert list(summary.recipes) == ["none", "duplicate", "oracle"]
    assert [row.runs for row in summary.table] == [3, 3, 3]
    for recipe in ("none", "duplicate", "oracle"):
        for draw in range(3):
            assert (study.directory / f"trials/{recipe}-seed0-draw{draw}/metrics.json").is_file()
    # All draws are tested on the same images, and trained on as many.
    metrics = [
        read_json(study.directory / f"trials/none-seed0-draw{draw}/metrics.json")
        for draw in range(3)
    ]
    assert len({str(one["seen"]["sources"]) for one in metrics}) == 1
    assert len({one["steps"] for one in metrics}) == 1
    assert len({str(one["test"]["tuned"]["roc_auc"]) for one in metrics}) > 1


def test_the_oracle_trains_on_real_images_in_as_many_steps(study):
    rows = {row.recipe: row for row in study.summary.table}
    assert rows["oracle"].steps == rows["none"].steps
    real, few = (rows[name].distinct_sources for name in ("oracle", "none"))
    assert real["3"] == real["8"] == few["3"] > few["8"]
    assert rows["oracle"].rank == {}
    assert sum(row.rank["tuned"] for row in rows.values() if row.rank) == 3.0


def test_the_gap_is_between_the_tuned_baseline_and_the_tuned_oracle(study):
    oracle = study.summary.oracle
    values = {
        row.recipe: np.array(row.tuned["balanced_accuracy"].values) for row in study.summary.table
    }
    gap = values["oracle"] - values["none"]
    assert oracle.gap.values == pytest.approx(gap.tolist())
    share = (values["duplicate"] - values["none"]).mean() / gap.mean()
    assert oracle.closed["duplicate"]["tuned"].mean == pytest.approx(share)
    assert "oracle" not in oracle.closed
    assert "tuned" not in oracle.closed["none"]


def test_the_oracle_is_no_way_to_act(study):
    summary = study.summary
    assert study.answer.recipe != "oracle"
    assert summary.question.of("oracle") is None
    assert summary.ranking.of("oracle") is None
    # It is not counted among the recipes that could look good by luck.
    assert summary.looks.families[0].recipes == ("duplicate",)
    assert any(row.recipe == "oracle" for row in summary.differences)


def test_three_draws_are_enough_for_a_verdict(study):
    one = study.summary.question.of("duplicate")
    assert (one.seeds, one.draws) == (1, 3)
    assert one.verdict != "no verdict"


def test_the_page_shows_ranks_and_the_gap(study):
    text = report(study).read_text("utf-8")
    for words in ("Mean rank", "Gap closed", "the real images that were left out", "3 draws"):
        assert words in text
    assert "3 runs of" in text


def test_every_fold_is_tested_once(images, tmp_path):
    data = load(images)
    study = compare(data, NAMES, seeds=1, folds=3, out=tmp_path / "out", trainer=QUICK, jobs=1)
    summary = study.summary
    assert (summary.folds, summary.draws) == (3, (0, 1, 2))
    tested = np.sum(summary.table[0].confusion["plain"])
    assert tested == len(images[0])
    # A third is tested, and 85 % of the rest trained on.
    assert summary.overlap == pytest.approx(1 / (2 * 0.85), rel=0.02)
    one = summary.question.of("duplicate")
    # At least what the spread of the folds makes of it, widened for what they have in common.
    assert one.standard_error >= np.std(one.values, ddof=1) * np.sqrt(1 / 3)
    assert open_study(study.directory).summary.table == summary.table
    assert "3 folds" in report(study).read_text("utf-8")
    with pytest.raises(InputError, match="another folds"):
        compare(data, NAMES, seeds=1, out=tmp_path / "out", trainer=QUICK, jobs=1)


def test_what_cannot_be_compared_is_refused_before_anything_is_written(images, taken, tmp_path):
    out = tmp_path / "out"
    whole = load(images)
    for data, options, words in (
        (whole, {"draws": 2}, "--draws 2 needs more images"),
        (whole, {"draws": 0}, "draws >= 1"),
        (whole, {"oracle": True}, "--oracle needs images"),
        (taken, {"folds": 3}, "does not go with --take"),
        (whole, {"folds": 3, "draws": 2}, "give one"),
        (whole, {"folds": 1}, "folds >= 2"),
    ):
        with pytest.raises(InputError, match=words):
            compare(data, NAMES, out=out, trainer=QUICK, **options)
    with pytest.raises(InputError, match="'oracle' is kept"):
        compare(taken, [Recipe(name="oracle")], out=out, trainer=QUICK)
    with pytest.raises(InputError, match="of the largest class alone"):
        compare(load(images, take={"3": 145}), NAMES, oracle=True, out=out, trainer=QUICK)
    assert not out.exists()
