"""Sets that stay in their files from reading to training."""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import equipoise as eq
from equipoise.mapped import concatenated, filled, is_mapped, take
from equipoise.readers import npz


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A folder of its own for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def arrays(patches, tmp_path):
    """Images as a map, and their labels."""
    images = patches(60, 16, 16)
    np.save(tmp_path / "images.npy", images)
    return np.load(tmp_path / "images.npy", mmap_mode="r"), np.repeat([0, 1], [40, 20])


def test_rows_of_a_map_are_a_view_or_a_file_of_their_own(arrays, elsewhere):
    images, _ = arrays
    view = take(images, np.arange(10, 30))
    assert is_mapped(view)
    assert np.shares_memory(view, images)
    some = take(images, np.array([5, 3, 40]))
    assert is_mapped(some)
    np.testing.assert_array_equal(some, np.asarray(images)[[5, 3, 40]])
    assert len(list(elsewhere.iterdir())) == 1
    part = some[1:]
    del some
    gc.collect()
    np.testing.assert_array_equal(part, np.asarray(images)[[3, 40]])
    del part
    gc.collect()
    assert not list(elsewhere.iterdir())
    assert not is_mapped(take(np.asarray(images).copy(), np.array([1])))


HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from equipoise.mapped import filled
import numpy as np
array = filled((9, 8, 8, 3), lambda start, stop: np.ones((stop - start, 8, 8, 3), np.uint8))
print("here", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_run_left_is_removed_and_nothing_that_is_in_use(elsewhere):
    def hold():
        command = [sys.executable, "-c", HOLD, str(elsewhere)]
        run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert run.stdout.readline() == b"here\n"
        return run

    def age():
        for path in elsewhere.iterdir():
            os.utime(path, (0, 0), follow_symlinks=False)

    os.mkfifo(elsewhere / "equipoise-pipe.mapped")
    (elsewhere / "equipoise-link.mapped").symlink_to(elsewhere / "absent")
    strange = set(elsewhere.iterdir())
    killed = hold()
    killed.kill()
    killed.wait()
    (left,) = set(elsewhere.iterdir()) - strange
    young = hold()
    assert left.exists()  # its maker could be about to lock it
    age()
    other = hold()
    assert not left.exists()
    assert len(set(elsewhere.iterdir()) - strange) == 2
    for run in (young, other):
        run.communicate(b"")
    assert set(elsewhere.iterdir()) <= strange


def test_joined_and_filled_maps_hold_what_they_were_given(arrays, elsewhere, monkeypatch):
    monkeypatch.setattr("equipoise.mapped._BLOCK", 5000)
    images, _ = arrays
    more = np.asarray(images)[:7] // 2
    joined = concatenated([images, more])
    assert is_mapped(joined)
    np.testing.assert_array_equal(joined, np.concatenate([images, more]))
    made = filled((9, 2, 2, 1), lambda start, stop: np.full((stop - start, 2, 2, 1), start))
    assert is_mapped(made)
    assert filled((0, 2, 2, 1), lambda start, stop: made[:0]).shape == (0, 2, 2, 1)


@pytest.mark.parametrize("size", [None, 8])
def test_a_map_is_read_like_an_array(arrays, elsewhere, size):
    images, labels = arrays
    held = eq.load((np.array(images), labels), size=size)
    mapped = eq.load((images, labels), size=size)
    assert held.digest == mapped.digest
    for name, part in mapped.parts.items():
        assert is_mapped(part.array)
        np.testing.assert_array_equal(part.array, held.parts[name].array)
    again = pickle.loads(pickle.dumps(mapped.train))
    np.testing.assert_array_equal(again.array, held.train.array)


@pytest.mark.parametrize("splits", [("",), ("train_", "val_", "test_")])
def test_an_uncompressed_npz_stays_in_its_file(arrays, elsewhere, tmp_path, monkeypatch, splits):
    images, labels = arrays
    parts = {f"{s}images": images[k::3] for k, s in enumerate(splits)}
    parts |= {f"{s}labels": labels[k::3] for k, s in enumerate(splits)}
    np.savez(tmp_path / "set.npz", **parts)
    np.savez_compressed(tmp_path / "small.npz", **parts)
    expected = eq.load(tmp_path / "set.npz")
    assert not is_mapped(expected.train.array)
    monkeypatch.setattr(npz, "_MAPPED", 1)
    mapped = eq.load(tmp_path / "set.npz")
    assert is_mapped(mapped.train.array)
    assert mapped.digest == expected.digest
    np.testing.assert_array_equal(mapped.train.array, expected.train.array)
    assert not is_mapped(eq.load(tmp_path / "small.npz").train.array)


def test_a_run_on_a_map_is_the_run_on_its_array(arrays, elsewhere):
    images, labels = arrays
    for recipe in ("article", "balanced"):
        losses = [
            eq.train(eq.load((source, labels)), recipe, epochs=1).history
            for source in (np.array(images), images)
        ]
        assert losses[0] == losses[1]


GROWING = """
import sys
import numpy as np
import equipoise as eq

def own():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

images = np.load(sys.argv[1], mmap_mode="r")
labels = np.arange(len(images)) % 4 // 3
peak = []
data = eq.load((images, labels))
peak.append(own())
class Enough(Exception):
    pass

def note(told):
    peak.append(own())
    if told.step == 4:
        raise Enough

try:
    eq.train(data, "balanced", epochs=1, progress=note)
except Enough:
    pass
print(max(peak) / 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_own_memory_does_not_grow_with_the_pixels(patches, tmp_path):
    some = patches(100, 64, 64)
    peaks = []
    for count in (4000, 12000):
        path = tmp_path / f"{count}.npy"
        np.save(path, np.tile(some, (count // 100, 1, 1, 1)))
        command = [sys.executable, "-c", GROWING, str(path)]
        runs = [subprocess.run(command, capture_output=True, check=True) for _ in range(3)]
        # What else a process takes differs by tens of MiB from run to run: the least tells most.
        peaks.append(min(float(run.stdout) for run in runs))
    # 98 MB of pixels more; both sets exceed what is looked at together, 2,000 images at most.
    assert peaks[1] - peaks[0] < 30
