"""What the command line says about techniques before they are used, and about priors."""

import json

import pytest

from equipoise.cli import run


def _train(photos, tmp_path):
    given = ["--recipe", "none", "--epochs", "1", "--out", str(tmp_path / "model"), "--quiet"]
    assert run(["train", str(photos), *given]) == 0
    return tmp_path / "model"


def test_audit_tries_techniques_on_the_images_that_a_run_was_validated_on(photos, tmp_path, capsys):
    model = _train(photos, tmp_path)
    given = ["audit", str(photos), "--model", str(model), "--techniques", "flip,crop"]
    assert run([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["safety"]
    assert list(found) == ["flip", "crop"]
    assert list(found["flip"]) == ["cat", "dog"]
    assert run(given) == 0
    assert "no longer known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["audit", "PHOTOS", "--model", "PHOTOS"], "model.pt: No such file"),
        (["compare", "PHOTOS", "--prior", "dog=0.05", "--out", "OUT"], "cat is absent"),
        (["compare", "PHOTOS", "--prior", "dog:0.05", "--out", "OUT"], "--prior is written"),
        (["compare", "PHOTOS", "--prior", "dog=0.5,cat=0.6", "--out", "OUT"], "sum to 1"),
        (["compare", "PHOTOS", "--prior", "dgo=0.5,cat=0.5", "--out", "OUT"], "Did you mean 'dog'"),
        (["compare", "PHOTOS", "--seeds", "some", "--out", "OUT"], "--seeds is a number, or auto"),
        (["compare", "PHOTOS", "--margin", "0", "--out", "OUT"], "0 < margin < 100"),
        (["compare", "PHOTOS", "--decision", "best", "--out", "OUT"], "no decision 'best'"),
        (["compare", "PHOTOS", "--most-seeds", "2", "--out", "OUT"], "most_seeds >= 3"),
        (["compare", "PHOTOS", "--budget", "soon", "--out", "OUT"], "written 90s"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, capsys, given, words):
    places = {"PHOTOS": str(photos), "OUT": str(tmp_path / "out")}
    assert run([places.get(word, word) for word in given]) == 2
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()
