"""Work in many processes: results, errors, and what is lost on the way."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import InputError, WorkError
from equipoise.parallel import scattered, threaded


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a data set but for the lock and what names the folder."""
    left_out = (".lock", "summary.json")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in left_out)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core on this machine; a further one comes and goes in a test."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    def start():
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        found.add_node(num_cpus=1)
        return found

    try:
        started = start()
    except Exception:  # Ray gives a node 30 seconds to start, which a busy machine may not do
        ray.shutdown()
        started = start()
    before = os.environ.get("RAY_ADDRESS")
    os.environ["RAY_ADDRESS"] = started.address
    yield started
    os.environ.pop("RAY_ADDRESS")
    if before is not None:
        os.environ["RAY_ADDRESS"] = before
    ray.shutdown()
    started.shutdown()


def test_each_task_is_done_once_and_large_arrays_come_along():
    large = np.arange(2_000_000)
    done = scattered(lambda i: (i, int(large[i])), range(7), jobs=2)
    assert sorted(done) == [(i, i) for i in range(7)]
    assert list(scattered(lambda i: i, [])) == []


def test_threads_give_runs_of_rows_in_order():
    found = list(threaded(list, 10, 4))
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(threaded(list, 0, 4)) == []
    with pytest.raises(ZeroDivisionError):
        list(threaded(lambda rows: 1 // rows.start, 3, 1))


def test_an_error_comes_through_as_itself():
    def work(number: int) -> None:
        raise InputError(f"task {number} is wrong")

    with pytest.raises(InputError, match="task 0 is wrong"):
        list(scattered(work, [0], jobs=2))
    with pytest.raises(InputError, match=r"task \d is wrong"):
        list(scattered(work, range(4), jobs=2))


def test_a_process_that_is_killed_ends_in_one_line():
    with pytest.raises(WorkError, match=r"killed.* give the same command again") as error:
        list(scattered(lambda _: os._exit(9), range(3), jobs=2))
    assert "\n" not in str(error.value)


WORKS = """
import os, time
from pathlib import Path
from equipoise.parallel import scattered
def work(number):
    Path(f"{os.getcwd()}/{os.getpid()}").touch()
    time.sleep(60)
list(scattered(work, range(2), jobs=2))
"""


def test_workers_end_with_the_process_they_work_for(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", WORKS], cwd=tmp_path)
    until(lambda: len(list(tmp_path.iterdir())) == 2, seconds=60)
    parent.kill()
    parent.wait()
    workers = [Path("/proc", path.name, "stat") for path in tmp_path.iterdir()]
    until(lambda: not any(map(alive, workers)), seconds=20)


def alive(stat: Path) -> bool:
    """Whether a process is neither gone nor a zombie that nobody has waited for."""
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_mistakes():
    with pytest.raises(InputError, match=r"no backend 'rya'\. Did you mean 'ray'"):
        list(scattered(abs, [1], backend="rya"))
    with pytest.raises(InputError, match="jobs >= 1"):
        list(scattered(abs, [1], jobs=0))


def test_without_ray_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'equipoise\[ray\]'"):
        list(scattered(abs, [1], backend="ray"))


@pytest.fixture
def pictures(tmp_path):
    """A folder of 30 and 10 noisy pictures, with a test split."""
    import cv2

    rng = np.random.default_rng(0)
    counts = {"train": {"cat": 30, "dog": 10}, "test": {"cat": 3, "dog": 3}}
    for split, classes in counts.items():
        for name, count in classes.items():
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture = rng.integers(0, 255, (16, 16, 3), np.uint8)
                assert cv2.imwrite(str(folder / f"{number:02d}.png"), picture)
    return tmp_path / "photos"


@pytest.mark.slow
@pytest.mark.parametrize("format", ["folder", "parquet", "webdataset"])
def test_a_cluster_writes_the_same_bytes(cluster, pictures, tmp_path, format):
    for backend in ("loky", "ray"):
        eq.upsample(pictures, tmp_path / backend, format=format, backend=backend)
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "loky")


@pytest.mark.slow
def test_a_cluster_gives_the_same_table(cluster, tmp_path):
    studies = [
        eq.compare(
            "digits", ["none", "article"], seeds=2, epochs=2, out=tmp_path / backend,
            jobs=1 if backend == "loky" else None, backend=backend,
        )
        for backend in ("loky", "ray")
    ]  # fmt: skip
    tables = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in study.table]
        for study in studies
    ]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_an_error_on_a_cluster_comes_through_as_itself(cluster):
    def work(number: int) -> None:
        raise InputError(f"task {number} is wrong")

    with pytest.raises(InputError, match=r"task \d is wrong"):
        list(scattered(work, range(4), backend="ray"))


@pytest.mark.slow
def test_a_node_that_is_lost_in_the_middle_costs_nothing(cluster, pictures, tmp_path):
    lost = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    marks = tmp_path / "marks"
    marks.mkdir()

    def work(number: int) -> int:
        (marks / str(number)).touch()
        time.sleep(1)
        return number

    done = []
    for number in scattered(work, range(16), backend="ray"):
        done.append(number)
        if len(done) == 3:
            cluster.remove_node(lost)
    assert sorted(done) == list(range(16))


@pytest.mark.slow
def test_a_task_that_kills_its_process_each_time_ends_in_one_line(cluster):
    with pytest.raises(WorkError, match=r"lost.* give the same command again") as error:
        list(scattered(lambda _: os._exit(9), range(2), backend="ray"))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_an_address_where_no_cluster_is(monkeypatch):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(
        InputError, match=r"RAY_ADDRESS=127\.0\.0\.1:1: no Ray cluster answers there"
    ):
        list(scattered(abs, [1, 2], backend="ray"))
