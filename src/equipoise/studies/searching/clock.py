"""The time a search may take: how it is written, how much is gone, how long a run will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic

from equipoise.files import forget_damaged, read_sealed, write_sealed
from equipoise.studies.timing import each_second, in_words, seconds_of

__all__ = ["CONFIRM", "Clock", "in_words", "resumed", "seconds_of", "ticking"]

# The share of the budget that is kept to confirm, at most.
CONFIRM = 0.4

_FILE = "clock.json"
# The time between two notes of how much is gone: a search that is killed forgets no more.
_BEAT = 2.0


@dataclass
class Clock:
    """Wall-clock time since the search began, what earlier processes took included.

    Attributes
    ----------
    folder : Path
        Where the time that is gone is kept.
    budget : float
        Seconds; infinite where the number of trials is the limit.
    before : float
        Seconds that earlier processes took.
    started : float
        When this process began, by `monotonic`.
    kept : float
        Seconds of the budget that are kept to confirm.
    """

    folder: Path
    budget: float = inf
    before: float = 0.0
    started: float = field(default_factory=monotonic)
    kept: float = 0.0

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return self.before + monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left of the whole budget."""
        return self.budget - self.spent

    @property
    def search_left(self) -> float:
        """Seconds left of the part that is for searching."""
        return self.left - self.kept

    def note(self) -> None:
        """Keep how much is gone."""
        write_sealed(self.folder / _FILE, {"seconds": self.spent})


def resumed(folder: Path, budget: float, started: float) -> Clock:
    """Return the clock of a search that was begun, or a new one; `started` by `monotonic`."""
    path = folder / _FILE
    forget_damaged(path, "The time that is gone is counted from now.")
    before = float(read_sealed(path)["seconds"]) if path.is_file() else 0.0
    return Clock(folder, budget, before, started)


@contextmanager
def ticking(clock: Clock, look: Callable[[], None] | None = None) -> Iterator[None]:
    """Note the time that is gone every two seconds, and call `look` every second."""
    last = -inf

    def beat() -> None:
        nonlocal last
        if clock.spent - last >= _BEAT:
            clock.note()
            last = clock.spent
        if look is not None:
            look()

    try:
        with each_second(beat):
            yield
    finally:
        clock.note()
