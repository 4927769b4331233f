"""Every mistake a user can make: one line, exit code 2, and nothing written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from equipoise.cli import run


def _everything(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def _fails(arguments, capsys, folder, words):
    before = _everything(folder)
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 2, captured.err
    assert words in captured.err
    assert captured.err.startswith("equipoise: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert _everything(folder) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--classes", "cat,dgo"], "dgo"),
        (["--classes", "cat"], "two classes"),
        (["--take", "cat=8,fox=2"], "fox"),
        (["--take", "cat=5000"], "5000"),
        (["--take", "cat:8"], "--take"),
        (["--recipes", "none,artcle"], "Did you mean 'article'"),
        (["--recipes", "missing.yaml"], "missing.yaml"),
        (["--recipes", ""], "No recipe"),
        (["--seeds", "0"], "seeds >= 1"),
        (["--epochs", "0"], "epochs"),
        (["--jobs", "0"], "jobs >= 1"),
        (["--trainer", "artcle"], "Did you mean 'article'"),
        (["--net", "resnet9000"], "resnet9000"),
        (["--equal", "time"], "equal"),
        (["--objective", "luck"], "luck"),
        (["--objective", "dgo.f2"], "Did you mean 'dog'"),
        (["--objective", "dog.recall"], "--at-least dog.precision"),
        (["--objective", "cost"], "needs costs"),
        (["--costs", "dog:cat"], "--costs"),
        (["--costs", "dog:cat=5", "--objective", "f2"], "objective cost"),
        (["--costs", "missing.csv"], "missing.csv"),
        (["--at-least", "dog.recall=90"], "0 < floor <= 1"),
        (["--at-least", "dgo.recall=.9"], "Did you mean 'dog'"),
        (["--size", "1"], "size"),
        (["--test-fraction", "1.5"], "test_fraction"),
        (["--validation-fraction", "0"], "validation_fraction"),
        (["--bogus"], "--bogus"),
    ],
)
def test_compare(photos, tmp_path, capsys, options, words):
    _fails(["compare", photos, "--out", tmp_path / "out", *options], capsys, tmp_path, words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--techniques", "crop,nois"], "Did you mean 'noise'"),
        (["--strategy", "often"], "often"),
        (["--sampling-strategy", "1.5"], "1.5"),
        (["--strategy", "dog=2"], "dog"),
        (["--strategy", "fox=20"], "fox"),
        (["--scope", "everyone"], "scope"),
        (["--format", "gif"], "format"),
        (["--recipe", "balancd"], "Did you mean 'balanced'"),
    ],
)
def test_upsample(photos, tmp_path, capsys, options, words):
    _fails(["upsample", photos, "--out", tmp_path / "out", *options], capsys, tmp_path, words)


def test_a_parameter_out_of_range(photos, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("strategy: auto\ntechniques: [{noise: {white: 2}}]\n")
    arguments = ["compare", photos, "--out", tmp_path / "out", "--recipes", tmp_path / "mine.yaml"]
    _fails(arguments, capsys, tmp_path, "white")


def _one_class(path):
    (path / "cat").mkdir(parents=True)
    cv2.imwrite(str(path / "cat" / "a.png"), np.zeros((8, 8, 3), np.uint8))


def _no_images(path):
    for name in ("cat", "dog"):
        (path / name).mkdir(parents=True)
        (path / name / "a.png").write_text("not a picture")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "gan"], "There is no method 'gan'"),
        (["--sampling-strategy", "often"], "often"),
        (["--sampling-strategy", "dog=2"], "dog"),
        (["--sampling-strategy", "fox=20"], "fox"),
        (["--steps", "0"], "1 <= steps"),
        (["--pipeline", "a/b"], "no parameter of method deepsmote 'pipeline'"),
        (["--method", "diffusion", "--strength", "2"], "0 < strength <= 1"),
        (["--method", "diffusion", "--pipeline", "nowhere"], "model_index.json"),
        (["--method", "diffusion", "--prompt", "a {nam}"], "prompt"),
        (["--device", "tpu"], "device"),
    ],
)
def test_generate(photos, tmp_path, capsys, options, words):
    _fails(["generate", photos, "--out", tmp_path / "out", *options], capsys, tmp_path, words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--near"], "no --near"),
        (["--classes", "cat"], "two classes"),
        (["--out", "PHOTOS/out"], "lies inside the data set"),
    ],
)
def test_audit_against(photos, tmp_path, capsys, options, words):
    extra = tmp_path / "extra"
    (extra / "cat").mkdir(parents=True)
    (extra / "cat" / "a.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    options = [option.replace("PHOTOS", str(photos)) for option in options]
    _fails(["audit", extra, "--against", photos, *options], capsys, tmp_path, words)
    (extra / "cat").rename(extra / "cta")
    _fails(["audit", extra, "--against", photos], capsys, tmp_path, "Did you mean 'cat'")
    _fails(["audit", tmp_path / "none", "--against", photos], capsys, tmp_path, "none")


@pytest.mark.parametrize("command", ["audit", "compare", "upsample", "train"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "no image"),
        (_one_class, "At least two classes"),
        (_no_images, "image"),
    ],
)
def test_data_that_is_none(tmp_path, capsys, command, make, words):
    make(tmp_path / "data")
    out = [] if command == "audit" else ["--out", tmp_path / "out"]
    if command == "audit" and words == "At least two classes":
        pytest.skip("a single class can be looked at")
    _fails([command, tmp_path / "data", *out], capsys, tmp_path, words)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((4, 8, 8, 3), np.uint8), "labels": np.zeros(3, int)}, "labels"),
        ({"images": np.full((4, 8, 8, 3), np.nan), "labels": [0, 1, 0, 1]}, "uint8"),
        ({"images": np.zeros((4, 8, 8, 3), np.float32), "labels": [0, 1, 0, 1]}, "uint8"),
        ({"images": np.zeros((4, 8, 8, 3), np.uint8), "labels": np.eye(4, dtype=int)}, "label"),
        ({"images": np.array([None] * 4), "labels": [0, 1, 0, 1]}, "Python objects"),
        ({"pictures": np.zeros((4, 8, 8, 3), np.uint8)}, "images"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, capsys, arrays, words):
    np.savez(tmp_path / "data.npz", **arrays)
    _fails(["compare", tmp_path / "data.npz", "--out", tmp_path / "out"], capsys, tmp_path, words)


def test_a_csv_of_several_labels_an_image(photos, tmp_path, capsys):
    rows = "".join(f"photos/cat/{n}.png,{'cat;dog' if n % 2 else 'cat'}\n" for n in range(4))
    (tmp_path / "data.csv").write_text("path,label\n" + rows)
    _fails(["compare", tmp_path / "data.csv", "--out", tmp_path / "out"], capsys, tmp_path, "label")


@pytest.mark.parametrize("command", ["compare", "upsample", "train"])
def test_an_output_folder_that_is_not_ours(photos, tmp_path, capsys, command):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    _fails([command, photos, "--out", tmp_path / "out"], capsys, tmp_path, "not ours")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
@pytest.mark.parametrize("command", ["compare", "upsample", "train"])
def test_no_right_to_write(photos, tmp_path, capsys, command):
    _fails([command, photos, "--out", "/proc/equipoise"], capsys, tmp_path, "cannot be written to")


def test_other_places_that_are_none(tmp_path, capsys):
    _fails(["report", tmp_path], capsys, tmp_path, "no study")
    _fails(["predict", tmp_path, tmp_path], capsys, tmp_path, "model")
    _fails(["upsample", tmp_path], capsys, tmp_path, "--out")
    _fails(["nonsense"], capsys, tmp_path, "nonsense")


def test_json_is_json_and_nothing_else(photos, tmp_path, capsys):
    assert run(["upsample", str(photos), "--dry-run", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["copies"] == 20
    assert captured.err == ""
