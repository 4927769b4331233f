"""Damaged, edited and swapped runs of a study: named, and made again or left out."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from equipoise.cli import run
from equipoise.errors import DamagedError, InputError, Remark
from equipoise.files import SEALS, read_json, read_sealed, write_json, write_sealed
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.reports import report
from equipoise.studies import compare, open_study
from equipoise.studies.integrity import damaged
from equipoise.studies.study_file import read_plan, read_study_file
from equipoise.studies.trials import failure
from equipoise.training import Trainer

QUICK = Trainer(name="quick", epochs=1, batch_size=64)
GIVEN = {"recipes": ["none", "article"], "seeds": 2, "trainer": QUICK, "jobs": 1}
RUN = "none-seed0-draw0"


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "8"])


@pytest.fixture(scope="module")
def study(digits, tmp_path_factory):
    return compare(digits, out=tmp_path_factory.mktemp("study") / "out", **GIVEN)


@pytest.fixture
def copy(study, tmp_path):
    return shutil.copytree(study.directory, tmp_path / "study")


def wrong(folder):
    return damaged(folder, read_plan(folder).trials, read_study_file(folder))


def _edit_json(path, change):
    fields = read_json(path)
    change(fields)
    write_json(path, fields)


def _edit_predictions(path, change):
    table = pq.read_table(path).to_pandas()
    pq.write_table(pq.read_table(path).from_pandas(change(table)), path)


def _swap(path, other):
    kept = path.with_name("kept")
    path.rename(kept)
    other.rename(path)
    kept.rename(other)


DAMAGES = {
    "empty metrics": lambda run: (run / "metrics.json").write_text(""),
    "odd metrics": lambda run: (run / "metrics.json").write_text("[]"),
    "edited figures": lambda run: _edit_json(
        run / "metrics.json", lambda m: m["test"]["tuned"].update(balanced_accuracy=0.99)
    ),
    "empty predictions": lambda run: (run / "predictions.parquet").write_bytes(b""),
    "cut rows": lambda run: _edit_predictions(run / "predictions.parquet", lambda t: t[:-5]),
    "swapped labels": lambda run: _edit_predictions(
        run / "predictions.parquet", lambda t: t.assign(label=1 - t.label)
    ),
    "no model": lambda run: (run / "model.pt").unlink(),
    "cut model": lambda run: (run / "model.pt").write_bytes((run / "model.pt").read_bytes()[:-100]),
    "edited history": lambda run: (run / "history.json").write_text("{}"),
    "edited recipe": lambda run: (run / "recipe.yaml").write_text("name: none\nloss: focal\n"),
    "no digests": lambda run: (run / "digests.json").unlink(),
    "empty digests": lambda run: (run / "digests.json").write_text(""),
    "another recipe's run": lambda run: _swap(run, run.with_name("article-seed0-draw0")),
    "another seed's run": lambda run: _swap(run, run.with_name("none-seed1-draw0")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_named(copy, name):
    DAMAGES[name](copy / "trials" / RUN)
    found = wrong(copy)
    assert RUN in found
    assert not any("\n" in line for line in found.values())


def test_damaged_runs_are_left_out_of_the_report_and_named(copy, capsys):
    DAMAGES["edited figures"](copy / "trials" / RUN)
    DAMAGES["swapped labels"](copy / "trials" / "article-seed1-draw0")
    (copy / "trials" / "article-seed0-draw0" / "memory.json").write_text("[]")
    assert run(["report", str(copy), "--json"]) == 0
    told = capsys.readouterr()
    names = [RUN, "article-seed0-draw0/memory.json", "article-seed1-draw0"]
    assert sorted(read_json(copy / "summary.json")["damaged"]) == sorted(names)
    assert sorted(json.loads(told.out)["damaged"]) == sorted(names)
    page = (copy / "report.html").read_text()
    for name in names:
        [line] = [line for line in told.err.splitlines() if f"trials/{name}:" in line]
        assert line.endswith("It is left out.")
        assert f"trials/{name} is left out" in page
    summary = json.loads(told.out)
    assert summary["missing"] == ["none seed 0 draw 0", "article seed 1 draw 0"]
    assert [row["runs"] for row in summary["table"]] == [1, 1]


def test_damaged_runs_are_made_again_to_the_same_figures(study, digits, copy):
    """One file of each run, each in another way."""
    places = [copy / "trials" / f"{r}-seed{s}-draw0" for r in ("none", "article") for s in (0, 1)]
    for name, place in zip(
        ("edited figures", "swapped labels", "no model", "empty digests"), places, strict=True
    ):
        DAMAGES[name](place)
    with pytest.warns(Remark) as told:
        again = compare(digits, out=copy, **GIVEN)
    lines = [str(remark.message) for remark in told if remark.category is Remark]
    assert len(lines) == 4
    for place, line in zip(places, sorted(lines, reverse=True), strict=True):
        assert line.endswith("The run is made again.")
        assert str(place.parent) in line
    assert not wrong(copy)
    for mine, theirs in zip(again.table, study.table, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


def test_a_whole_study_is_not_made_again(digits, copy):
    before = {path: path.stat().st_mtime_ns for path in copy.glob("trials/*/*")}
    assert not wrong(copy)
    compare(digits, out=copy, **GIVEN)
    assert {path: path.stat().st_mtime_ns for path in copy.glob("trials/*/*")} == before


@pytest.mark.parametrize("probe", ["shortcut.json", "memory.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clean": [[1]]}'])
def test_a_damaged_probe_is_named_alone(copy, probe, text):
    (copy / "trials" / RUN / probe).write_text(text)
    assert list(wrong(copy)) == [f"{RUN}/{probe}"]


def test_a_damaged_probe_is_made_again_alone(study, digits, copy):
    place = copy / "trials" / RUN
    model = (place / "model.pt").stat().st_mtime_ns
    before = {name: (place / name).read_bytes() for name in ("shortcut.json", "memory.json")}
    (place / "shortcut.json").write_text("{}")
    (place / "memory.json").unlink()
    with pytest.warns(Remark, match="The file is made again"):
        compare(digits, out=copy, **GIVEN)
    assert (place / "model.pt").stat().st_mtime_ns == model
    assert {name: (place / name).read_bytes() for name in before} == before


def test_a_probe_of_a_killed_run_is_made_again_without_a_word(digits, copy, recwarn):
    """It was written, and its digest was not."""
    place = copy / "trials" / RUN
    found = read_sealed(place / SEALS)
    del found["files"]["shortcut.json"]
    write_sealed(place / SEALS, found)
    before = (place / "shortcut.json").read_bytes()
    (place / "shortcut.json").write_text("{")
    assert not wrong(copy)
    compare(digits, out=copy, **GIVEN)
    assert not [one for one in recwarn if one.category is Remark]
    assert (place / "shortcut.json").read_bytes() == before


STUDIES = {
    "empty": lambda text: "",
    "list": lambda text: "[]",
    "null": lambda text: "null",
    "cut": lambda text: text[:200],
    "more seeds": lambda text: text.replace('"seeds": [', '"seeds": [7,'),
    "other recipes": lambda text: text.replace("article", "../../x"),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_damaged_study_file_is_refused_by_what_only_reads(copy, name, capsys):
    path = copy / "study.json"
    path.write_text(STUDIES[name](path.read_text()))
    assert run(["report", str(copy)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "study.json is damaged" in line
    assert "Give the command that made it again" in line
    for read in (open_study, report):
        with pytest.raises(DamagedError):
            read(copy)


def test_a_damaged_study_file_is_written_anew_and_its_runs_stay(study, digits, copy):
    (copy / "study.json").write_text("[]")
    before = {path: path.stat().st_mtime_ns for path in copy.glob("trials/*/model.pt")}
    with pytest.warns(Remark, match=r"study\.json is damaged.*written anew"):
        again = compare(digits, out=copy, **GIVEN)
    assert {path: path.stat().st_mtime_ns for path in copy.glob("trials/*/model.pt")} == before
    assert again.table == study.table


def test_a_recipe_that_a_study_has_lost_is_that_of_the_command(digits, copy):
    (copy / "recipes" / "article.yaml").write_text("[]")
    with pytest.raises(InputError, match=r"article\.yaml must hold"):
        compare(digits, out=copy, **{**GIVEN, "recipes": ["none"]})
    compare(digits, out=copy, **GIVEN)
    assert "crop" in (copy / "recipes" / "article.yaml").read_text()


def test_an_edited_recipe_is_not_that_of_the_runs(copy):
    path = copy / "recipes" / "article.yaml"
    path.write_text(path.read_text().replace("noise", "blur"))
    other = "its files are of another run"
    assert wrong(copy) == {f"article-seed{seed}-draw0": other for seed in (0, 1)}


def test_why_a_run_failed_is_kept_and_damage_to_it_found(digits, tmp_path):
    wild = Trainer(name="wild", epochs=1, batch_size=32, optimiser="sgd", learning_rate=10.0)
    given = {"recipes": ["none"], "seeds": 1, "trainer": wild, "jobs": 1, "out": tmp_path / "out"}
    study = compare(digits, **given)
    path = tmp_path / "out" / "trials" / RUN / "failed.json"
    assert "learning_rate" in study.summary.failed["none seed 0 draw 0"]
    for text in ("", "[]", '{"reason": "luck"}'):
        path.write_text(text)
        assert wrong(tmp_path / "out") == {RUN: "failed.json is not what was written"}
        assert failure(path.parent) is None
    with pytest.warns(Remark, match=r"failed\.json is not what was written. The run is made again"):
        again = compare(digits, **given)
    assert again.summary.failed == study.summary.failed


def test_a_run_of_another_study_is_none_of_this_one(digits, copy, tmp_path):
    """Of the same recipe and seed, from a study with another objective."""
    other = compare(digits, out=tmp_path / "other", **{**GIVEN, "seeds": 1}, objective="accuracy")
    shutil.rmtree(copy / "trials" / RUN)
    shutil.copytree(other.directory / "trials" / RUN, copy / "trials" / RUN)
    assert wrong(copy) == {RUN: "its files are of another run"}


def test_predictions_of_a_damaged_run_are_not_drawn(copy):
    """The page draws curves of what a study opens."""
    path = copy / "trials" / "none-seed1-draw0" / "predictions.parquet"
    _edit_predictions(path, lambda table: table.assign(logit_0=9.0))
    with pytest.warns(Remark, match="left out"):
        runs = [(one.recipe, one.seed) for one in open_study(copy).outcomes]
    assert sorted(runs) == [("article", 0), ("article", 1), ("none", 0)]


def test_a_renamed_recipe_keeps_its_runs_apart(digits, copy):
    """Two recipes that do the same are two recipes all the same."""
    twin = Recipe(name="twin")
    compare(digits, out=copy, **{**GIVEN, "recipes": ["none", twin]})
    _swap(copy / "trials" / RUN, copy / "trials" / "twin-seed0-draw0")
    assert wrong(copy).keys() == {RUN, "twin-seed0-draw0"}
