"""Something done again and again while work goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["each_second"]


@contextmanager
def each_second(do: Callable[[], None]) -> Iterator[None]:
    """Call `do` about once a second on another thread, for as long as the block lasts."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            do()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
