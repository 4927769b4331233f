import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.files import read_json, read_sealed, write_sealed
from equipoise.metrics import FIGURES
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.studies import compare, open_study
from equipoise.studies.summary import read_summary
from equipoise.training import Trainer

QUICK = Trainer(name="quick", epochs=2, batch_size=32)


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "8"])


@pytest.fixture(scope="module")
def study(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "out"
    return compare(digits, ["none", "article"], seeds=2, out=out, trainer=QUICK, jobs=1)


def test_every_run_leaves_its_files(study):
    for recipe in ("none", "article"):
        for seed in (0, 1):
            folder = study.directory / "trials" / f"{recipe}-seed{seed}-draw0"
            names = {path.name for path in folder.iterdir()}
            assert names == {
                "batches.csv",
                "digests.json",
                "history.json",
                "memory.json",
                "metrics.json",
                "model.pt",
                "predictions.parquet",
                "recipe.yaml",
                "shortcut.json",
                "trainer.yaml",
            }
    for name in ("summary.json", "results.csv", "trainer.yaml", "recipes/article.yaml"):
        assert (study.directory / name).is_file()
    for technique in ("clean", "crop", "flip", "noise"):
        assert (study.directory / "examples" / f"{technique}.png").is_file()


def test_results_have_a_row_a_recipe_seed_and_epoch(study):
    with (study.directory / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys = {(r["recipe"], r["seed"], r["draw"], r["epoch"]) for r in rows}
    assert len(rows) == len(keys) == 2 * 2 * 2
    assert {"step", "passes", "training_loss", "validation_loss"} <= set(rows[0])
    for split in ("training", "validation"):
        for figure in ("accuracy", "recall", "precision", "balanced_accuracy"):
            assert f"{split}_{figure}" in rows[0]
    # The common budget: every recipe takes the same steps.
    assert len({r["step"] for r in rows if r["epoch"] == "2"}) == 1


def test_the_summary_says_what_it_stands_on(study, digits):
    summary = study.summary
    assert summary.finished
    assert summary.data.digest == digits.digest
    assert summary.positive_class == digits.classes[digits.rarest]
    assert list(summary.recipes) == ["none", "article"]
    assert len(study.table) == 4
    row = summary.table[0].plain["balanced_accuracy"]
    values = [
        read_json(study.directory / f"trials/none-seed{s}-draw0/metrics.json")["test"]["plain"]
        for s in (0, 1)
    ]
    assert row.values == pytest.approx([v["balanced_accuracy"] for v in values], abs=1e-12)
    assert row.mean == pytest.approx(np.mean(row.values), abs=1e-12)
    kinds = {(d["recipe"], d["decision"]) for d in study.differences}
    assert kinds == {
        ("article", "plain"),
        ("article", "tuned"),
        ("article", "tuned vs plain baseline"),
        ("none", "tuned vs plain baseline"),
    }
    assert {d["metric"] for d in study.differences} == set(FIGURES)
    assert read_summary(study.directory / "summary.json") == summary
    text = (study.directory / "summary.json").read_text("utf-8")
    json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON


def test_the_table_does_not_depend_on_the_number_of_processes(study, digits, tmp_path):
    other = compare(
        digits, ["none", "article"], seeds=2, out=tmp_path / "out", trainer=QUICK, jobs=2
    )
    for mine, theirs in zip(study.table, other.table, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}
    assert other.summary.shortcut == study.summary.shortcut
    assert other.summary.question == study.summary.question


def test_a_killed_study_goes_on_from_its_finished_runs(study, digits, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(study.directory, out)
    kept = out / "trials/none-seed0-draw0/model.pt"
    before = kept.stat().st_mtime_ns
    # As a kill in the middle of a run leaves it: files, but not the last one.
    (out / "trials/article-seed1-draw0/metrics.json").unlink()
    running = open_study(out)
    assert not running.summary.finished
    assert running.summary.missing == ("article seed 1 draw 0",)
    assert running.answer.kind == "no verdict"
    again = compare(digits, ["none", "article"], seeds=2, out=out, trainer=QUICK, jobs=1)
    assert kept.stat().st_mtime_ns == before
    for mine, theirs in zip(study.table, again.table, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


def test_more_recipes_and_seeds_extend_a_study(study, digits, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(study.directory, out)
    spent = study.summary.looks.families[0].looks[-1].spent
    more = compare(digits, ["duplicate"], seeds=3, out=out, trainer=QUICK, jobs=2)
    assert list(more.summary.recipes) == ["none", "article", "duplicate"]
    assert more.summary.seeds == (0, 1, 2)
    assert [row.runs for row in more.summary.table] == [3, 3, 3]
    # What the first look has spent is not won back, and all wishes together spend at most 5 %.
    first, second = more.summary.looks.families
    assert first.looks[0].spent == spent < first.looks[-1].spent
    assert second.recipes == ("duplicate",)
    assert first.level + second.level < 0.05


def test_what_does_not_fit_a_study_is_refused(study, digits, tmp_path):
    out = study.directory
    with pytest.raises(InputError, match="another trainer"):
        compare(digits, ["none"], out=out, trainer=QUICK, epochs=3)
    with pytest.raises(InputError, match="another recipe 'article'"):
        compare(digits, [Recipe(name="article", loss="weighted")], out=out, trainer=QUICK)
    fewer = replace(digits, train=digits.train.select(np.arange(len(digits.train)) > 0))
    with pytest.raises(InputError, match="from other data"):
        compare(fewer, ["none"], out=out, trainer=QUICK)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not ours"):
        compare(digits, ["none"], out=tmp_path, trainer=QUICK)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "seeds >= 1"),
        ({"epochs": 0}, "epochs"),
        ({"jobs": 0}, "jobs >= 1"),
        ({"seeds": "many"}, "seeds >= 1, or 'auto'"),
        ({"most_seeds": 2}, "most_seeds >= 3"),
        ({"budget": "soon"}, "written 90s"),
        ({"margin": -1}, "0 < margin < 100"),
        ({"decision": "best"}, "no decision 'best'"),
        ({"objective": "luck"}, "no objective 'luck'"),
        ({"equal": "time"}, "equal"),
        ({"recipes": ["nnone"]}, "Did you mean 'none'"),
        ({"recipes": [Recipe(name="x", strategy={"9": 500})]}, "9"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(digits, tmp_path, options, words):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=words):
        compare(digits, **{"recipes": ["none"], "trainer": QUICK, "out": out, **options})
    assert not out.exists()


@pytest.mark.parametrize(
    "objective",
    [
        {"figure": "8.recall", "at_least": {"8.precision": 0.6}},
        {"figure": "cost", "costs": {"8": {"3": 5.0}}},
    ],
)
def test_a_study_is_tuned_for_and_judged_by_its_objective(digits, tmp_path, objective):
    trainer = QUICK.model_copy(update={"epochs": 1})
    out = tmp_path / "out"
    study = compare(
        digits, ["none", "cutout"], seeds=5, out=out, trainer=trainer, objective=objective, jobs=1
    )
    name = objective["figure"]
    assert study.summary.objective == name
    assert study.summary.tuned_for.to_json() == objective
    row = study.summary.table[0].tuned[name]
    kept = read_json(out / "trials/none-seed0-draw0/metrics.json")
    assert row.values[0] == pytest.approx(kept["test"]["tuned"][name], abs=1e-12)
    assert kept["decision"]["objective"] == objective
    assert row.low < row.mean < row.high
    assert study.summary.question.metric == name
    assert study.summary.question.of("cutout").verdict != "no verdict"
    with pytest.raises(InputError, match="another objective"):
        compare(digits, ["none"], seeds=5, out=out, trainer=trainer, objective="mcc")


def test_a_failed_run_is_marked_and_the_study_goes_on(digits, tmp_path):
    wild = Trainer(name="wild", epochs=2, batch_size=32, optimiser="sgd", learning_rate=10.0)
    study = compare(digits, ["none", "weights"], seeds=1, out=tmp_path / "o", trainer=wild, jobs=1)
    assert study.summary.finished
    assert "learning_rate" in study.summary.failed["none seed 0 draw 0"]
    assert "none" not in {row["recipe"] for row in study.table}


def test_one_run_gives_figures_and_no_verdict(digits, tmp_path):
    study = compare(
        digits, ["none", "weights"], seeds=1, out=tmp_path / "out", trainer=QUICK, jobs=1
    )
    assert study.summary.question.of("weights").verdict == "no verdict"
    assert study.answer.kind == "no verdict"
    assert study.summary.table[0].plain["accuracy"].low is None


def test_seeds_by_need_do_not_depend_on_processes_or_interruptions(digits, tmp_path):
    how = {"recipes": ["none", "weights"], "trainer": QUICK, "most_seeds": 5}
    whole = compare(digits, out=tmp_path / "whole", jobs=2, **how)
    looks = whole.summary.looks
    assert looks.families[0].planned == (3, 5)
    seeds = len(whole.summary.seeds)
    assert seeds in (3, 5)
    assert [look.seeds for look in looks.families[0].looks] == [3, 5][: 1 + (seeds == 5)]
    assert looks.stopped[0].recipe == "weights"
    # As a kill in the middle of the last look leaves it.
    broken = tmp_path / "broken"
    shutil.copytree(whole.directory, broken)
    shutil.rmtree(broken / f"trials/weights-seed{seeds - 1}-draw0")
    facts = read_sealed(broken / "study.json")
    family = facts["looks"]["families"][0]
    facts["looks"] = {"families": [{**family, "looks": family["looks"][:-1]}], "stopped": []}
    write_sealed(broken / "study.json", facts)
    again = compare(digits, out=broken, jobs=1, **how)
    assert again.summary.looks == looks
    assert again.summary.question == whole.summary.question
    # Given again, a finished study is not looked at once more.
    assert compare(digits, out=broken, jobs=1, **how).summary.looks == looks


def test_a_budget_begins_no_look_that_would_not_end_in_time(digits, tmp_path):
    how = {"recipes": ["none", "weights"], "trainer": QUICK, "out": tmp_path / "out", "jobs": 1}
    short = compare(digits, budget="1s", margin=0.01, **how)
    assert short.summary.finished
    assert short.summary.seeds == (0, 1, 2)
    if not short.summary.looks.stopped:
        longer = compare(digits, margin=0.01, most_seeds=5, **how)
        assert longer.summary.seeds == (0, 1, 2, 3, 4)


def test_the_question_is_part_of_what_a_folder_is_of(study, digits):
    how = {"recipes": ["none"], "out": study.directory, "trainer": QUICK}
    with pytest.raises(InputError, match="another margin"):
        compare(digits, margin=2, **how)
    with pytest.raises(InputError, match="another decision"):
        compare(digits, decision="plain", **how)
