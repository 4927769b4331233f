"""Damaged and edited files of a search: refused or made again in a line."""

import json
import shutil

import pytest

from equipoise.cli import run
from equipoise.errors import DamagedError, Remark
from equipoise.files import read_sealed, write_sealed
from equipoise.readers import load
from equipoise.studies.search import open_search, search
from equipoise.training import Trainer

GIVEN = {
    "trials": 3, "recipes": ("none", "weights"), "jobs": 1,
    "trainer": Trainer(name="quick", epochs=1, batch_size=64),
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "8"])


@pytest.fixture(scope="module")
def found(digits, tmp_path_factory):
    return search(digits, out=tmp_path_factory.mktemp("search") / "out", **GIVEN)


@pytest.fixture
def copy(found, tmp_path):
    return shutil.copytree(found.directory, tmp_path / "search")


def plainly(summary):
    """What a search found, without what depends on the clock."""
    rows = [{**row, "seconds": 0} for row in summary["leaderboard"]]
    kept = ("best", "recipe", "trainer", "validation", "words", "finished", "trials", "runs")
    return {"leaderboard": rows, **{key: summary[key] for key in kept}}


EDITS = {
    "empty": lambda text: "",
    "list": lambda text: "[]",
    "cut": lambda text: text[: len(text) // 2],
    "another best": lambda text: json.dumps({**json.loads(text), "best": "other"}),
    "other scores": lambda text: text.replace('"score": 0.', '"score": 0.9', 1),
    "finished": lambda text: '{"finished": true}',
}


@pytest.mark.parametrize("name", EDITS)
def test_a_damaged_search_file_is_refused_by_what_only_reads(copy, name):
    path = copy / "search.json"
    path.write_text(EDITS[name](path.read_text()))
    with pytest.raises(DamagedError, match=r"search\.json is damaged.*Give the command"):
        open_search(copy)


def test_the_refusal_is_a_line(copy, capsys):
    (copy / "search.json").write_text("null")
    (copy / "report.html").unlink(missing_ok=True)
    assert run(["report", str(copy)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "search.json is damaged" in line
    assert not (copy / "report.html").exists()


def test_a_damaged_search_file_is_written_anew_and_no_run_is_made_again(found, digits, copy):
    (copy / "search.json").write_text("[]")
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("attempt.json")}
    before |= {path: path.stat().st_mtime_ns for path in copy.rglob("model.pt")}
    with pytest.warns(Remark, match=r"search\.json is damaged.*written anew"):
        again = search(digits, out=copy, **GIVEN)
    assert plainly(again.summary) == plainly(found.summary)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_damaged_results_are_made_again_to_the_same(found, digits, copy):
    """One is edited, one is gone, and one is another's."""
    first, second, third = sorted(copy.glob("attempts/*/attempt.json"))
    third.write_bytes(second.read_bytes())
    first.write_text(first.read_text().replace('"score": 0.', '"score": 0.9'))
    shutil.rmtree(second.parent)
    with pytest.warns(Remark) as told:
        again = search(digits, out=copy, **GIVEN)
    lines = [str(one.message) for one in told if one.category is Remark]
    for place, line in zip((first.parent, second.parent, third.parent), lines, strict=True):
        assert line.startswith(f"{place}: its result is not what was written, or gone.")
    assert plainly(again.summary) == plainly(found.summary)


def test_a_damaged_run_of_the_confirmation_is_made_again(found, digits, copy):
    path = next(copy.glob("confirm/trials/*/metrics.json"))
    path.write_text(path.read_text().replace('"balanced_accuracy": 0.', '"balanced_accuracy": 0.9'))
    with pytest.warns(Remark, match=rf"{path.parent.name}: metrics\.json is not what was written"):
        again = search(digits, out=copy, **GIVEN)
    assert plainly(again.summary) == plainly(found.summary)


def test_a_finished_search_writes_best_yaml_again(found, digits, copy):
    (copy / "best.yaml").unlink()
    search(digits, out=copy, **GIVEN)
    assert (copy / "best.yaml").read_bytes() == (found.directory / "best.yaml").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"seconds": "x"}',
        lambda text: text.replace('"complete"', '"running"', 1),
    ],
)
def test_a_damaged_state_is_rebuilt_from_the_runs(found, digits, copy, change):
    path = copy / "state.json"
    path.write_text(change(path.read_text()))
    (copy / "search.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("attempt.json")}
    with pytest.warns(Remark, match=r"state\.json is damaged.*It is rebuilt from the runs"):
        again = search(digits, out=copy, **GIVEN)
    assert plainly(again.summary) == plainly(found.summary)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_search_that_was_ended_while_it_was_writing_goes_on(found, digits, copy):
    """The state is of the wave before: what came after is decided again, to the same."""
    fields = read_sealed(copy / "state.json")
    arms = [{**arm, "state": "running", "epochs": []} for arm in fields["arms"]]
    write_sealed(copy / "state.json", {**fields, "arms": arms})
    (copy / "search.json").unlink()
    assert plainly(search(digits, out=copy, **GIVEN).summary) == plainly(found.summary)
