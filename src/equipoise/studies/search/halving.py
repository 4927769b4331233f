"""The search phase: waves of runs, each of newcomers at the first rung and those promoted.

Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016) over epochs: of all arms judged at a rung the best
third go on. What a wave holds is settled before it begins, so that the order in which its runs
end, and the number of them side by side, change nothing but the time it takes.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from math import ceil, inf
from time import time

from equipoise.errors import Remark
from equipoise.parallel import scattered
from equipoise.recipes import Recipe
from equipoise.studies.search.attempts import (
    ETA,
    Arm,
    Attempt,
    Result,
    is_late,
    key_of,
    read_result,
    run_attempt,
)
from equipoise.studies.search.sampling import suggest
from equipoise.studies.search.space import locate
from equipoise.studies.search.state import SearchState
from equipoise.studies.sequential import AUTO, planned_looks
from equipoise.training import Trainer, check

__all__ = ["FINALISTS", "SEEDS", "TAIL", "confirmation", "run_waves"]

# The share of the budget that is kept to confirm, at most.
CONFIRM = 0.4
# Of a confirmation: recipes, the baseline among them, and seeds at first.
FINALISTS, SEEDS = 3, AUTO[0]
# Seconds kept for what comes after its last run: the probes, the figures, the page. What they take
# is known after its first look alone.
TAIL = 6.0
# Newcomers of a wave, where the cores do not ask for more.
_COHORT = 6
# Of the time that is left, what a wave's plan may fill.
_FILLED = 0.8


def run_waves(state: SearchState, told: Callable[[], object]) -> None:
    """Search until the time for it, the trials or the space are used up.

    `told` is called whenever a run has ended.
    """
    lost = state.lost
    for attempt in lost:
        line = f"{state.plan.attempts / attempt.name}: its result is not what was written, or gone."
        warnings.warn(Remark(f"{line} The run is made again."), stacklevel=2)
    # However late it is: they are known to have ended, and everything after rests on them.
    for result in _carried_out(state, lost):
        state.add(result)
    while True:
        _keep_time_to_confirm(state)
        if not (wave := _pending(state)):
            _judge(state)
            _admit(state)
            wave = _pending(state)
        state.settle()
        if not wave:
            return
        _run(state, wave, told)
        for attempt in _pending(state):  # there was no time for them
            state.change(state.arms[attempt.arm], state="dropped")
        state.settle()


def _keep_time_to_confirm(state: SearchState) -> None:
    """Keep for the confirmation what it will take, within its share of the budget."""
    if state.plan.timed:
        design = confirmation(state, CONFIRM * state.plan.limits.seconds)
        state.kept = _seconds_to_confirm(state, *design)


def confirmation(state: SearchState, seconds: float) -> tuple[int, int]:
    """Return how many recipes and seeds can be confirmed in that time; two and three at least.

    No more seeds are planned than there is time for: the time kept for a look that would end too
    late would go to nobody.
    """
    for recipes in (FINALISTS, FINALISTS - 1):
        for seeds in range(AUTO[-1], SEEDS - 1, -1):
            if _seconds_to_confirm(state, recipes, seeds) <= seconds:
                return recipes, seeds
    return FINALISTS - 1, SEEDS


def _seconds_to_confirm(state: SearchState, recipes: int, seeds: int) -> float:
    """Seconds that all runs take side by side, and what comes after them at every look."""
    runs, looks = recipes * seeds, len(planned_looks("auto", seeds))
    return ceil(runs / state.plan.jobs) * _seconds_of_run(state) + looks * TAIL


def _carried_out(
    state: SearchState, attempts: Sequence[Attempt], deadline: float = inf
) -> Iterator[Result]:
    """Give the results of attempts as they end, of those that can end before the deadline."""
    plan = state.plan
    setup, seed, folder, of = plan.setup.blind, plan.seed, plan.attempts, plan.of
    needed = {attempt.name: _seconds_for(state, attempt) for attempt in attempts}
    if not state.results and attempts:
        # The first is the baseline's, which everything is set against: it is run in any case.
        needed[attempts[0].name] = -inf

    def work(attempt: Attempt) -> Result | None:
        if (known := read_result(folder, attempt, of)) is not None:
            return known
        # Looked at when a process is free for it: a run that cannot end in time is not begun.
        late = time() + needed[attempt.name] > deadline
        return None if late else run_attempt(attempt, setup, seed, folder, of)

    for result in scattered(work, attempts, jobs=plan.jobs, backend=setup.backend):
        if result is not None:
            yield result


def _pending(state: SearchState) -> list[Attempt]:
    """The runs that arms may have and have not had, longest first."""
    lengths = state.plan.rungs
    wanted = [
        state.attempt(arm, lengths[arm.rung])
        for arm in state.running
        if (arm.number, lengths[arm.rung]) not in state.results
    ]
    return sorted(wanted, key=lambda attempt: (-attempt.epochs, attempt.arm))


def _run(state: SearchState, wave: Sequence[Attempt], told: Callable[[], object]) -> None:
    """Do the runs of a wave that can end in time."""
    for result in _carried_out(state, wave, time() + state.search_left):
        state.add(result)
        told()


def _seconds_for(state: SearchState, attempt: Attempt) -> float:
    """Seconds that a run will take: by the arm's own pace where it is known, else by others'."""
    own = [r.seconds / r.epochs for r in list(state.results.values()) if r.arm == attempt.arm]
    return attempt.epochs * (min(own) if own else _seconds_of_epoch(state))


def _seconds_of_epoch(state: SearchState) -> float:
    """What three of four arms did not exceed, or what was expected."""
    paces: dict[int, float] = {}
    for result in list(state.results.values()):
        pace = result.seconds / result.epochs
        paces[result.arm] = min(pace, paces.get(result.arm, inf))
    if not paces:
        return state.plan.expected / state.plan.setup.trainer.epochs
    return sorted(paces.values())[(3 * len(paces)) // 4 - (len(paces) > 3)]


def _seconds_of_run(state: SearchState) -> float:
    """What a run of full length takes."""
    return _seconds_of_epoch(state) * state.plan.setup.trainer.epochs


def _judge(state: SearchState) -> None:
    """Decide the fate of the arms that have had all runs they may have."""
    lengths, waiting = state.plan.rungs, state.running
    last, late = len(lengths) - 1, state.search_left < _seconds_to_climb(state)
    direct = _best_few(state, waiting) if late else set()
    for arm in waiting:
        if arm.rung == last:
            state.change(arm, state="complete")
        elif arm.number in direct:
            state.change(arm, rung=last)
        elif not late and _among_best(state, state.results[arm.number, lengths[arm.rung]]):
            state.change(arm, rung=arm.rung + 1)
        else:
            state.change(arm, state="dropped")


def _seconds_to_climb(state: SearchState) -> float:
    """Seconds that a newcomer takes to climb all rungs."""
    return _seconds_of_epoch(state) * sum(state.plan.rungs)


def _among_best(state: SearchState, result: Result) -> bool:
    """Whether a result is in the best third of all at its rung; who came first wins a tie."""
    peers = [r for r in state.results.values() if r.epochs == result.epochs]
    better = sum((-r.utility, r.arm) < (-result.utility, result.arm) for r in peers)
    return better < max(1, len(peers) // ETA) and not result.failed


def _best_few(state: SearchState, waiting: Sequence[Arm]) -> set[int]:
    """Where no time is left to climb: who goes straight to full length in what there is."""
    lengths = state.plan.rungs
    rest = [arm for arm in waiting if arm.rung < len(lengths) - 1]
    rest.sort(key=lambda a: (-a.rung, -state.results[a.number, lengths[a.rung]].utility, a.number))
    rounds = int(state.search_left // _seconds_of_run(state))
    return {arm.number for arm in rest[: max(0, rounds) * state.plan.jobs]}


def _admit(state: SearchState) -> None:
    """Let newcomers in, as many as a wave takes and as the trials and the time allow."""
    plan, room = state.plan, _Room(state)
    trainer, known = plan.setup.trainer, {arm.key for arm in state.arms.values()}
    for recipe in plan.entrants:
        baseline = recipe is plan.entrants[0]
        first = not known and baseline
        if key_of(recipe, trainer) in known or not (first or room.has(recipe)):
            continue
        # The baseline is always judged at full length: everything is set against it.
        rung = len(plan.rungs) - 1 if baseline else _first_rung(state, recipe)
        choices = locate(plan.space, recipe) or {}
        state.arms[state.asked] = Arm(state.asked, recipe, trainer, rung, choices=choices)
        state.asked += 1
        known.add(key_of(recipe, trainer))
        room.take(recipe)
    while room.newcomers < _cohort(state) and plan.space and _suggested(state, room):
        pass


def _suggested(state: SearchState, room: "_Room") -> bool:
    """Let in what is suggested, if there is room for any and something new comes."""
    setup = state.plan.setup

    def fits(recipe: Recipe, trainer: Trainer) -> bool:
        check(setup.data, recipe, trainer, equal=setup.equal, objective=setup.objective)
        return room.has(recipe)

    if not room.any:
        return False
    arm = suggest(state, fits, lambda recipe: _first_rung(state, recipe))
    if arm is None:
        return False
    state.arms[arm.number] = arm
    room.take(arm.recipe)
    return True


def _first_rung(state: SearchState, recipe: Recipe) -> int:
    return len(state.plan.rungs) - 1 if is_late(recipe) else 0


def _cohort(state: SearchState) -> int:
    # Where trials are counted and not seconds, the number of cores must change nothing.
    return max(_COHORT, 2 * state.plan.jobs) if state.plan.timed else _COHORT


class _Room:
    """What a wave can still take in: arms, and seconds of all processes together."""

    def __init__(self, state: SearchState) -> None:
        self.newcomers = 0
        self._arms = state.plan.limits.trials - len(state.arms)
        self._wall, self._climb = state.search_left, _seconds_to_climb(state)
        self._whole = _seconds_of_run(state)
        planned = sum(_seconds_for(state, attempt) for attempt in _pending(state))
        self._seconds = _FILLED * state.plan.jobs * self._wall - planned
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
