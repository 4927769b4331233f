"""Every line that says what is next can be followed, and nothing leaks on the way."""

import json
import shlex
import shutil

import cv2
import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import run
from equipoise.cli.selecting import as_given
from equipoise.selection import Selection

QUICK = {
    "train": ["--epochs", "1"],
    "compare": ["--epochs", "1", "--recipes", "none", "--seeds", "1", "--jobs", "1"],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def out_of(capsys, *words):
    code = run([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def follow(capsys, text):
    """Run the command that a text says is next."""
    (line,) = (line for line in text.splitlines() if line.startswith("Next: equipoise "))
    words = shlex.split(line)[2:]
    return words, out_of(capsys, *words, *QUICK.get(words[0], []))


@pytest.mark.parametrize("form", ["folder", "npz", "parquet", "webdataset"])
def test_from_upsample_by_its_own_word(photos, tmp_path, capsys, form):
    out = tmp_path / "brought up"
    text = out_of(capsys, "upsample", photos, "--out", out, "--format", form)
    assert "No test split is held out" in text
    audited, text = follow(capsys, text)
    assert audited[0] == "audit"
    trained, text = follow(capsys, text)
    assert trained[0] == "train"
    data = eq.load(audited[1])
    assert not data.test.copies.any()
    assert not set(data.test.groups) & set(data.train.groups)


def test_upsample_holds_out_first_what_it_is_asked_to(photos, tmp_path, capsys):
    shares = ["--test-fraction", 0.25, "--validation-fraction", 0.2]
    text = out_of(capsys, "upsample", photos, "--out", tmp_path / "out", *shares, "--json")
    summary = json.loads(text)
    assert summary["held_out"] == ["validation", "test"]
    assert summary["after"]["test"] == {"cat": 10, "dog": 5}
    assert summary["after"]["train"]["cat"] == summary["after"]["train"]["dog"]
    held = eq.load(photos, cut=False, test_fraction=0.25, validation_fraction=0.2)
    assert summary["before"]["train"] == dict(zip(held.classes, held.train.counts, strict=True))
    text = out_of(capsys, "upsample", photos, "--out", tmp_path / "more", *shares)
    assert "No test split" not in text
    out_of(capsys, "audit", tmp_path / "more", "--strict")
    text = out_of(capsys, "upsample", photos, "--out", tmp_path / "none", "--dry-run", "--json")
    assert json.loads(text)["held_out"] == []


def test_upsampling_what_is_balanced_says_that_nothing_is_to_be_made(photos, tmp_path, capsys):
    words = ["upsample", photos, "--take", "cat=10,dog=10", "--out", tmp_path / "out"]
    text = out_of(capsys, *words)
    assert "No copies: every class has the images it is to have." in text
    assert "beside their copies" not in text


def test_upsampling_what_was_brought_up_tells_what_it_leaves_out(photos, tmp_path, capsys):
    out_of(capsys, "upsample", photos, "--out", tmp_path / "out")
    assert run(["upsample", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0
    captured = capsys.readouterr()
    assert "Copies that upsample made before left out: 20" in captured.err
    assert "80 images, 20 of them copies" in captured.out


def test_the_next_command_reads_the_same_images(photos, tmp_path, capsys):
    cv2.imwrite(str(photos / "dog" / "again.png"), cv2.imread(str(photos / "cat" / "0.png")))
    shutil.copytree(photos / "cat", photos / "a fox")
    chosen = ["--classes", "dog,a fox", "--groups", r"(\d+)", "--drop-conflicts"]
    text = out_of(capsys, "audit", photos, *chosen)
    words, text = follow(capsys, text)
    assert words == ["compare", str(photos), "--classes", "dog,a fox", "--groups", r"(\d+)",
                     "--drop-conflicts", "--out", "study"]  # fmt: skip
    assert json.loads((tmp_path / "study" / "summary.json").read_text())["data"]["classes"] == [
        "dog",
        "a fox",
    ]


def test_an_audit_sends_on_what_it_found(photos, tmp_path, capsys):
    """Near duplicates stay together in what is next; leaks are to be mended first."""
    from sklearn.datasets import load_sample_images

    whole = load_sample_images().images[0]
    for k in range(12):
        piece = whole[30 * k : 30 * k + 64, 40 * k : 40 * k + 64]
        for name, change in (("sharp", piece), ("soft", cv2.GaussianBlur(piece, (3, 3), 0))):
            path = tmp_path / "near" / "ab"[k % 2] / f"{k}-{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), change)
    text = out_of(capsys, "audit", tmp_path / "near", "--near")
    words, _ = follow(capsys, text)
    assert words[1:4] == [str(tmp_path / "near"), "--groups", "near"]
    for split in ("train", "test"):
        shutil.copytree(photos, tmp_path / "leak" / split)
    text = out_of(capsys, "audit", tmp_path / "leak")
    assert "Next: keep what stands in more than one split in one alone, and audit again" in text


def test_an_audit_does_not_send_on_what_cannot_be_trained(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, count in {"train/cat": 9, "train/dog": 9, "val/cat": 3, "test/dog": 3}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(count):
            picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "set" / name / f"{i}.png"), picture)
    text = out_of(capsys, "audit", tmp_path / "set")
    assert "Next: give validation images of every class" in text
    for command in (["train", "--recipe", "none"], ["compare"], ["search", "--trials", "2"]):
        assert run([*command, str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert "The validation split has no image of class dog" in error
        assert not (tmp_path / "out").exists()
    for i in range(2):
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        (tmp_path / "set/val/dog").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "set/val/dog" / f"{i}.png"), picture)
    words = (
        "The test split has no image of cat, so it is not tested: every figure is over dog alone"
    )
    model = ["train", tmp_path / "set", "--recipe", "none", "--epochs", "1", "--out", "model"]
    assert words in out_of(capsys, *model)
    assert words in out_of(capsys, *model)  # read again
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["untested"] == ["cat"]
    study = ["compare", tmp_path / "set", *QUICK["compare"], "--out", "study"]
    assert words in out_of(capsys, *study)
    assert words in (tmp_path / "study" / "report.html").read_text()
    assert json.loads((tmp_path / "study" / "summary.json").read_text())["untested_words"]


def test_a_seed_goes_along_as_it_cuts_the_splits(photos, tmp_path, capsys):
    assert as_given("my photos", Selection(classes=["a", "b"], seed=3)) == (
        "'my photos' --classes a,b --seed 3"
    )
