"""The commands as a person gives them, one after another, on a folder of pictures."""

import csv
import io
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import typer

from equipoise import __version__
from equipoise.cli import app, run


def _runs(capsys, *arguments):
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def test_from_nothing_to_a_balanced_set_and_a_model(photos, tmp_path, capsys):
    found = json.loads(_runs(capsys, "audit", photos, "--json", "--out", tmp_path / "audit"))
    assert [c["training"] for c in found["classes"]] == [40, 20]
    assert found["imbalance_ratio"] == 2.0
    assert (tmp_path / "audit" / "audit.html").is_file()

    study = tmp_path / "study"
    options = ["--recipes", "none,balanced", "--seeds", 2, "--epochs", 1, "--jobs", 1]
    text = _runs(capsys, "compare", photos, "--out", study, *options)
    assert "no verdict" in text
    assert "at least 3 seeds" in text
    assert f"Report: {study / 'report.html'}" in text
    page = (study / "report.html").read_text()
    assert "balanced" in page

    text = _runs(capsys, "upsample", photos, "--out", tmp_path / "balanced")
    assert "80 images, 20 of them copies" in text
    found = json.loads(_runs(capsys, "audit", tmp_path / "balanced", "--json", "--strict"))
    assert [c["training"] for c in found["classes"]] == [40, 40]

    model = tmp_path / "model"
    text = _runs(capsys, "train", photos, "--out", model, "--recipe", "balanced", "--epochs", 2)
    assert f"Next: equipoise predict {model}" in text

    text = _runs(capsys, "predict", model, photos / "dog", photos / "cat" / "0.png")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 21
    assert {row["class"] for row in rows} <= {"cat", "dog"}
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_a_model_is_tuned_for_what_was_asked(photos, tmp_path, capsys):
    model = tmp_path / "model"
    options = ["--recipe", "none", "--epochs", 1, "--costs", "dog:cat=5,cat:dog=0.5"]
    floors = ["--at-least", "cat.recall=0.2", "--at-least", "dog.precision=0.999"]
    text = _runs(capsys, "train", photos, "--out", model, *options, *floors)
    for name in ("cost", "cat.recall", "dog.precision"):
        assert f"\n{name} " in text
    assert "Validation has too few images to tune a decision on" in text
    assert "No decision keeps precision of dog at least 99.9" in text
    kept = json.loads((model / "metrics.json").read_text())["decision"]["objective"]
    assert kept == {
        "figure": "cost",
        "at_least": {"cat.recall": 0.2, "dog.precision": 0.999},
        "costs": {"dog": {"cat": 5.0}, "cat": {"dog": 0.5}},
    }
    decided = list(csv.DictReader(io.StringIO(_runs(capsys, "predict", model, photos))))
    plain = list(
        csv.DictReader(io.StringIO(_runs(capsys, "predict", model, photos, "--decision", "plain")))
    )
    assert [row["class"] for row in decided] != [row["class"] for row in plain]


def test_few_steps_are_told_with_how_many_epochs_make_enough(photos, tmp_path, capsys):
    command = ["train", str(photos), "--recipe", "none", "--trainer", "fast", "--epochs"]
    assert run([*command, "2", "--out", str(tmp_path / "model")]) == 0
    assert "In 2 epochs this set makes 2 steps, few for a net: --epochs 100 makes 100" in (
        capsys.readouterr().err
    )
    assert run([*command, "1", "--out", str(tmp_path / "quiet"), "--quiet"]) == 0
    assert not capsys.readouterr().err


def test_a_finished_study_is_reported_again(photos, tmp_path, capsys):
    options = ["--recipes", "none", "--seeds", 1, "--epochs", 1, "--jobs", 1, "--json"]
    first = json.loads(_runs(capsys, "compare", photos, "--out", tmp_path / "study", *options))
    (tmp_path / "study" / "report.html").unlink()
    again = json.loads(_runs(capsys, "compare", photos, "--out", tmp_path / "study", *options))
    assert again["table"] == first["table"]
    assert (tmp_path / "study" / "report.html").is_file()
    page = tmp_path / "page.html"
    assert json.loads(_runs(capsys, "report", tmp_path / "study", "--out", page, "--json"))
    assert page.is_file()


def test_predict_names_what_it_leaves_out(photos, tmp_path, capsys):
    model = tmp_path / "model"
    _runs(capsys, "train", photos, "--out", model, "--recipe", "none", "--epochs", 1, "--quiet")
    (photos / "dog" / "broken.png").write_text("no picture")
    assert run(["predict", str(model), str(photos / "dog"), "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 20
    assert "broken.png" in captured.err


def test_strict_names_a_leak(photos, tmp_path, capsys):
    for split in ("train", "test"):
        shutil.copytree(photos, tmp_path / "split" / split)
    assert run(["audit", str(tmp_path / "split"), "--strict"]) == 1
    assert "60 pictures stand in more than one split" in capsys.readouterr().err


def test_what_there_is(capsys):
    assert "article-blur" in _runs(capsys, "recipes")
    assert "balanced" in json.loads(_runs(capsys, "recipes", "--json"))
    assert "white" in _runs(capsys, "techniques")
    assert json.loads(_runs(capsys, "techniques", "--json"))["crop"]["parameters"]
    assert "equipoise demo" in _runs(capsys)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--recipe", "none", "--epochs", "1"],
        ["compare", "--recipes", "none,duplicate", "--seeds", "1", "--epochs", "1", "--jobs", "1"],
        ["search", "--recipes", "duplicate", "--trials", "2", "--epochs", "1", "--jobs", "1"],
        ["upsample"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_reads_images_takes_the_limits(photos, tmp_path, capsys, command):
    cv2.imwrite(str(photos / "dog" / "large.png"), np.zeros((40, 40, 3), np.uint8))
    name, *options = command
    _runs(capsys, name, photos, "--out", tmp_path / "out", *options, "--most-pixels", 64)


def test_a_flag_has_no_twin_that_denies_it():
    for command in typer.main.get_command(app).commands.values():
        for option in command.params:
            assert not option.secondary_opts, f"{command.name}: {option.secondary_opts}"


def test_as_a_module():
    command = [sys.executable, "-m", "equipoise", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"equipoise {__version__}\n"
