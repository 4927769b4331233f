"""Where commands write: never into the data that they were given, and never through a link."""

import json
import os
import shutil

import cv2
import pytest

from equipoise.cli import run
from equipoise.errors import InputError
from equipoise.readers import check_apart, load

FAST = ["--epochs", "1"]
COMMANDS = {
    "upsample": ["upsample", "PHOTOS", "--out", "OUT"],
    "train": ["train", "PHOTOS", "--recipe", "none", "--out", "OUT", *FAST],
    "compare": ["compare", "PHOTOS", "--recipes", "none", "--seeds", "1", "--out", "OUT", *FAST],
    "search": ["search", "PHOTOS", "--trials", "2", "--out", "OUT", *FAST],
    "audit": ["audit", "PHOTOS", "--out", "OUT"],
    "generate": ["generate", "PHOTOS", "--out", "OUT"],
}


def told(capsys):
    [line] = [text for text in capsys.readouterr().err.splitlines() if text.startswith("equi")]
    return line


@pytest.mark.parametrize("place", ["PHOTOS/study", "PHOTOS/cat/deep/er", "PHOTOS", "link/study"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_into_its_data(photos, tmp_path, capsys, command, place):
    (tmp_path / "link").symlink_to(photos)
    before = sorted(photos.rglob("*"))
    out = place.replace("PHOTOS", str(photos)).replace("link", str(tmp_path / "link"))
    given = [{"PHOTOS": str(photos), "OUT": out}.get(word, word) for word in COMMANDS[command]]
    assert run(given) == 2
    assert "lies inside the data set" in told(capsys)
    assert sorted(photos.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_into_the_folder_that_it_stands_in(photos, monkeypatch, capsys, command):
    """DATA is `.`, and `--out study` lies in it."""
    monkeypatch.chdir(photos)
    given = [{"PHOTOS": ".", "OUT": "study"}.get(word, word) for word in COMMANDS[command]]
    assert run(given) == 2
    assert "lies inside the data set" in told(capsys)
    assert {path.name for path in photos.iterdir()} == {"cat", "dog"}


def test_a_folder_of_extra_images_is_data_too(photos, tmp_path, capsys):
    extra = shutil.copytree(photos / "dog", tmp_path / "extra" / "dog").parent
    for path in extra.rglob("*.png"):
        cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    recipe = tmp_path / "more.yaml"
    recipe.write_text(f"extra: {extra}\n")
    out = extra / "out"
    for command in (
        ["upsample", "PHOTOS", "--recipe", str(recipe), "--out", str(out)],
        ["train", "PHOTOS", "--recipe", str(recipe), "--out", str(out), *FAST],
        ["compare", "PHOTOS", "--recipes", f"none,{recipe}", "--out", str(out), *FAST],
        ["search", "PHOTOS", "--trials", "2", "--recipes", str(recipe), "--out", str(out), *FAST],
    ):
        assert run([str(photos) if word == "PHOTOS" else word for word in command]) == 2
        assert f"lies inside the data set {extra}" in told(capsys)
        assert not out.exists()


def test_pages_and_models_are_not_written_into_the_data_either(photos, tmp_path, capsys):
    study, model = tmp_path / "study", tmp_path / "study" / "trials" / "none-seed0-draw0"
    given = ["--recipes", "none", "--seeds", "1", "--jobs", "1", "--out", str(study), *FAST]
    assert run(["compare", str(photos), *given, "--quiet"]) == 0
    assert json.loads((model / "metrics.json").read_text())["source"] == str(photos)
    capsys.readouterr()
    for command in (
        ["report", str(study), "--out", str(photos / "page.html")],
        ["report", str(study), "--plots", str(photos / "plots")],
        ["export", str(model), "--out", str(photos / "cat" / "model.onnx")],
    ):
        assert run(command) == 2
        assert "lies inside the data set" in told(capsys)
    assert {path.name for path in photos.iterdir()} == {"cat", "dog"}


def test_a_name_that_is_no_path_is_no_folder(tmp_path, monkeypatch):
    """`digits` is embedded; the study of it may have its name."""
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "cifar10", "(images, labels)"):
        (tmp_path / name).mkdir()
        check_apart(tmp_path / name / "out", name)
    arrays = load("digits").train
    check_apart(tmp_path / "out", (arrays.array, arrays.labels))
    with pytest.raises(InputError, match="lies inside"):
        check_apart(tmp_path / "digits" / "out", tmp_path / "digits")


def test_a_file_of_data_may_have_its_output_beside_it(photos, tmp_path):
    (photos / "set.csv").write_text("path,label\ncat/0.png,cat\n")
    check_apart(photos / "out", str(photos / "set.csv"))
    check_apart(photos / "out", str(photos / "absent"))
    # Links that go round in a circle are no place inside.
    (tmp_path / "round").symlink_to(tmp_path / "round")
    check_apart(tmp_path / "round", str(photos))


def test_an_output_that_is_a_circle_of_links_is_refused(photos, tmp_path, capsys):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert run(["upsample", str(photos), "--out", str(tmp_path / "round")]) == 2
    assert "cannot be written to" in told(capsys)


@pytest.mark.parametrize("command", ["upsample", "train", "compare", "search"])
def test_a_lock_that_is_a_link_is_refused(photos, tmp_path, capsys, command):
    victim, out = tmp_path / "precious.txt", tmp_path / "out"
    victim.write_text("precious")
    out.mkdir()
    (out / ".lock").symlink_to(victim)
    places = {"PHOTOS": str(photos), "OUT": str(out)}
    assert run([places.get(word, word) for word in COMMANDS[command]]) == 2
    assert ".lock is a link" in told(capsys)
    assert victim.read_text() == "precious"
    assert os.listdir(out) == [".lock"]  # noqa: PTH208
