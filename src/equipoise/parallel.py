"""Work side by side: threads, processes of this machine (loky), or those of a Ray cluster.

With `backend="ray"` the cluster is the one that the environment variable
RAY_ADDRESS names; without it one is started on this machine for as long as the work lasts. Every
machine of a cluster needs this package and must see the data set and the output folder under the
same paths, as on a network file system.
"""

import os
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from joblib import Parallel, cpu_count, delayed

from equipoise.errors import InputError, WorkError, reason, require, unknown
from equipoise.shrinking import shrunk

if TYPE_CHECKING:
    import torch

__all__ = ["Backend", "ahead", "check_backend", "one_thread", "scattered", "seeded", "threaded"]

Backend = Literal["loky", "ray"]

_PATIENCE = 10  # seconds for a cluster to answer
_RETRIES = 3  # of a task whose process or machine is lost
_WATCH = 0.2  # seconds between looks whether the parent lives

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, so that results do not depend on the number of cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int, device: "torch.device") -> Iterator[None]:
    """Let torch draw from `seed` on the CPU and on `device`, and leave its generators as they were.

    `torch.manual_seed` would seed those of every GPU, which nothing brings back.
    """
    import torch

    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed % 2**63)
        if gpus:
            torch.cuda.manual_seed(seed % 2**63)
        yield


def threaded(work: Callable[[range], R], count: int, chunk: int) -> Iterator[R]:
    """Give `work` of each run of `chunk` of so many rows, in their order, by a thread a core."""
    runs = (range(start, min(start + chunk, count)) for start in range(0, count, chunk))
    with ThreadPoolExecutor(cpu_count()) as pool:
        yield from pool.map(work, runs)


def ahead(make: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """Yield ``make(item)`` of each item in order, always making the next `depth` of them.

    The engine and numpy release the interpreter, so the net computes meanwhile. An error in `make`
    is raised at its item's turn. With a depth of 0 nothing is made ahead, and all on this thread.
    """
    if depth == 0:
        yield from map(make, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting: deque[Future[R]] = deque(pool.submit(make, item) for item in islice(items, depth))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(make, item) for item in islice(items, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def check_backend(backend: str) -> None:
    """Raise `InputError` for a backend that there is not, or that is not installed."""
    if backend not in get_args(Backend):
        raise unknown("backend", backend, get_args(Backend))
    if backend == "ray":
        _ray()


def scattered(
    work: Callable[[T], R], tasks: Iterable[T], *, jobs: int | None = None, backend: str = "loky"
) -> Iterator[R]:
    """Give `work` of each task as it is done, in any order.

    Parameters
    ----------
    work : callable
        A closure may hold large arrays: they travel once, not once a task. It must be safe to do a
        task twice: with Ray, what a lost machine had begun is done again on another.
    tasks : iterable
    jobs : int, optional
        Tasks at a time; by default one a core of this machine, or of the cluster.
    backend : {'loky', 'ray'}

    Raises
    ------
    InputError
        For a backend that is not installed, or a cluster that does not answer.
    WorkError
        If a process is lost, or machines of the cluster time and again.
    Exception
        The first that `work` raises, as it is.
    """
    require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
    check_backend(backend)
    waiting = list(tasks)
    if waiting:
        yield from (_on_ray if backend == "ray" else _here)(work, waiting, jobs)


def _here(work: Callable[[T], R], tasks: Sequence[T], jobs: int | None) -> Iterator[R]:
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    # Large arrays go to the others as files: where TMPDIR says, and not into memory again.
    pool = Parallel(
        n_jobs=min(jobs or cpu_count(), len(tasks)),
        return_as="generator_unordered",
        temp_folder=tempfile.gettempdir(),
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    _start_trackers()
    try:
        with _deaf():
            results = pool(delayed(work)(task) for task in tasks)
        yield from results
    except BrokenProcessPool as error:
        if (why := shrunk()) is None and not isinstance(error, TerminatedWorkerError):
            raise
        raise _lost(why or "A process was killed, perhaps for want of memory") from None


def _start_trackers() -> None:
    """Start the resource trackers, which clear up after processes, with their warnings off.

    They have no other word for what an interrupted run has cleared up before them. And their start
    lets this thread hear Ctrl-C again.
    """
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as lokys

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        resource_tracker.ensure_running()
        lokys.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that are started here never hear Ctrl-C, which a terminal sends to all.

    It is for the one that they work for to end them: they would but print their tracebacks.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """End this process when its parent has: loky's own would do a dead one's task to its end."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _on_ray(work: Callable[[T], R], tasks: Sequence[T], jobs: int | None) -> Iterator[R]:
    """Ray's own tasks: of its pools, joblib's too, a process that is lost is not missed."""
    ray = _ray()
    with _cluster(min(jobs or cpu_count(), len(tasks))) as cores:
        held = _Held(ray.put(work), str(Path.cwd()))
        carry = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")(_carry)
        left = deque(tasks)
        begun: list[Any] = []
        try:
            while left or begun:
                while left and len(begun) < min(jobs or cores, cores):
                    begun.append(carry.remote(held, left.popleft()))
                done, begun = ray.wait(begun)
                yield ray.get(done[0])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError:
            what = shrunk() or "A process or machine of the Ray cluster was lost"
            raise _lost(what) from None


def _lost(what: str) -> WorkError:
    return WorkError(f"{what}. What is finished is whole; give the same command again to go on.")


@dataclass(frozen=True)
class _Held:
    """A reference to what lies in the cluster's object store, fetched once a process."""

    reference: Any
    folder: str  # where this process stands: relative paths are of it


def _carry(held: _Held, task: Any) -> Any:
    return _fetched(held)(task)


@lru_cache(maxsize=1)
def _fetched(held: _Held) -> Callable[[Any], Any]:
    if Path(held.folder).is_dir():
        os.chdir(held.folder)
    return _ray().get(held.reference)


@contextmanager
def _cluster(cores: int) -> Iterator[int]:
    """Connect to a cluster, or start one of so many cores here; give its number of cores."""
    ray = _ray()
    ours = not ray.is_initialized()
    try:
        if ours:
            _connect(ray, cores)
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, cores: int) -> None:
    address = os.environ.get("RAY_ADDRESS")
    # Its own cluster is on the loopback interface alone: nobody else can reach it.
    local = {"num_cpus": cores, "_node_ip_address": "127.0.0.1", "include_dashboard": False}
    how = {} if address else local
    try:
        if address:
            _knock(address)
        with _handled_as_before(signal.SIGTERM):
            ray.init(address or "local", log_to_driver=False, logging_level="critical", **how)
    except Exception as error:  # of any kind: Ray's own start raises a bare Exception
        if address:
            raise InputError(
                f"RAY_ADDRESS={address}: no Ray cluster answers there ({reason(error)})."
            ) from None
        raise WorkError(f"Ray does not start on this machine: {reason(error)}.") from None


@contextmanager
def _handled_as_before(number: signal.Signals) -> Iterator[None]:
    """Give a signal back its handler, which Ray's start takes away."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(number, before)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report home
    try:
        import ray
    except ImportError:
        raise InputError(
            "backend ray needs Ray, which is not installed: pip install 'equipoise[ray]'."
        ) from None
    return ray
