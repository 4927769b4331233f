"""How long a study will take: a run from its first steps, and all of them in a line."""

from collections.abc import Sequence
from math import ceil
from time import perf_counter

from equipoise.errors import plural
from equipoise.recipes import Recipe
from equipoise.studies.timing import in_words
from equipoise.studies.trials import TrainingSetup
from equipoise.training import Progress, Trainer

__all__ = ["expected_seconds", "forecast"]

# What is timed: so long, and so many steps at least.
_LOOK, _STEPS = 3.0, 10
# A step without gradients costs about so much of one with them.
_FORWARD = 0.35


def forecast(seconds: float, runs: Sequence[int], trainer: Trainer, beside: int) -> str:
    """Return a line on how long runs take, and what would shorten it.

    Parameters
    ----------
    seconds : float
        Of one run.
    runs : sequence of two int
        How many there will be at least, and at most.
    trainer : Trainer
    beside : int
        How many go side by side.
    """
    least, most = (in_words(ceil(count / beside) * seconds) for count in runs)
    more = f", up to {most} where the first seeds do not decide" if runs[1] > runs[0] else ""
    ways = "fewer recipes or seeds, a budget"
    if trainer.backbone is not None and trainer.tuned_blocks != 0:
        ways = f"trainer probe, {ways}"
    return (
        f"{plural(runs[0], 'run')} of about {in_words(seconds)} each, {beside} side by side: about "
        f"{least}{more}, and then the probes and the page. What shortens it: {ways}"
    )


class _EnoughError(Exception):
    """Enough steps have been timed."""


def expected_seconds(setup: TrainingSetup, recipe: Recipe, seed: int) -> float:
    """Return how long a whole run will take, from its first steps."""
    started = perf_counter()
    seen: list[tuple[float, Progress]] = []

    def look(progress: Progress) -> None:
        seen.append((perf_counter(), progress))
        if seen[-1][0] - seen[0][0] > _LOOK and len(seen) > _STEPS:
            raise _EnoughError

    try:
        setup.fit(recipe, seed, progress=look)
    except _EnoughError:
        return seen[0][0] - started + _extrapolated(seen, setup)
    return perf_counter() - started


def _extrapolated(seen: list[tuple[float, Progress]], setup: TrainingSetup) -> float:
    """Seconds of all steps and evaluations, from the steps seen."""
    (first, _), (last, told) = seen[0], seen[-1]
    if any(progress.row is not None for _, progress in seen):
        return (last - first) / max(told.step - 1, 1) * told.steps
    step = (last - first) / (len(seen) - 1)
    evaluated = 2 * len(setup.data.validation) + min(len(setup.data.train), 2000)
    return step * (told.steps + _FORWARD * told.epochs * evaluated / setup.trainer.batch_size)
