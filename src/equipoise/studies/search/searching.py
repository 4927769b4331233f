"""`search`: the best recipe for a data set within a time budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path
from time import monotonic
from typing import Any

from equipoise.errors import DamagedError, InputError, plural, require, whole_seed
from equipoise.files import claim, forget_damaged, write_text
from equipoise.images import Splits
from equipoise.objectives import DEFAULT as BALANCED
from equipoise.objectives import ObjectiveLike
from equipoise.recipes import Recipe, load_recipes
from equipoise.studies.comparing import open_study
from equipoise.studies.forecasting import expected_seconds
from equipoise.studies.integrity import is_intact
from equipoise.studies.search.attempts import ENTRANTS
from equipoise.studies.search.confirming import BASELINE, confirm, finalists
from equipoise.studies.search.halving import SEEDS, TAIL, run_waves
from equipoise.studies.search.outcome import (
    BEST,
    FILE,
    SearchSummary,
    conclude,
    read_search,
    write_best,
    write_search,
)
from equipoise.studies.search.space import RECIPES, Space, read_space, trainer_dimensions
from equipoise.studies.search.state import Limits, SearchPlan, SearchState, ticking
from equipoise.studies.summary import Study
from equipoise.studies.timing import in_words, seconds_of
from equipoise.studies.trials import check_output, check_setup, read_for
from equipoise.training import Trainer, takes
from equipoise.training.fingerprints import identity, of_recipe, of_trainer

__all__ = ["Search", "check_limits", "open_search", "search"]

# Most arms where the time is the limit: the more are judged on one validation split, the more the
# best of them owes to luck.
_MOST_TRIALS = 100

# Called about once a second with seconds (without a budget: trials) gone and in all, and a remark.
OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Search:
    """A search on disk.

    Attributes
    ----------
    directory : Path
    found : SearchSummary
    """

    directory: Path
    found: SearchSummary

    @property
    def summary(self) -> dict[str, Any]:
        """What search.json holds."""
        return self.found.to_dict()

    @property
    def best(self) -> Recipe:
        """The recipe that won on validation; an error while the search is running."""
        recipe = self.found.recipe
        if recipe is None:
            raise self._unfinished()
        return recipe

    @property
    def trainer(self) -> Trainer:
        """The trainer that goes with it."""
        trainer = self.found.trainer
        if trainer is None:
            raise self._unfinished()
        return trainer

    @property
    def leaderboard(self) -> list[dict[str, Any]]:
        """A row a trial, best first, by its score on validation."""
        return self.summary["leaderboard"]

    @property
    def study(self) -> Study:
        """The comparison that confirmed the best."""
        return open_study(self.directory / "confirm")

    def _unfinished(self) -> InputError:
        return InputError(f"{self.directory}: the search is not finished; give it again.")


def search(
    data: Splits | str | Path,
    *,
    budget: str | None = None,
    trials: int | None = None,
    out: str | Path | None = None,
    recipes: Sequence[str | Path | Recipe] = ENTRANTS,
    trainer: str | Path | Trainer | None = None,
    epochs: int | None = None,
    trainer_fields: bool = False,
    space: str | Path | Space | None = None,
    equal: str = "steps",
    objective: ObjectiveLike = BALANCED,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    device: str = "auto",
    command: str = "",
    progress: OnProgress | None = None,
    started: float | None = None,
) -> Search:
    """Find the best recipe for a data set within a time budget.

    Named recipes are tried first, then what TPE suggests; short runs decide which go on to longer
    ones. All that is judged on validation. Two fifths of the budget are kept to run the best two
    and the baseline again with new seeds; only then is the test split read.

    Parameters
    ----------
    data : Splits, or anything `load` reads
    budget : str, optional
        Wall-clock time, such as "90s", "20m" or "1h30m". This or `trials` is needed.
    trials : int, optional
        Most recipes (with their trainers) to try, at least 2; 100 where there is a budget.
    out : path, optional
        The search's folder. One that holds the same search is gone on with. By default a new
        temporary folder.
    recipes : sequence of recipe names, YAML files or `Recipe`
        What is tried first; the baseline 'none' leads them in any case.
    trainer : name, YAML file or Trainer, optional
        By default as in `train`.
    epochs : int, optional
        Overrides the trainer's: the length of a whole run.
    trainer_fields : bool
        Whether fields of the trainer are searched too.
    space : path or Space, optional
        A YAML file with keys `recipe` and `trainer`, each with fields and lists of their values,
        in the place of the built-in space.
    equal, objective, jobs, backend, device, command
        As in `compare`.
    seed : int
        Of every run of the search; the confirmation takes ``seed + 1, seed + 2, …``.
    progress : callable, optional
    started : float, optional
        When the budget began, by `time.monotonic`; by default now.

    Raises
    ------
    InputError
        For a name, value or folder that is not right, or a budget that is too small, before
        anything is written.
    """
    began, seed = monotonic() if started is None else started, whole_seed(seed)
    limits = check_limits(budget, trials, jobs)
    entrants = _entrants(recipes)
    splits, chosen = read_for(trainer, data, epochs=epochs, seed=seed)
    rule, name = "a trainer whose epochs a search can shorten", chosen.name
    require(chosen.function is None, rule, "A function is for compare.", trainer=name)
    if recipes is ENTRANTS:
        entrants = [recipe for recipe in entrants if takes(chosen, recipe)]
    where = _space(space, chosen, trainer_fields)
    setup = check_setup(
        splits, entrants, chosen, equal=equal, objective=objective, device=device, jobs=jobs,
        backend=backend,
    )  # fmt: skip
    folder = check_output(out, splits, entrants)
    plan = SearchPlan(folder, setup, seed, where, entrants, limits, _expected(folder), command)
    if not plan.expected and plan.timed:
        plan = replace(plan, expected=expected_seconds(plan.setup.blind, BASELINE, seed))
        _check_budget(plan, monotonic() - began)
    fingerprint = _fingerprint(plan)
    with claim(folder, "search", fingerprint, setup.data.read_with):
        forget_damaged(folder / FILE, "It is written anew.")
        write_text(folder / "trainer.yaml", chosen.to_yaml())
        state = SearchState.resumed(replace(plan, of=identity(fingerprint)), began)
        if done := _finished(state):
            return Search(folder, done)
        with ticking(state, None if progress is None else _telling(state, progress)):
            return Search(folder, _search(state))


def check_limits(budget: str | None, trials: int | None, jobs: int | None) -> Limits:
    """Return how long a search may take.

    Raises
    ------
    InputError
        Where that is not said, or not right.
    """
    if budget is None and trials is None:
        raise InputError("How long to search is missing: give a budget such as 20m, or trials.")
    require(trials is None or trials >= 2, "trials >= 2", trials=trials)
    require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
    return Limits(inf if budget is None else seconds_of(budget), trials or _MOST_TRIALS)


def open_search(folder: str | Path) -> Search:
    """Return a search on disk, finished or running."""
    return Search(Path(folder), read_search(Path(folder)))


def _finished(state: SearchState) -> SearchSummary | None:
    """What a search that has ended found, where all that it rests on is still what was written."""
    folder = state.plan.folder
    if not (folder / FILE).is_file():
        return None
    found = read_search(folder)
    if not found.finished or state.lost or not is_intact(folder / "confirm"):
        return None
    if not (folder / BEST).is_file():
        write_best(folder, found)
    return found


def _search(state: SearchState) -> SearchSummary:
    write_search(state)
    run_waves(state, lambda: write_search(state))
    write_search(state)
    who = finalists(state)
    return write_search(state, **conclude(state, who, confirm(state, who)))


def _check_budget(plan: SearchPlan, gone: float) -> None:
    """Raise `InputError` if the time cannot hold the least that a search is."""
    # The baseline and one other; then both with the seeds of a confirmation.
    runs = ceil(2 / plan.jobs) + ceil(2 * SEEDS / plan.jobs)
    least = gone + runs * plan.expected + TAIL
    require(
        plan.limits.seconds >= least,
        f"a budget of at least {in_words(least)}, with whole runs of about "
        f"{in_words(plan.expected)} and {plan.jobs} side by side,",
        remedy="Fewer epochs or a smaller net make it less.",
        budget=in_words(plan.limits.seconds),
    )


def _expected(folder: Path) -> float:
    """Seconds that a search which is gone on with had expected a whole run to take; or 0."""
    try:
        return read_search(folder).expected if (folder / FILE).is_file() else 0.0
    except DamagedError:
        return 0.0


def _entrants(recipes: Sequence[str | Path | Recipe]) -> list[Recipe]:
    """The recipes that enter first, the baseline at their head."""
    given = load_recipes(recipes)
    return [BASELINE, *(recipe for recipe in given if recipe != BASELINE)]


def _space(space: str | Path | Space | None, trainer: Trainer, fields: bool) -> Space:
    found = RECIPES if space is None else space
    if isinstance(found, str | Path):
        found = read_space(Path(found))
    if not fields:
        return found
    mine = {dimension.name for dimension in found if dimension.of == "trainer"}
    return (*found, *(d for d in trainer_dimensions(trainer) if d.name not in mine))


def _fingerprint(plan: SearchPlan) -> dict[str, Any]:
    setup = plan.setup
    fields: dict[str, dict[str, Any]] = {}
    for recipe in plan.entrants:
        for key, value in of_recipe(setup.data, recipe).items():
            fields.setdefault(key, {})[recipe.name] = value
    return {
        "data": setup.data.digest,
        **of_trainer(setup.trainer),
        "equal": setup.equal,
        "objective": setup.objective.to_json(),
        "seed": plan.seed,
        "budget": plan.limits.seconds if plan.timed else None,
        "trials": plan.limits.trials,
        "recipes": [recipe.name for recipe in plan.entrants],
        **fields,
        "space": identity({"space": repr(plan.space)}),
    }


def _telling(state: SearchState, progress: OnProgress) -> Callable[[], None]:
    plan = state.plan
    total = int(plan.limits.seconds) if plan.timed else plan.limits.trials

    def tell() -> None:
        results = list(state.results.values())
        whole = [r for r in results if r.epochs == plan.rungs[-1]]
        best = max(whole, key=lambda r: r.utility, default=None)
        judged = len({r.arm for r in results})
        remark = f"{plural(judged, 'trial')}, {plural(len(results), 'run')}"
        if best is not None:
            remark += f", best on validation {best.score:.3f}"
        if (plan.folder / "confirm").is_dir():
            remark += ", confirming"
        if plan.timed:
            progress(min(int(state.spent), total), total, f"seconds, {remark}")
        else:
            progress(judged, total, remark)

    return tell
