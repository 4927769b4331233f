"""The search phase: waves of runs, each of newcomers at the first rung and those promoted.

Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016) over epochs: of all arms judged at a rung the best
third go on. What a wave holds is settled before it begins, so that the order in which its runs
end, and the number of them side by side, change nothing but the time it takes.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from pathlib import Path
from time import time
from typing import Any

from equipoise.errors import Remark
from equipoise.images import Splits
from equipoise.objectives import Objective
from equipoise.parallel import scattered
from equipoise.recipes import Recipe
from equipoise.studies.searching import journal
from equipoise.studies.searching.arms import ETA, Arm, is_late, key_of, rungs
from equipoise.studies.searching.attempts import Attempt, Result, carry_out, result_of
from equipoise.studies.searching.clock import CONFIRM, Clock
from equipoise.studies.searching.space import Space
from equipoise.studies.sequential import AUTO
from equipoise.training import Equal, Trainer, check

__all__ = ["FINALISTS", "SEEDS", "TAIL", "Hunt", "pace", "run_waves", "take_up"]

# Of a confirmation: recipes, the baseline among them, and seeds at first.
FINALISTS, SEEDS = 3, AUTO[0]
# Seconds kept for what comes after its last run: the probes, the figures, the page. What they take
# is known after its first look alone.
TAIL = 6.0
# Newcomers of a wave, where the cores do not ask for more.
_COHORT = 6
# Of the time that is left, what a wave's plan may fill.
_FILLED = 0.8


@dataclass
class Hunt:
    """A search under way.

    Attributes
    ----------
    folder : Path
    data : Splits
        Without its test split.
    entrants : sequence of Recipe
        Those that enter first; the baseline leads them.
    trainer : Trainer
    limit : int
        Most arms.
    expected : float
        Seconds that a whole run was expected to take before the first.
    facts : dict
        What search.json says of it besides what it finds.
    of : str
        By which its runs are told from those of another search.
    """

    folder: Path
    data: Splits
    space: Space
    entrants: Sequence[Recipe]
    trainer: Trainer
    study: journal.Journal
    clock: Clock
    seed: int
    equal: Equal
    objective: Objective
    jobs: int
    backend: str
    device: str
    limit: int
    expected: float
    facts: dict[str, Any]
    of: str
    results: dict[tuple[int, int], Result] = field(default_factory=dict)

    @property
    def rungs(self) -> list[int]:
        """Epochs of each rung."""
        return rungs(self.trainer.epochs)

    @property
    def place(self) -> Path:
        """Where runs lie."""
        return self.folder / "attempts"

    @property
    def arms(self) -> list[Arm]:
        """All arms by now."""
        return journal.arms(self.study)


def run_waves(hunt: Hunt, told: Callable[[], object]) -> None:
    """Search until the time for it, the trials or the space are used up.

    `told` is called whenever a run has ended.
    """
    lost = take_up(hunt)
    for attempt in lost:
        line = f"{hunt.place / attempt.name}: its result is not what was written, or gone."
        warnings.warn(Remark(f"{line} The run is made again."), stacklevel=2)
    # However late it is: the journal has them, and everything after rests on them.
    for result in scattered(_worker(hunt), lost, jobs=hunt.jobs, backend=hunt.backend):
        hunt.results[result.arm, result.epochs] = result
    while True:
        _keep(hunt)
        if not (wave := _pending(hunt)):
            _judge(hunt)
            _admit(hunt)
            wave = _pending(hunt)
        if not wave:
            journal.seal(hunt.folder)
            return
        _run(hunt, wave, told)
        _drop(hunt, _pending(hunt))
        journal.seal(hunt.folder)


def _keep(hunt: Hunt) -> None:
    """Keep for the confirmation what it can take: its share of the budget, or what it needs."""
    if hunt.clock.budget < inf:
        whole = pace(hunt) * hunt.trainer.epochs
        least = ceil(2 * SEEDS / hunt.jobs) * whole + TAIL
        most = ceil(FINALISTS * AUTO[-1] / hunt.jobs) * whole + len(AUTO) * TAIL
        hunt.clock.kept = max(least, min(CONFIRM * hunt.clock.budget, most))


def take_up(hunt: Hunt) -> list[Attempt]:
    """Read the results of the runs that have ended; return those that the journal has alone."""
    every = [
        Attempt(arm.number, arm.recipe, arm.trainer, epochs)
        for arm in hunt.arms
        for epochs in hunt.rungs
    ]
    for attempt in every:
        result = result_of(hunt.place, attempt, hunt.of)
        if result is not None:
            hunt.results[attempt.arm, attempt.epochs] = result
    lost = journal.noted(hunt.study) - hunt.results.keys()
    return [attempt for attempt in every if (attempt.arm, attempt.epochs) in lost]


def _worker(hunt: Hunt) -> Callable[[Attempt], Result]:
    data, place, of = hunt.data, hunt.place, hunt.of
    seed, equal, objective, device = hunt.seed, hunt.equal, hunt.objective, hunt.device

    def work(attempt: Attempt) -> Result:
        return carry_out(attempt, data, seed, equal, objective, device, place, of)

    return work


def _pending(hunt: Hunt) -> list[Attempt]:
    """The runs that arms may have and have not had, longest first."""
    lengths = hunt.rungs
    wanted = [
        Attempt(arm.number, arm.recipe, arm.trainer, lengths[arm.rung])
        for arm in hunt.arms
        if arm.state == "running" and (arm.number, lengths[arm.rung]) not in hunt.results
    ]
    return sorted(wanted, key=lambda attempt: (-attempt.epochs, attempt.arm))


def _run(hunt: Hunt, wave: Sequence[Attempt], told: Callable[[], object]) -> None:
    """Do the runs of a wave that can end in time."""
    deadline = time() + hunt.clock.search_left
    needed = {attempt.name: seconds_for(hunt, attempt) for attempt in wave}
    if not hunt.results:
        # The first is the baseline's, which everything is set against: it is run in any case.
        needed[wave[0].name] = 0.0
    run = _worker(hunt)

    def work(attempt: Attempt) -> Result | None:
        # Looked at when a process is free for it: a run that cannot end in time is not begun.
        return None if time() + needed[attempt.name] > deadline else run(attempt)

    for result in scattered(work, wave, jobs=hunt.jobs, backend=hunt.backend):
        if result is not None:
            hunt.results[result.arm, result.epochs] = result
            told()
    journal.note(hunt.study, hunt.results)


def _drop(hunt: Hunt, late: Sequence[Attempt]) -> None:
    """Give up the arms whose runs there was no time for."""
    for arm in hunt.arms:
        if any(attempt.arm == arm.number for attempt in late):
            journal.decide(hunt.study, arm, None)


def seconds_for(hunt: Hunt, attempt: Attempt) -> float:
    """Seconds that a run will take: by the arm's own pace where it is known, else by others'."""
    own = [r.seconds / r.epochs for r in list(hunt.results.values()) if r.arm == attempt.arm]
    return attempt.epochs * (min(own) if own else pace(hunt))


def pace(hunt: Hunt) -> float:
    """Seconds an epoch: what three of four arms did not exceed, or what was expected."""
    paces: dict[int, float] = {}
    for result in list(hunt.results.values()):
        pace = result.seconds / result.epochs
        paces[result.arm] = min(pace, paces.get(result.arm, inf))
    if not paces:
        return hunt.expected / hunt.trainer.epochs
    return sorted(paces.values())[(3 * len(paces)) // 4 - (len(paces) > 3)]


def _judge(hunt: Hunt) -> None:
    """Decide the fate of the arms that have had all runs they may have."""
    last = len(hunt.rungs) - 1
    waiting = [arm for arm in hunt.arms if arm.state == "running"]
    late = hunt.clock.search_left < _climb(hunt)
    direct = _best_few(hunt, waiting) if late else set()
    for arm in waiting:
        result = hunt.results[arm.number, hunt.rungs[arm.rung]]
        if arm.rung == last:
            journal.decide(hunt.study, arm, result.utility)
        elif arm.number in direct:
            journal.promote(hunt.study, arm, last)
        elif not late and _among_best(hunt, result):
            journal.promote(hunt.study, arm, arm.rung + 1)
        else:
            journal.decide(hunt.study, arm, None)


def _climb(hunt: Hunt) -> float:
    """Seconds that a newcomer takes to climb all rungs."""
    return pace(hunt) * sum(hunt.rungs)


def _among_best(hunt: Hunt, result: Result) -> bool:
    """Whether a result is in the best third of all at its rung; who came first wins a tie."""
    peers = [r for r in hunt.results.values() if r.epochs == result.epochs]
    better = sum((-r.utility, r.arm) < (-result.utility, result.arm) for r in peers)
    return better < max(1, len(peers) // ETA) and not result.failed


def _best_few(hunt: Hunt, waiting: Sequence[Arm]) -> set[int]:
    """Where no time is left to climb: who goes straight to full length in what there is."""
    rest = [arm for arm in waiting if arm.rung < len(hunt.rungs) - 1]
    rest.sort(
        key=lambda a: (-a.rung, -hunt.results[a.number, hunt.rungs[a.rung]].utility, a.number)
    )
    rounds = int(hunt.clock.search_left // (pace(hunt) * hunt.trainer.epochs))
    return {arm.number for arm in rest[: max(0, rounds) * hunt.jobs]}


def _admit(hunt: Hunt) -> None:
    """Let newcomers in, as many as a wave takes and as the trials and the time allow."""
    room = _Room(hunt)
    known = {arm.key for arm in hunt.arms}
    for recipe in hunt.entrants:
        first = not known and recipe is hunt.entrants[0]
        if key_of(recipe, hunt.trainer) in known or not (first or room.has(recipe)):
            continue
        # The baseline is always judged at full length: everything is set against it.
        rung = len(hunt.rungs) - 1 if recipe is hunt.entrants[0] else _first_rung(hunt, recipe)
        journal.enter(hunt.study, hunt.space, recipe, hunt.trainer, rung)
        known.add(key_of(recipe, hunt.trainer))
        room.take(recipe)
    while room.newcomers < _cohort(hunt) and hunt.space and _suggest(hunt, room):
        pass


def _suggest(hunt: Hunt, room: "_Room") -> bool:
    def fits(recipe: Recipe, trainer: Trainer) -> bool:
        check(hunt.data, recipe, trainer, equal=hunt.equal, objective=hunt.objective)
        return room.has(recipe)

    if not room.any:
        return False
    found = journal.suggest(
        hunt.study, hunt.space, hunt.trainer, seed=hunt.seed, fits=fits,
        rung_of=lambda recipe: _first_rung(hunt, recipe),
    )  # fmt: skip
    if found:
        room.take(hunt.arms[-1].recipe)
    return found


def _first_rung(hunt: Hunt, recipe: Recipe) -> int:
    return len(hunt.rungs) - 1 if is_late(recipe) else 0


def _cohort(hunt: Hunt) -> int:
    # Where trials are counted and not seconds, the number of cores must change nothing.
    return _COHORT if hunt.clock.budget == inf else max(_COHORT, 2 * hunt.jobs)


class _Room:
    """What a wave can still take in: arms, and seconds of all processes together."""

    def __init__(self, hunt: Hunt) -> None:
        self.newcomers = 0
        self._arms = hunt.limit - len(hunt.arms)
        self._wall, self._climb = hunt.clock.search_left, _climb(hunt)
        self._whole = pace(hunt) * hunt.trainer.epochs
        planned = sum(seconds_for(hunt, attempt) for attempt in _pending(hunt))
        self._seconds = _FILLED * hunt.jobs * self._wall - planned
        # Late bloomers, who take a whole run each, get half of it.
        self._late = self._seconds / 2

    @property
    def any(self) -> bool:
        return self._arms > 0 and self._seconds >= self._whole / ETA

    def has(self, recipe: Recipe) -> bool:
        if is_late(recipe):
            return self._arms > 0 and self._late >= self._whole <= self._wall
        return self.any and self._wall >= self._climb

    def take(self, recipe: Recipe) -> None:
        # At each rung a third go on for three times as long: a rung costs as much as the first.
        late = is_late(recipe)
        cost = self._whole if late else self._whole / ETA
        self._seconds -= cost
        self._late -= cost if late else 0.0
        self._arms -= 1
        self.newcomers += 1
