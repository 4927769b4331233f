"""Draws, folds, the oracle and the long tail, as a person gives them."""

import json

import pytest

from equipoise.cli import run

QUICK = ["--recipes", "none", "--seeds", "1", "--epochs", "1", "--jobs", "1", "--net", "article"]


def _summary(capsys, *arguments):
    code = run([str(argument) for argument in (*arguments, "--json")])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def test_draws_with_an_oracle_and_a_long_tail(photos, tmp_path, capsys):
    options = ["--long-tail", 3, "--draws", 2, "--oracle", *QUICK]
    found = _summary(capsys, "compare", photos, "--out", tmp_path / "study", *options)
    assert found["draws"] == [0, 1]
    assert list(found["recipes"]) == ["none", "oracle"]
    assert found["oracle"]["runs"] == 2
    assert isinstance(found["answer"]["notes"], list)


def test_folds_use_every_image(photos, tmp_path, capsys):
    found = _summary(capsys, "compare", photos, "--folds", 2, "--out", tmp_path / "study", *QUICK)
    assert sum(map(sum, found["table"][0]["confusion"]["plain"])) == 60


def test_a_long_tail_is_a_selection_like_any_other(photos, capsys):
    found = _summary(capsys, "audit", photos, "--long-tail", 4)
    assert [c["training"] for c in found["classes"]] == [40, 10]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--draws", "2"], "--draws 2 needs more images"),
        (["--oracle"], "--oracle needs images"),
        (["--folds", "1"], "folds >= 2"),
        (["--folds", "30"], "every class must be in every fold"),
        (["--folds", "2", "--take", "cat=20"], "does not go with --take"),
        (["--long-tail", "0.1"], "long_tail >= 1"),
        (["--long-tail", "2", "--take", "cat=20"], "give one"),
    ],
)
def test_mistakes_end_with_a_line_and_write_nothing(photos, tmp_path, capsys, options, words):
    out = tmp_path / "study"
    code = run(["compare", str(photos), "--out", str(out), *options])
    captured = capsys.readouterr()
    assert code == 2
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()
