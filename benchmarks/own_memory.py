"""A process's own memory while it works: sampled, and told in a table.

Own memory is RssAnon of /proc/self/status: what no file backs, the interpreter and the libraries'
data in it. Pages of mapped files are the system's cache and do not count.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from equipoise.files import write_text

__all__ = ["apart", "own", "tell", "watched"]

_STEP = 0.02  # seconds between samples

T = TypeVar("T")


def apart(work: Callable[..., T], *arguments: object) -> T:
    """Return what `work` gives, done in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def own() -> float:
    """This process's own memory in MiB."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024


@contextmanager
def watched() -> Iterator[list[float]]:
    """Sample own memory all the while; the list's only number is the peak, in MiB."""
    peak, over = [own()], Event()

    def watch() -> None:
        while not over.wait(_STEP):
            peak[0] = max(peak[0], own())

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def tell(head: str, rows: Iterable[str], markdown: Path | None) -> None:
    """Print a table in Markdown row by row, and write it to a file if one is named."""
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    print("\n".join(lines), flush=True)
    for row in rows:
        lines.append(row)
        print(row, flush=True)
    if markdown:
        write_text(markdown, "\n".join(lines) + "\n")
