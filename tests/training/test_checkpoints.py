"""A run that is killed goes on to the weights of one that was not."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit

TRAINER = Trainer(
    name="t", epochs=5, batch_size=16, optimiser="adamw", schedule="one_cycle",
    learning_rate=0.003, weight_decay=0.01, ema=0.9, flip="alternating", keep="best",
)  # fmt: skip

# Kills itself in the middle of the third epoch, as hard as can be.
KILLED = """
import os, pickle, signal, sys
from pathlib import Path
import equipoise as eq

def die(progress):
    if progress.epoch == 3 and progress.step % 8 == 3:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
data, trainer, recipe = pickle.loads((folder / "data.pkl").read_bytes())
eq.train(data, recipe, trainer=trainer, seed=2, out=folder / "run", progress=die)
"""


def drop_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def weights(folder: Path) -> dict:
    return torch.load(folder / "model.pt", weights_only=True)["weights"]


def test_a_killed_run_ends_with_the_same_weights(digits, tmp_path):
    recipe = "balanced"
    (tmp_path / "data.pkl").write_bytes(pickle.dumps((digits, TRAINER, recipe)))
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    told = []
    done = eq.train(
        digits, recipe, trainer=TRAINER, seed=2, out=tmp_path / "run", progress=told.append
    )
    assert told[0].epoch == 3
    whole = eq.train(digits, recipe, trainer=TRAINER, seed=2, out=tmp_path / "whole")
    resumed, unbroken = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert resumed.keys() == unbroken.keys()
    for name in resumed:
        assert torch.equal(resumed[name], unbroken[name]), name
    assert done.history == whole.history
    assert drop_seconds(done.rows) == drop_seconds(whole.rows)
    for key in ("seen", "test", "validation", "decision", "kept_epoch"):
        assert done.metrics[key] == whole.metrics[key], key
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_checkpoint_of_another_run_or_a_broken_one_is_not_used(digits, tmp_path):
    short = Trainer(name="t", epochs=2, batch_size=16)
    first = fit(digits, get_recipe("none"), short, seed=0, folder=tmp_path)
    assert (tmp_path / "checkpoint.pt").exists()
    told = []
    again = fit(digits, get_recipe("none"), short, seed=0, folder=tmp_path, progress=told.append)
    assert not told
    assert again.history == first.history
    for options in ({"seed": 1}, {"equal": "epochs"}):
        told = []
        fit(
            digits, get_recipe("none"), short, **{"seed": 0, **options}, folder=tmp_path,
            progress=told.append,
        )  # fmt: skip
        assert told[0].step == 1
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    told = []
    fit(digits, get_recipe("none"), short, seed=0, folder=tmp_path, progress=told.append)
    assert told[0].step == 1


def test_a_place_that_takes_no_state_stops_the_run_in_one_line(digits, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="File exists") as caught:
        fit(
            digits, get_recipe("none"), Trainer(name="t", epochs=1, batch_size=16), seed=0,
            folder=blocked,
        )  # fmt: skip
    assert caught.value.filename == str(blocked)


def test_the_logs_of_a_run_are_plain_json(digits):
    done = fit(digits, get_recipe("none"), Trainer(name="t", epochs=1, batch_size=16), seed=0)
    assert json.loads(json.dumps(done.rows)) == done.rows
    assert np.isfinite(done.rows[0]["seconds"])
