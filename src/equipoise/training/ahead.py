"""Work done ahead on another thread."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(make: Callable[[Item], Result], items: Iterable[Item], depth: int) -> Iterator[Result]:
    """Yield ``make(item)`` of each item in order, always making the next `depth` of them.

    The engine and numpy release the interpreter, so the net computes meanwhile. An error in `make`
    is raised at its item's turn. With a depth of 0 nothing is made ahead, and all on this thread.
    """
    if depth == 0:
        yield from map(make, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Result]] = deque(
            pool.submit(make, item) for item in islice(items, depth)
        )
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(make, item) for item in islice(items, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
