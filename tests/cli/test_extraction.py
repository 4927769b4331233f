"""Activations of a pretrained net over whole commands: each is computed once, killed or not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from equipoise.cli import run

PROBE = ("--trainer", "probe", "--epochs", "1")


def kept(cache: Path) -> dict[Path, int]:
    """The files of activations, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in cache.glob("**/*.values.npy")}


def addresses(cache: Path) -> list[bytes]:
    files = cache.glob("**/*.addresses.npy")
    return [row.tobytes() for path in files for row in np.load(path)]


def test_a_second_command_extracts_nothing(photos, tmp_path):
    cache = tmp_path / "cache"
    common = (*PROBE, "--cache", str(cache), "--quiet")
    first = ("train", str(photos), "--recipe", "none", "--out", str(tmp_path / "run"))
    assert run([*first, *common]) == 0
    before = kept(cache)
    assert before
    recipes = ("--recipes", "none,weights", "--seeds", "1", "--jobs", "1")
    assert run(["compare", str(photos), *recipes, "--out", str(tmp_path / "study"), *common]) == 0
    assert kept(cache) == before


@pytest.mark.slow
def test_a_command_that_is_killed_while_it_extracts_loses_nothing(tmp_path):
    rng, cache = np.random.default_rng(0), tmp_path / "cache"
    for name, count in (("cat", 800), ("dog", 400)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / name / f"{number}.png"), picture)
    command = ["train", str(tmp_path / "photos"), "--recipe", "none", *PROBE]
    command += ["--cache", str(cache), "--out", str(tmp_path / "run"), "--quiet"]
    with subprocess.Popen([sys.executable, "-m", "equipoise", *command]) as process:
        while not addresses(cache):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done, before = addresses(cache), kept(cache)
    assert run(command) == 0
    every = addresses(cache)
    assert len(done) < len(every) == len(set(every))
    assert before.items() <= kept(cache).items()
