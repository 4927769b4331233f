"""Activations on disk: each is computed once, whatever is asked for, killed or damaged."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from equipoise.backbones import ActivationCache, Trunk, activations

PICTURES = np.random.default_rng(0).integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)


class Counting:
    """A trunk of known figures that counts the pictures it is shown."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale, self.seen = scale, 0

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.seen += len(pictures)
        return pictures.mean((1, 2)).astype(np.float32) * np.float32(self.scale)


def block(start: int, stop: int) -> np.ndarray:
    return PICTURES[start:stop]


def of(run: Counting, cache: ActivationCache, count: int = 600, **options) -> np.ndarray:
    return np.array(activations(block, count, Trunk(run, "a"), cache, **options))


def test_what_was_computed_is_not_computed_again(tmp_path):
    cache, first, again = ActivationCache(tmp_path), Counting(), Counting()
    some = of(first, cache, 300)
    values = of(again, cache)
    assert (first.seen, again.seen) == (300, 300)
    np.testing.assert_array_equal(values[:300], some)
    np.testing.assert_array_equal(values, first(PICTURES).astype(np.float16))


def test_a_picture_that_comes_twice_is_computed_once(tmp_path):
    run = Counting()
    twice = np.concatenate([PICTURES[:20], PICTURES[:20]])
    trunk = Trunk(run, "a")
    values = activations(lambda a, b: twice[a:b], 40, trunk, ActivationCache(tmp_path))
    assert run.seen == 20
    np.testing.assert_array_equal(values[:20], values[20:])


def test_the_number_of_threads_changes_nothing(tmp_path):
    found = [of(Counting(), ActivationCache(tmp_path / str(jobs)), jobs=jobs) for jobs in (1, 3)]
    np.testing.assert_array_equal(*found)


def test_another_trunk_has_rows_of_its_own(tmp_path):
    cache = ActivationCache(tmp_path)
    of(Counting(), cache)
    run = Counting(2.0)
    values = activations(block, 600, Trunk(run, "b"), cache)
    assert run.seen == 600
    np.testing.assert_array_equal(values, (PICTURES.mean((1, 2)) * 2).astype(np.float16))


def test_values_beyond_half_precision_keep_single(tmp_path):
    values = of(Counting(1e6), ActivationCache(tmp_path), 20)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_the_cache_stays_within_its_bound_and_keeps_what_was_used_last(tmp_path):
    one = ActivationCache(tmp_path)
    of(Counting(), one, 256)
    bound = one.size() * 2
    cache = ActivationCache(tmp_path, most_bytes=bound)
    for start in range(0, 600, 100):
        shifted = PICTURES[start : start + 100] // 2
        trunk = Trunk(Counting(), str(start))
        activations(lambda a, b, shifted=shifted: shifted[a:b], 100, trunk, cache)
    assert cache.size() <= bound + 100 * 100  # the last rows are there, whatever they take
    again = Counting()
    activations(lambda a, b: (PICTURES[500:600] // 2)[a:b], 100, Trunk(again, "500"), cache)
    assert again.seen == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "no values"])
def test_damaged_rows_are_computed_again(tmp_path, damage):
    cache = ActivationCache(tmp_path)
    whole = of(Counting(), cache, 100)
    (values,) = tmp_path.glob("*/*.values.npy")
    if damage == "no values":
        values.unlink()
    else:
        values.write_bytes(values.read_bytes()[:-40] if damage == "cut" else b"")
    run = Counting()
    np.testing.assert_array_equal(of(run, cache, 100), whole)
    assert run.seen == 100


def test_processes_that_compute_the_same_at_once_agree(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: of(Counting(), ActivationCache(tmp_path)), range(4)))
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])


def test_clear_leaves_nothing(tmp_path):
    cache = ActivationCache(tmp_path)
    of(Counting(), cache, 10)
    assert cache.clear() > 0
    assert cache.size() == 0


KILLED = """
import sys, time, numpy as np
from pathlib import Path
from equipoise.backbones import ActivationCache, Trunk, activations
rng = np.random.default_rng(0)
pictures = rng.integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)
def run(some):
    time.sleep(0.02)
    return some.mean((1, 2)).astype(np.float32)
def tell(done, total):
    print(done, flush=True)
cache = ActivationCache(Path(sys.argv[1]))
activations(lambda a, b: pictures[a:b], 600, Trunk(run, "a"), cache, progress=tell)
"""


def test_what_a_killed_process_has_done_is_kept(tmp_path: Path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        done = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    run = Counting()
    values = of(run, ActivationCache(tmp_path))
    assert run.seen <= 600 - done
    np.testing.assert_array_equal(values, PICTURES.mean((1, 2)).astype(np.float32).astype("f2"))
