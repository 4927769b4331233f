"""A search under way: what it is asked for, and its state.

The state is the results of its attempts, each in a file of its own, and one small JSON with the
arms and the seconds that are gone. What the sampler knows is rebuilt from them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from joblib import cpu_count

from equipoise.files import forget_damaged, read_sealed, write_sealed
from equipoise.recipes import Recipe
from equipoise.studies.search.attempts import Arm, Attempt, Result, read_result, rungs
from equipoise.studies.search.space import Space
from equipoise.studies.timing import each_second
from equipoise.studies.trials import TrainingSetup
from equipoise.training import Trainer, side_by_side

__all__ = ["Limits", "SearchPlan", "SearchState", "ticking"]

_FILE = "state.json"
# The time between two notes of how much is gone: a search that is killed forgets no more.
_BEAT = 2.0


@dataclass(frozen=True)
class Limits:
    """How long a search may take: seconds (infinite without a budget) and arms."""

    seconds: float
    trials: int


@dataclass(frozen=True)
class SearchPlan:
    """What a search is asked for.

    Attributes
    ----------
    folder : Path
    setup : TrainingSetup
        With the trainer of a whole run. Only the confirmation reads the test split of its data.
    seed : int
    space : Space
    entrants : sequence of Recipe
        Those that enter first; the baseline leads them.
    limits : Limits
    expected : float
        Seconds that a whole run was expected to take before the first.
    command : str
    of : str
        By which its runs are told from those of another search.
    """

    folder: Path
    setup: TrainingSetup
    seed: int
    space: Space
    entrants: Sequence[Recipe]
    limits: Limits
    expected: float
    command: str
    of: str = ""

    @property
    def timed(self) -> bool:
        """Whether there is a budget of time."""
        return self.limits.seconds < inf

    @property
    def jobs(self) -> int:
        """Runs side by side."""
        return side_by_side(self.setup.jobs, self.setup.device) or cpu_count()

    @property
    def rungs(self) -> list[int]:
        """Epochs of each rung."""
        return rungs(self.setup.trainer.epochs)

    @property
    def attempts(self) -> Path:
        """Where runs lie."""
        return self.folder / "attempts"


@dataclass
class SearchState:
    """How far a search is.

    Attributes
    ----------
    plan : SearchPlan
    arms : dict of int to Arm
    results : dict of (arm, epochs) to Result
    asked : int
        How many arms were asked for, those that did not fit included.
    before, started : float
        Seconds that earlier processes took, and when this one began, by `monotonic`.
    kept : float
        Seconds of the budget that are kept to confirm.
    """

    plan: SearchPlan
    arms: dict[int, Arm] = field(default_factory=dict)
    results: dict[tuple[int, int], Result] = field(default_factory=dict)
    asked: int = 0
    before: float = 0.0
    started: float = field(default_factory=monotonic)
    kept: float = 0.0
    _lock: Any = field(default_factory=Lock, repr=False)
    _settled: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def resumed(cls, plan: SearchPlan, started: float) -> "SearchState":
        """Return the state of a search that was begun, or a new one; `started` by `monotonic`."""
        state, path = cls(plan, started=started), plan.folder / _FILE
        forget_damaged(
            path, "It is rebuilt from the runs, and the time that is gone is counted from now."
        )
        if path.is_file():
            found = read_sealed(path)
            state.asked, state.before = found["asked"], float(found["seconds"])
            state.arms = {arm["number"]: _arm(arm) for arm in found["arms"]}
            state._settled = found
        every = [state.attempt(arm, epochs) for arm in state.arms.values() for epochs in plan.rungs]
        for attempt in every:
            if (result := read_result(plan.attempts, attempt, plan.of)) is not None:
                state.add(result)
        return state

    @property
    def lost(self) -> list[Attempt]:
        """Attempts that had ended when the state was kept, and have no result any more."""
        return [
            self.attempt(self.arms[fields["number"]], epochs)
            for fields in self._settled.get("arms", ())
            for epochs in fields["epochs"]
            if (fields["number"], epochs) not in self.results
        ]

    @property
    def running(self) -> list[Arm]:
        """The arms whose fate is not decided."""
        return [arm for arm in self.arms.values() if arm.state == "running"]

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return self.before + monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left of the whole budget."""
        return self.plan.limits.seconds - self.spent

    @property
    def search_left(self) -> float:
        """Seconds left of the part that is for searching."""
        return self.left - self.kept

    def attempt(self, arm: Arm, epochs: int) -> Attempt:
        """Return a run of an arm."""
        return Attempt(arm.number, arm.recipe, arm.trainer, epochs)

    def add(self, result: Result) -> None:
        """Take in what a run showed."""
        self.results[result.arm, result.epochs] = result

    def change(self, arm: Arm, **fields: Any) -> None:
        """Let an arm go on to a rung, or decide its fate."""
        self.arms[arm.number] = replace(arm, **fields)

    def settle(self) -> None:
        """Keep what has been decided. Between two such moments only the time goes on."""
        epochs = {number: [e for n, e in self.results if n == number] for number in self.arms}
        arms = [{**_fields(arm), "epochs": epochs[arm.number]} for arm in self.arms.values()]
        self._settled = {"asked": self.asked, "arms": arms}
        self.note()

    def note(self) -> None:
        """Keep how much time is gone."""
        with self._lock:
            settled = self._settled or {"asked": 0, "arms": []}
            write_sealed(self.plan.folder / _FILE, {**settled, "seconds": self.spent})


def _fields(arm: Arm) -> dict[str, Any]:
    models = {key: getattr(arm, key).model_dump(mode="json") for key in ("recipe", "trainer")}
    return {**vars(arm), **models}


def _arm(fields: dict[str, Any]) -> Arm:
    rest = {key: fields[key] for key in ("number", "rung", "state", "choices")}
    return Arm(recipe=Recipe(**fields["recipe"]), trainer=Trainer(**fields["trainer"]), **rest)


@contextmanager
def ticking(state: SearchState, look: Callable[[], None] | None = None) -> Iterator[None]:
    """Note the time that is gone every two seconds, and call `look` every second."""
    last = -inf

    def beat() -> None:
        nonlocal last
        if state.spent - last >= _BEAT:
            state.note()
            last = state.spent
        if look is not None:
            look()

    try:
        with each_second(beat):
            yield
    finally:
        state.note()
