"""Something done again and again while work goes on."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from equipoise.errors import Remark, reason

__all__ = ["each_second"]


@contextmanager
def each_second(do: Callable[[], None]) -> Iterator[None]:
    """Call `do` about once a second on another thread while the block lasts, and once at its end.

    What is shown does not decide about the work: where `do` fails, its next call comes all the
    same. The first failure is told as a warning.
    """
    stop, told = threading.Event(), False

    def once() -> None:
        nonlocal told
        try:
            do()
        except OSError:
            pass  # a file that came or went meanwhile; a full disk will be told of by the work
        except Exception as error:
            if not told:
                words = f"Progress: {type(error).__name__}: {reason(error)}"
                warnings.warn(Remark(words), stacklevel=2)
            told = True

    def watch() -> None:
        while not stop.wait(1.0):
            once()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        once()
