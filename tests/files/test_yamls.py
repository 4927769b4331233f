"""Whatever stands in a user's YAML: its values, or a line that names the file."""

import os

import pytest

from equipoise.errors import InputError
from equipoise.files import read_yaml


def _bomb(first, next_one):
    """Each line stands for the one before nine times."""
    lines = [first.format("a")]
    for before, now in zip("abcdefghij", "bcdefghijk", strict=True):
        lines.append(next_one.format(now, ",".join([f"*{before}"] * 9)))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_bomb("{0}: &{0} [x]", "{0}: &{0} [{1}]"), "more than 100000 values"),
        (_bomb("{0}: &{0} {{x: 1}}", "{0}: &{0} {{<<: [{1}]}}"), "more than 100000 values"),
        ("a: &a [*a]", "holds itself"),
        ("a: &a {b: *a}", "holds itself"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deep"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deep"),
        ("{a: " * 20_000, "nested too deep"),
        ("- " * 20_000, "nested too deep"),
        ("a: !!int foo", "not YAML"),
        ("a: !!bool foo", "not YAML"),
        ("a: !!float foo", "not YAML"),
        ("a: " + "9" * 5000, "not YAML"),
        ("a: !!set {b}", "line 1: !!set has no place here"),
        ("a: !!binary aGVsbG8=", "!!binary has no place here"),
        ("a: !!omap [b: 1]", "!!omap has no place here"),
        ("a: !!timestamp 2001-01-01", "!!timestamp has no place here"),
        ("!!python/object/apply:os.system [ls]", "!!python/object/apply:os.system"),
        ("!foo {a: 1}", "!foo has no place here"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' stands there twice"),
        ("a: {0: 1, 0: 2}", "'0' stands there twice"),
        ("? [a]\n: b", "not YAML: line 1"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: *b", "undefined alias"),
        ("a: {<<: 5}", "not YAML"),
        ("a:\t- b", "not YAML"),
        ("a: \0", "not YAML"),
        ("", "must hold a recipe"),
        ("~", "must hold a recipe"),
        ("[1]", "must hold a recipe"),
        ("recipe: 5", "must hold a recipe"),
        ("recipe:", "must hold a recipe"),
        ("x" * 2_000_000, "too large"),
    ],
    ids=lambda text: ascii(text)[1:20],
)
def test_what_is_odd_is_a_line_that_names_the_file(tmp_path, text, words):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as told:
        read_yaml(path, "a recipe", "recipe")
    message = str(told.value)
    assert message.startswith(str(path))
    assert words in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: 2001-01-01", {"a": "2001-01-01"}),
        ("a: 2001-99-99", {"a": "2001-99-99"}),
        # Keys name fields and classes: they are what is written.
        ("a: {0: 1, no: 2, 1.50: 3, ~: 4}", {"a": {"0": 1, "no": 2, "1.50": 3, "~": 4}}),
        ("a: {b: &b {x: 1}, c: {<<: *b, y: 2}}", {"a": {"b": {"x": 1}, "c": {"x": 1, "y": 2}}}),
        ("a: [&x crop, *x]", {"a": ["crop", "crop"]}),
        ("a: =", {"a": "="}),
        ("recipe: {a: 1}\ntrainer: {b: 2}", {"a": 1}),
        ("\ufeffa: ä", {"a": "ä"}),
    ],
)
def test_values_are_what_is_written(tmp_path, text, value):
    path = tmp_path / "fine.yaml"
    path.write_text(text, "utf-8")
    assert read_yaml(path, "a recipe", "recipe") == value


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9")
    expected = {"pipe": "no file", "zero": "no file", "folder": "no file", "latin": "not YAML"}
    for name, words in (expected | {"absent": "No such file"}).items():
        with pytest.raises(InputError, match=words):
            read_yaml(tmp_path / f"{name}.yaml", "a recipe")
