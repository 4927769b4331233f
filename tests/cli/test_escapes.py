"""No character that a terminal obeys leaves a command, whatever files and classes are called."""

import json

import cv2
import numpy as np
import pytest

from equipoise.cli import run, show

ODD = "a\x1b[2Jb\rc\nd\x9b\u202e\udce9\x07"


def test_every_way_of_printing_escapes(capsys):
    show.say(ODD)
    show.tell(ODD)
    show.note(ODD)
    show.grid((ODD, "n"), [(ODD, 1)])
    show.print_rows(("name",), [(ODD,)])
    out, err = capsys.readouterr()
    for line in (out + err).splitlines():
        assert line.isprintable()
        assert line.startswith(("a", "name"))
    assert out.count("\n") == 6
    assert r"a\x1b[2Jb\rc\nd\x9b\u202e\udce9\x07" in err


def test_spaces_of_any_width_stay(capsys):
    text = "95\u202f% of\u00a0all\u3000x"
    show.say(text)
    show.print_json([text])
    show.print_rows((text.replace("%", ""),), [])
    out = capsys.readouterr().out
    assert out.count("\u202f") == out.count("\u00a0") == out.count("\u3000") == 3


def test_json_stays_json(capsys):
    value = {ODD: [ODD, "Zürich ≥ 5 🐈"]}
    show.print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert all(c.isprintable() or c == "\n" for c in out)
    assert "Zürich ≥ 5 🐈" in out


def test_json_in_an_encoding_that_lacks_a_character(capsys, monkeypatch):
    import io
    import sys

    bytes_ = io.BytesIO()
    stream = io.TextIOWrapper(bytes_, "ascii", "backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    show.print_json(["é", "\U0001f408"])
    stream.flush()
    assert json.loads(bytes_.getvalue().decode("ascii")) == ["é", "\U0001f408"]


@pytest.fixture
def odd_photos(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("cat\x1b[31m", 12), ("dog\r", 6)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            (folder / f"{i}\x1b[2J.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        (folder / "bad\x1b]0;x\x07.png").write_text("none")
    return tmp_path / "photos"


def test_commands_on_odd_names(odd_photos, tmp_path, capfd):
    for command in (
        ["audit", odd_photos],
        ["audit", odd_photos, "--json"],
        ["upsample", odd_photos, "--out", tmp_path / "up"],
        ["train", odd_photos, "--recipe", "none", "--epochs", "1", "--out", tmp_path / "model"],
        ["predict", tmp_path / "model", odd_photos],
        ["audit", str(odd_photos) + "\x1b[31m"],
        ["audit", odd_photos, "--classes", "x\x1b[31m"],
        ["recipes\x1b[31m"],
    ):
        run([str(word) for word in command])
        out, err = capfd.readouterr()
        for text in (out, err):
            assert all(c.isprintable() or c == "\n" for c in text), command
