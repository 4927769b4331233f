"""Work on many threads whose results come in order and never pile up."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from equipoise.writers.outputs import Outputs

__all__ = ["in_order", "threads"]

T = TypeVar("T")
R = TypeVar("R")


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


def threads(outputs: Outputs, jobs: int) -> int:
    """Return how many threads may augment: one where a technique is a function of the user's."""
    return 1 if any(technique.serial for technique in outputs.techniques) else jobs
