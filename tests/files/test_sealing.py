"""What is cut off, edited or swapped is found; what was written comes back."""

import json
import os

import pytest

from equipoise.errors import DamagedError, Remark
from equipoise.files import (
    SEALS,
    damage,
    forget_damaged,
    is_sealed,
    read_json,
    read_sealed,
    seal,
    write_json,
    write_sealed,
)

VALUE = {"seeds": [0, 1], "score": 0.1 + 0.2, "nan": float("nan"), "ä": {"x": None, "1": True}}
KEPT = {**VALUE, "nan": None}


def test_a_sealed_object_comes_back(tmp_path):
    write_sealed(tmp_path / "a.json", VALUE)
    assert read_sealed(tmp_path / "a.json") == KEPT
    # For other programs it is the object, with its digest.
    assert read_json(tmp_path / "a.json").items() >= KEPT.items()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace("[", "[7,", 1),
        lambda text: json.dumps(KEPT),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: json.dumps({**json.loads(text), "score": 0.3}),
        lambda text: "[" * 50_000 + "]" * 50_000,
    ],
)
def test_any_other_object_is_damaged(tmp_path, change):
    path = tmp_path / "a.json"
    write_sealed(path, VALUE)
    path.write_text(change(path.read_text()))
    with pytest.raises(DamagedError, match=r"a\.json is damaged") as told:
        read_sealed(path)
    assert "\n" not in str(told.value)


def test_a_changed_layout_is_the_same_object(tmp_path):
    path = tmp_path / "a.json"
    write_sealed(path, VALUE)
    path.write_text(json.dumps(read_json(path), indent=7))
    assert read_sealed(path) == KEPT


def test_what_is_damaged_can_be_forgotten(tmp_path):
    path = tmp_path / "a.json"
    forget_damaged(path, "It is written anew.")
    write_sealed(path, VALUE)
    forget_damaged(path, "It is written anew.")
    assert path.exists()
    path.write_text("{}")
    with pytest.warns(Remark, match=r"a\.json is damaged.*It is written anew"):
        forget_damaged(path, "It is written anew.")
    assert not path.exists()


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    seal(tmp_path, ["one", "two"], of="this")
    return tmp_path


NAMES = ("one", "two", "three")


def test_sealed_files_are_what_was_written(folder):
    assert damage(folder, NAMES) is None
    assert damage(folder, NAMES, of="this") is None
    assert damage(folder, NAMES, of="that") == "its files are of another run"
    assert [is_sealed(folder, name) for name in NAMES] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_text("on"), "one is not what was written"),
        (lambda path: path.write_text(""), "one is not what was written"),
        (lambda path: path.write_text("two"), "one is not what was written"),
        (lambda path: path.unlink(), "one is missing"),
        (lambda path: (path.unlink(), path.mkdir()), "one is missing"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "one is missing"),
        (lambda path: path.with_name(SEALS).unlink(), "cannot be read"),
        (lambda path: path.with_name(SEALS).write_text("{}"), "digests.json is damaged"),
    ],
)
def test_other_files_are_named(folder, change, words):
    change(folder / "one")
    assert words in damage(folder, NAMES)
    assert not is_sealed(folder, "one")
    if "one" in words:
        assert damage(folder, ["two"]) is None


def test_files_are_sealed_one_after_another(folder):
    (folder / "three").write_text("three")
    seal(folder, ["three"])
    assert damage(folder, NAMES, of="this") is None
    assert is_sealed(folder, "three")
    write_json(folder / "three", {})
    assert damage(folder, NAMES) == "three is not what was written"
