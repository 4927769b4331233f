"""Who does the work: threads of this process, or a Ray cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from joblib import cpu_count

from equipoise.parallel import scattered
from equipoise.writers.outputs import Outputs

__all__ = ["Hands", "in_order", "threads"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Hands:
    """How many do the work, and where.

    Attributes
    ----------
    jobs : int, optional
        By default one a core of this machine, or of the cluster.
    backend : {'loky', 'ray'}
        With 'loky' threads of this process: all that takes long runs in code that does not hold
        Python's lock, and nothing has to travel.
    """

    jobs: int | None = None
    backend: str = "loky"

    @property
    def afar(self) -> bool:
        """Whether the work is done in other processes, perhaps on other machines."""
        return self.backend == "ray"

    def spread(self, work: Callable[[T], R], tasks: Iterable[T], outputs: Outputs) -> Iterator[R]:
        """Give `work` of each task."""
        if self.afar:
            return scattered(work, tasks, jobs=self.jobs, backend=self.backend)
        return in_order(work, tasks, threads(outputs, self.jobs))


def in_order(work: Callable[[T], R], tasks: Iterable[T], jobs: int) -> Iterator[R]:
    """Give `work` of each task in order; at most two tasks a thread are begun and not given.

    A failure or an interruption lets the tasks that run end and begins no other.
    """
    pool = ThreadPoolExecutor(jobs)
    begun: deque[Future[R]] = deque()
    try:
        for task in tasks:
            begun.append(pool.submit(work, task))
            if len(begun) >= 2 * jobs:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def threads(outputs: Outputs, jobs: int | None) -> int:
    """Return how many threads may augment: one where a technique is a function of the user's."""
    if any(technique.serial for technique in outputs.techniques):
        return 1
    return jobs or cpu_count()
