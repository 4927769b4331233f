"""Ctrl-C and SIGTERM, in real processes: one line, the shell's code, nothing that lives on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.cli import run

WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}
COMPARE = ("compare", "digits", "--recipes", "none,article", "--seeds", "9", "--jobs", "2")


def start(*words):
    """Start the command line as a terminal does, in a process group of its own."""
    # A runner in the background ignores Ctrl-C, and what it starts would, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "equipoise", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, process_group=0, **pipes)
    signal.signal(signal.SIGINT, before)
    return process


def until(holds, process):
    end = time.monotonic() + 100
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def ends(process, number, whole, members, *, may_be_over=False):
    """Send a signal, to the whole group or to the one process; return the line it ends with."""
    (os.killpg if whole else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=20)  # hangs where a child keeps the pipes open
    if may_be_over and process.returncode == 0:
        pytest.skip("its work was done, and Python was about to end")
    assert process.returncode == 128 + number, err
    notes = ("side by side: about", "it is the default")  # of how long it takes, and which trainer
    told = [line for line in err.splitlines() if not any(note in line for note in notes)]
    assert len(told) == 1, err
    assert told[0].startswith(f"equipoise: {WORDS[number]}. The same command ")
    end = time.monotonic() + 20
    while members(process.pid):
        assert time.monotonic() < end, members(process.pid)
        time.sleep(0.05)
    return err


@pytest.mark.parametrize(
    ("number", "whole"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["ctrl-c", "term"]
)
def test_while_workers_start(tmp_path, members, number, whole):
    process = start(*COMPARE, "--out", tmp_path)
    until(lambda: len(members(process.pid)) > 3, process)
    line = ends(process, number, whole, members)
    assert "goes on from what is finished" in line


def test_in_the_middle_of_training_and_on_from_there(photos, tmp_path, members):
    command = (
        "train",
        photos,
        "--recipe",
        "none",
        "--out",
        tmp_path / "out",
        "--epochs",
        "15",
        "--trainer",
        "fast",
    )
    process = start(*command)
    until(lambda: list((tmp_path / "out").glob("checkpoint*")), process)
    ends(process, signal.SIGINT, False, members)
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert run([*map(str, command), "--quiet"]) == 0
    assert (tmp_path / "out" / "metrics.json").exists()


def test_who_is_started_deaf_stays_so(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = [sys.executable, "-m", "equipoise", "audit", "digits", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        signal.signal(signal.SIGINT, before)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, b"")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model and a finished study."""
    top = tmp_path_factory.mktemp("made")
    often = ["--epochs", "1", "--quiet", "--out"]
    assert run(["train", "digits", "--recipe", "none", *often, str(top / "model")]) == 0
    assert run(["compare", "digits", "--seeds", "1", *often, str(top / "study")]) == 0
    return top


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 1, 2, 4, 7, 11])
@pytest.mark.parametrize(("number", "whole"), [(n, w) for n in WORDS for w in (False, True)])
@pytest.mark.parametrize(
    "words",
    [
        ("audit", "digits", "--near"),
        ("upsample", "digits", "--strategy", "0=9000", "--out", "OUT", "--jobs", "2"),
        ("generate", "digits", "--out", "OUT"),
        ("train", "digits", "--out", "OUT", "--epochs", "500"),
        (*COMPARE, "--out", "OUT"),
        ("search", "digits", "--budget", "5m", "--out", "OUT", "--jobs", "2"),
        ("demo", "--out", "OUT", "--jobs", "2"),
        ("predict", "MADE/model", "MADE/study"),
        ("report", "MADE/study"),
        ("export", "MADE/model", "--out", "OUT/model.onnx"),
    ],
    ids=lambda words: words[0],
)
def test_at_any_time(made, tmp_path, members, words, number, whole, seconds):
    process = start(
        *(w.replace("MADE", str(made)).replace("OUT", str(tmp_path / "out")) for w in words)
    )
    time.sleep(seconds)
    if process.poll() is not None:
        pytest.skip(f"it was over by then, with code {process.wait()}")
    began = time.monotonic()
    ends(process, number, whole, members, may_be_over=True)
    assert time.monotonic() - began < 2
    left = [path for path in Path("/dev/shm").glob(f"sem.loky-{process.pid}-*")]
    assert not left
