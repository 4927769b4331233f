"""`generate` and `audit --against` from the command line, and what they say next."""

import json
import re
import shlex

import cv2
import numpy as np
import pytest

from equipoise.cli import run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))


def test_generate_and_the_comparison_that_follows(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["generate", str(photos), "--out", "made", "--steps", "3", "--strategy", "dog=16"]
    assert run(command) == 0
    captured = capsys.readouterr()
    assert re.search(r"dog +2 +2 +0 +0 +0 +2", captured.out)
    assert "the steps probe and distance are skipped" in captured.out
    assert "Written: 2 images in made; made/sieve.html" in captured.out
    [line] = [line for line in captured.out.splitlines() if line.startswith("Next: ")]
    words = shlex.split(line.removeprefix("Next: equipoise "))
    assert words[:1] == ["compare"]
    assert run([*words, "--seeds", "1", "--epochs", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["recipes"]) == {"none", "generated"}
    # Given again it is read; in JSON.
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["wanted"] == {"dog": 2}
    assert told["counts"]["dog"]["kept"] == 2


def test_the_page_shows_both_sides_and_needs_no_network(photos, tmp_path, capsys):
    extra = tmp_path / "extra"
    (extra / "dog").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for k in range(3):
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(extra / "dog" / f"new{k}.png"), picture)
    known = cv2.imread(str(photos / "dog" / "5.png"))
    cv2.imwrite(str(extra / "dog" / "old.png"), known[:, ::-1])
    (extra / "dog" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "sieve"
    command = ["audit", str(extra), "--against", str(photos), "--out", str(out)]
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert re.search(r"dog +4 +1 +0 +0 +3", printed)
    assert "Unreadable files in" in printed or "left out: 1" in printed
    told = json.loads((out / "sieve.json").read_text())
    [fallen] = told["fallen"]
    assert fallen["image"].endswith("old.png")
    assert fallen["step"] == "copy"
    assert "mirrored" in fallen["reason"]
    page = (out / "sieve.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "near copies of real images (1)" in page
    assert "kept (3)" in page
    assert not re.search(r"(src|href)=.?https?:", page)
    assert run([*command, "--strict", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["counts"]["dog"]["copy"] == 1
    assert captured.err.splitlines()[-1] == (
        f"equipoise: {extra}: 1 image fell at the sieve. --json names them."
    )
