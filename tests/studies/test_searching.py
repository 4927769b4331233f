"""The search on the embedded digits, with few epochs."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml

from equipoise.cli import run
from equipoise.cli.options import Output
from equipoise.cli.searching import finish_search
from equipoise.errors import InputError
from equipoise.files import read_json
from equipoise.readers import load
from equipoise.recipes import NAMED, Recipe, get_recipe
from equipoise.reports import report
from equipoise.studies.search import open_search, search
from equipoise.studies.search.attempts import ENTRANTS, Result, is_late, rungs
from equipoise.studies.search.space import (
    RECIPES,
    choose,
    locate,
    read_space,
    recipe_of,
    trainer_dimensions,
    trainer_of,
)
from equipoise.studies.timing import in_words, seconds_of
from equipoise.training import Trainer, check, get_trainer

QUICK = Trainer(name="quick", epochs=3, batch_size=64)
FIRST = ("none", "weights", "resample", "article")


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "8"])


@pytest.fixture(scope="module")
def found(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("search") / "out"
    return search(digits, trials=6, out=out, recipes=FIRST, trainer=QUICK, jobs=1)


def rows(found):
    """The leaderboard without what depends on the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in found.leaderboard]


# The budget


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("0.5h", 1800)]
)
def test_budgets_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["20x", "20", "", "m", "-5m", "0s", "20m!", "1 h"])
def test_a_wrong_budget_is_refused(text):
    with pytest.raises(InputError, match="written 90s, 20m or 1h30m"):
        seconds_of(text)


@pytest.mark.parametrize("seconds", [1, 42, 90, 91, 600, 5399, 5401, 7200, 36000])
def test_a_time_in_words_is_no_less_and_reads_back(seconds):
    assert seconds <= seconds_of(in_words(seconds)) < seconds + 60


def test_too_small_a_budget_says_how_much_is_needed(digits, tmp_path):
    with pytest.raises(InputError, match="a budget of at least") as told:
        search(digits, budget="1s", out=tmp_path / "out", trainer=QUICK, jobs=1)
    assert not (tmp_path / "out").exists()
    least = str(told.value).split("at least ")[1].split(",")[0]
    assert seconds_of(least) > 1


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "budget"), ({"trials": 1}, "trials >= 2"), ({"trials": 4, "jobs": 0}, "jobs >= 1")],
)
def test_limits_are_checked(digits, given, words):
    with pytest.raises(InputError, match=words):
        search(digits, **given)


# The space


def test_every_choice_of_the_space_is_a_recipe_that_can_be_run(digits):
    trainer = get_trainer("article")
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chosen = choose(RECIPES, lambda name, among, rng=rng: str(rng.choice(among)))
        recipe = recipe_of(RECIPES, chosen)
        check(digits, recipe, trainer, equal="steps", objective="balanced_accuracy")
        assert locate(RECIPES, recipe) is not None
        seen.add(recipe.model_dump_json())
    assert len(seen) > 40


@pytest.mark.parametrize("name", ENTRANTS)
def test_every_entrant_has_its_place_in_the_space(name):
    chosen = locate(RECIPES, NAMED[name])
    assert chosen is not None
    assert recipe_of(RECIPES, chosen) == NAMED[name]


def test_the_trainers_own_values_come_first():
    base = get_trainer("article", epochs=4)
    space = trainer_dimensions(base)
    firsts = {d.name: next(iter(d.choices)) for d in space}
    assert trainer_of(space, firsts, base) == base
    other = trainer_of(space, {**firsts, "learning_rate": "0.003"}, base)
    assert (other.learning_rate, other.name) == (0.003, "searched")


def test_late_bloomers():
    late = {name for name in ENTRANTS if is_late(NAMED[name])}
    assert late == {"balanced", "trivial-cutout", "drw", "drs", "mixup", "cmo", "cutmix"}
    assert is_late(Recipe(name="x", techniques=("trivial",), augmentation="fresh", scope="all"))
    assert not is_late(Recipe(name="x", techniques=("flip",), augmentation="fresh", scope="all"))


@pytest.mark.parametrize(("epochs", "lengths"), [(1, [1]), (3, [1, 3]), (9, [1, 3, 9])])
def test_rungs_end_at_full_length(epochs, lengths):
    assert rungs(epochs) == lengths
    assert rungs(200) == [22, 67, 200]


def test_a_space_from_a_file(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("recipe:\n  loss: [cross_entropy, focal]\ntrainer:\n  learning_rate: [0.01]\n")
    space = read_space(path)
    assert [(d.name, d.of, len(d.choices)) for d in space] == [
        ("loss", "recipe", 2),
        ("learning_rate", "trainer", 1),
    ]
    assert recipe_of(space, {"loss": "focal"}) == NAMED["focal"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense: 1", "'recipe' and 'trainer'"),
        ("recipe:\n  los: [focal]", "Did you mean 'loss'"),
        ("recipe:\n  draws: [often]", "draws"),
        ("trainer:\n  epochs: 3", "list of values"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_space_is_refused(tmp_path, text, words):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as told:
        read_space(path)
    assert str(path) in str(told.value)


# The search


def test_what_a_search_leaves(found):
    names = {path.name for path in found.directory.iterdir()}
    assert {"best.yaml", "leaderboard.csv", "search.json", "trainer.yaml", "state.json"} <= names
    assert found.summary["finished"]
    assert found.summary["trials"] == 6
    board = found.leaderboard
    assert [row["place"] for row in board] == list(range(1, 7))
    # Those that came further stand first, the better before the worse.
    order = [(-row["epochs"], -row["score"], row["trial"]) for row in board]
    assert order == sorted(order)
    with (found.directory / "leaderboard.csv").open() as file:
        assert [row["recipe"] for row in csv.DictReader(file)] == [row["recipe"] for row in board]
    assert set(FIRST) <= {row["recipe"] for row in board}
    baseline = next(row for row in board if row["recipe"] == "none")
    assert (baseline["trial"], baseline["epochs"]) == (0, 3)


def test_late_bloomers_are_run_at_full_length_alone(found):
    lengths = {}
    for path in (found.directory / "attempts").iterdir():
        number, epochs = path.name.split("-")
        lengths.setdefault(int(number), []).append(int(epochs))
    for row in found.leaderboard:
        recipe = Recipe(name=row["recipe"], **row["fields"])
        if is_late(recipe):
            assert lengths[row["trial"]] == [3]
        elif row["recipe"] != "none":
            assert 1 in lengths[row["trial"]]


def test_the_best_of_three_is_confirmed_on_other_seeds(found):
    summary = found.study.summary
    assert summary.seeds == (1, 2, 3)
    assert summary.reference == "none"
    assert len(summary.recipes) == 3
    values = found.summary["validation"]
    assert values[found.best.name] == max(values.values())
    if values["none"] == max(values.values()):
        assert found.best == NAMED["none"]
    assert any("test split" in line for line in found.summary["words"])


def test_best_yaml_is_a_recipe_and_a_trainer(found):
    path = found.directory / "best.yaml"
    assert get_recipe(path) == found.best
    assert get_trainer(path) == found.trainer == QUICK


def test_a_finished_search_is_read_again(digits, found):
    before = (found.directory / "search.json").read_bytes()
    again = search(digits, trials=6, out=found.directory, recipes=FIRST, trainer=QUICK, jobs=1)
    assert again.summary == found.summary == open_search(found.directory).summary
    assert (found.directory / "search.json").read_bytes() == before
    with pytest.raises(InputError, match="another trials"):
        search(digits, trials=7, out=found.directory, recipes=FIRST, trainer=QUICK, jobs=1)


def test_a_search_for_the_lowest_cost(digits, tmp_path, capsys):
    goal = {"figure": "cost", "at_least": {"3.recall": 0.3}, "costs": {"8": {"3": 5.0}}}
    trainer = QUICK.model_copy(update={"epochs": 1})
    found = search(
        digits, trials=3, out=tmp_path / "out", recipes=["weights", "article"], trainer=trainer,
        objective=goal, jobs=1,
    )  # fmt: skip
    assert (found.summary["objective"], found.summary["tuned_for"]) == ("cost", goal)
    kept = [read_json(p) for p in (found.directory / "attempts").glob("*/attempt.json")]
    utilities = {(r["arm"], r["epochs"]): r["utility"] for r in kept}
    places = [utilities[row["trial"], row["epochs"]] for row in found.leaderboard]
    assert places == sorted(places, reverse=True)
    assert all(-r["score"] / 5 >= r["utility"] for r in kept)
    assert set(found.summary["validation"]) >= {"none", found.best.name}
    text = " ".join(found.summary["words"])
    assert "cost per image 0." in text
    finish_search(found, found.directory / "report.html", "photos", Output())
    asked = "--costs 8:3=5 --at-least 3.recall=0.3"
    assert f"best.yaml {asked} --out model" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(InputError, match="another objective"):
        search(
            digits, trials=3, out=found.directory, recipes=["weights", "article"], trainer=trainer,
            jobs=1,
        )  # fmt: skip


def test_a_result_of_before_there_was_a_utility_has_one():
    assert Result(0, 3, score=0.4, plain=0.5, roc_auc=0.9, seconds=1.0).utility == 0.4


def test_the_page_tells_of_the_search(found):
    page = report(found).read_text()
    assert report(found) == found.directory / "report.html"
    assert 'id="search"' in page
    assert "What was searched" in page
    assert found.best.name in page
    assert run(["report", str(found.directory), "--quiet"]) == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_test_image_is_read_and_jobs_change_nothing(digits, found, tmp_path, monkeypatch, jobs):
    """With every label and pixel of the test split spoiled the search goes the same way."""
    test = digits.test
    spoiled = replace(test, images=np.zeros_like(test.images), labels=np.zeros_like(test.labels))
    poisoned = replace(digits, test=spoiled)
    # The confirmation does read it; the search phase is what must not differ.
    monkeypatch.setattr("equipoise.studies.search.searching.confirm", _stop)
    with pytest.raises(_StoppedError):
        search(poisoned, trials=6, out=tmp_path / "out", recipes=FIRST, trainer=QUICK, jobs=jobs)
    assert rows(open_search(tmp_path / "out")) == rows(found)


class _StoppedError(Exception):
    pass


def _stop(*_args, **_how):
    raise _StoppedError


def test_a_searched_trainer_is_the_baselines_too(digits, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text("trainer:\n  learning_rate: [0.001, 0.01]\n")
    done = search(
        digits, trials=3, out=tmp_path / "out", recipes=["none"], trainer=QUICK, space=space, jobs=1
    )
    assert [row["recipe"] for row in done.leaderboard] == ["none", "none"]
    assert list(done.study.summary.recipes) == ["none"]
    assert done.study.summary.trainer.learning_rate == done.trainer.learning_rate
    assert done.trainer.learning_rate in (0.001, 0.01)


# The command


def test_the_command_and_what_takes_best_yaml(photos, tmp_path, capsys):
    out = tmp_path / "search"
    options = ["--trials", "3", "--epochs", "1", "--jobs", "1", "--recipes", "none,resample"]
    assert run(["search", str(photos), "--out", str(out), *options]) == 0
    text = capsys.readouterr().out
    assert f"Next: equipoise train {photos} --recipe {out / 'best.yaml'} --out model" in text
    assert (out / "report.html").is_file()

    best = ["--recipe", str(out / "best.yaml")]
    model = tmp_path / "model"
    assert run(["train", str(photos), *best, "--out", str(model), "--quiet"]) == 0
    assert get_trainer(model / "trainer.yaml") == get_trainer(out / "best.yaml")

    # A best recipe that adds images is what `upsample` takes from the same kind of file.
    both = {"recipe": NAMED["article"].model_dump(mode="json"), "trainer": QUICK.model_dump()}
    (tmp_path / "best.yaml").write_text(yaml.safe_dump(both))
    taken = ["--recipe", str(tmp_path / "best.yaml"), "--out", str(tmp_path / "balanced")]
    assert run(["upsample", str(photos), *taken, "--quiet"]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "20x"], "20x"),
        ([], "budget such as 20m"),
        (["--trials", "1"], "trials >= 2"),
        (["--budget", "1s"], "a budget of at least"),
        (["--trials", "4", "--space", "missing.yaml"], "missing.yaml"),
        (["--trials", "4", "--recipes", "artcle"], "Did you mean 'article'"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, capsys, options, words):
    out = tmp_path / "search"
    assert run(["search", str(photos), "--out", str(out), *options]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not out.exists()


# Killed, and in time


COMMAND = """
import sys
from equipoise.cli import run
sys.exit(run(["search", "digits", "--classes", "3,8", "--trials", "8", "--epochs", "9",
              "--jobs", "2", "--out", sys.argv[1], "--json"]))
"""


def begin(out):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(out)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_search_goes_on_to_the_same_end(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert begin(whole).wait() == 0
    kept = 0
    for runs in (1, 3, 6):
        process = begin(broken)
        while process.poll() is None and len(list(broken.glob("attempts/*/attempt.json"))) < runs:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = len(list(broken.glob("attempts/*/attempt.json")))
        assert done >= max(runs, kept)
        kept = done
    assert begin(broken).wait() == 0
    one, other = (open_search(folder) for folder in (whole, broken))
    assert rows(one) == rows(other)
    assert one.best == other.best
    assert read_json(broken / "state.json")["seconds"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("budget", [60, 120])
def test_the_budget_is_kept_from_the_start_of_the_process_to_its_end(tmp_path, budget):
    words = ("search", "digits", "--trainer", "article", "--epochs", "3", "--jobs", "2", "--quiet")
    limits = ("--budget", f"{budget}s", "--out", tmp_path / "out")
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "equipoise", *words, *limits], check=True)
    assert time.monotonic() - started <= 1.1 * budget
    done = open_search(tmp_path / "out")
    assert done.summary["trials"] > len(FIRST)
    assert len(done.study.summary.seeds) >= 3
