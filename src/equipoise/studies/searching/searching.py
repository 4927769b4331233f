"""`search`: the best recipe for a data set within a time budget."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, inf
from pathlib import Path
from time import monotonic
from typing import Any

from joblib import cpu_count

from equipoise.errors import DamagedError, InputError, plural, require, whole_seed
from equipoise.files import claim, forget_damaged, write_text
from equipoise.images import Splits
from equipoise.objectives import DEFAULT as BALANCED
from equipoise.objectives import ObjectiveLike
from equipoise.parallel import check_backend
from equipoise.readers import check_apart, read
from equipoise.recipes import Recipe, load_recipes
from equipoise.selection import Selection
from equipoise.studies.comparing import open_study
from equipoise.studies.forecasting import expected_seconds
from equipoise.studies.intact import is_intact
from equipoise.studies.searching import journal
from equipoise.studies.searching.arms import ENTRANTS
from equipoise.studies.searching.attempts import blind
from equipoise.studies.searching.clock import (
    in_words,
    resumed,
    seconds_of,
    ticking,
)
from equipoise.studies.searching.confirming import (
    BASELINE,
    confirm,
    finalists,
)
from equipoise.studies.searching.outcome import (
    BEST,
    FILE,
    conclude,
    read_search,
    write_best,
    write_search,
)
from equipoise.studies.searching.space import RECIPES, Space, read_space, trainer_dimensions
from equipoise.studies.searching.waves import SEEDS, TAIL, Hunt, run_waves, take_up
from equipoise.studies.study import Study
from equipoise.training import (
    Trainer,
    aim,
    check,
    get_device,
    large_side,
    side_by_side,
    takes,
    untested_words,
    with_trainer,
)
from equipoise.training.fingerprints import identity, of_recipe, of_trainer

__all__ = ["Search", "check_limits", "open_search", "search"]

# Most arms where the time is the limit: the more are judged on one validation split, the more the
# best of them owes to luck.
_MOST_TRIALS = 100

# Called about once a second with seconds (without a budget: trials) gone and in all, and a remark.
Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Search:
    """A search on disk.

    Attributes
    ----------
    directory : Path
    summary : dict
        What search.json holds.
    """

    directory: Path
    summary: dict[str, Any]

    @property
    def best(self) -> Recipe:
        """The recipe that won on validation; an error while the search is running."""
        return Recipe(**self._found("recipe"))

    @property
    def trainer(self) -> Trainer:
        """The trainer that goes with it."""
        return Trainer(**self._found("trainer"))

    @property
    def leaderboard(self) -> list[dict[str, Any]]:
        """A row a trial, best first, by its score on validation."""
        return self.summary["leaderboard"]

    @property
    def study(self) -> Study:
        """The comparison that confirmed the best."""
        return open_study(self.directory / "confirm")

    def _found(self, key: str) -> Any:
        if not self.summary["finished"]:
            raise InputError(f"{self.directory}: the search is not finished; give it again.")
        return self.summary[key]


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
    progress: Told | None = None,
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
    check_backend(backend)
    device = get_device(device).type  # settled here: machines of a cluster may differ
    wanted = _Limits.of(budget, trials, side_by_side(jobs, device))
    entrants = _entrants(recipes)
    large = large_side(trainer)  # an unknown name is refused before anything is read
    splits = data if isinstance(data, Splits) else read(data, Selection(seed=seed, large=large))
    splits, chosen = with_trainer(splits, trainer, epochs=epochs)
    if recipes is ENTRANTS:
        entrants = [recipe for recipe in entrants if takes(chosen, recipe)]
    where = _space(space, chosen, trainer_fields)
    for recipe in entrants:
        check(splits, recipe, chosen, equal=equal, objective=objective)
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="equipoise-"))
    for source in (splits.source, *(recipe.extra or "" for recipe in entrants)):
        check_apart(folder, source)
    goal = aim(splits, objective)
    settings: dict[str, Any] = {"equal": equal, "objective": goal, "seed": seed}
    expected = _expected(folder)
    if not expected and wanted.seconds < inf:
        expected = expected_seconds(splits, BASELINE, chosen, device=device, **settings)
        wanted.check(expected, monotonic() - began)
    fingerprint = _fingerprint(splits, chosen, entrants, where, wanted, settings)
    with claim(folder, "search", fingerprint):
        forget_damaged(folder / FILE, "It is written anew.")
        write_text(folder / "trainer.yaml", chosen.to_yaml())
        hunt = Hunt(
            folder=folder, data=blind(splits), space=where, entrants=entrants, trainer=chosen,
            study=journal.open_journal(folder), clock=resumed(folder, wanted.seconds, began),
            jobs=wanted.jobs, backend=backend, device=device, limit=wanted.trials,
            expected=expected,
            facts={**_facts(splits, where, command), **_told(settings), "expected": expected},
            of=identity(fingerprint), **settings,
        )  # fmt: skip
        if done := _finished(hunt):
            return Search(folder, done)
        with ticking(hunt.clock, None if progress is None else _telling(hunt, progress)):
            return Search(folder, _search(hunt, splits, command))


def check_limits(budget: str | None, trials: int | None, jobs: int | None) -> None:
    """Raise `InputError` where a search would for its limits, before any data is read."""
    _Limits.of(budget, trials, jobs)


def open_search(folder: str | Path) -> Search:
    """Return a search on disk, finished or running."""
    return Search(Path(folder), read_search(Path(folder)))


def _finished(hunt: Hunt) -> dict[str, Any] | None:
    """What a search that has ended found, where all that it rests on is still what was written."""
    if not (hunt.folder / FILE).is_file():
        return None
    found = read_search(hunt.folder)
    if not found["finished"] or take_up(hunt) or not is_intact(hunt.folder / "confirm"):
        return None
    if not (hunt.folder / BEST).is_file():
        write_best(hunt, found)
    return found


def _search(hunt: Hunt, data: Splits, command: str) -> dict[str, Any]:
    write_search(hunt)
    run_waves(hunt, lambda: write_search(hunt))
    write_search(hunt)
    who = finalists(hunt.arms, list(hunt.results.values()))
    found = conclude(hunt, who, confirm(hunt, data, who, command=command))
    write_best(hunt, found)
    return write_search(hunt, **found)


@dataclass(frozen=True)
class _Limits:
    """How long a search may take: seconds (infinite without a budget), trials, and processes."""

    seconds: float
    trials: int
    jobs: int

    @classmethod
    def of(cls, budget: str | None, trials: int | None, jobs: int | None) -> "_Limits":
        if budget is None and trials is None:
            raise InputError("How long to search is missing: give a budget such as 20m, or trials.")
        require(trials is None or trials >= 2, "trials >= 2", trials=trials)
        require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
        seconds = inf if budget is None else seconds_of(budget)
        return cls(seconds, trials or _MOST_TRIALS, jobs or cpu_count())

    def check(self, run: float, gone: float) -> None:
        """Raise `InputError` if the time cannot hold the least that a search is."""
        # The baseline and one other; then both with the seeds of a confirmation.
        runs = ceil(2 / self.jobs) + ceil(2 * SEEDS / self.jobs)
        least = gone + runs * run + TAIL
        require(
            self.seconds >= least,
            f"a budget of at least {in_words(least)}, with whole runs of about {in_words(run)} "
            f"and {self.jobs} side by side,",
            remedy="Fewer epochs or a smaller net make it less.",
            budget=in_words(self.seconds),
        )


def _expected(folder: Path) -> float:
    """Seconds that a search which is gone on with had expected a whole run to take; or 0."""
    try:
        return float(read_search(folder)["expected"]) if (folder / FILE).is_file() else 0.0
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


def _fingerprint(
    data: Splits,
    trainer: Trainer,
    entrants: Sequence[Recipe],
    space: Space,
    limits: _Limits,
    settings: dict[str, Any],
) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = {}
    for recipe in entrants:
        for key, value in of_recipe(data, recipe).items():
            fields.setdefault(key, {})[recipe.name] = value
    return {
        "data_digest": data.digest,
        **of_trainer(trainer),
        **settings,
        "objective": settings["objective"].to_json(),
        "budget": limits.seconds if limits.seconds < inf else None,
        "trials": limits.trials,
        "recipes": [recipe.name for recipe in entrants],
        **fields,
        "space": identity({"space": repr(space)}),
    }


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    goal = settings["objective"]
    return {**settings, "objective": goal.name, "tuned_for": goal.to_json()}


def _facts(data: Splits, space: Space, command: str) -> dict[str, Any]:
    return {
        "source": data.source,
        "data_digest": data.digest,
        "classes": list(data.classes),
        "left_out": [asdict(one) for one in data.left_out],
        "notes": list(data.notes),
        "untested_words": untested_words(data.untested, data.classes),
        "command": command,
        "dimensions": {d.name: {"of": d.of, "choices": list(d.choices)} for d in space},
    }


def _telling(hunt: Hunt, progress: Told) -> Callable[[], None]:
    timed = hunt.clock.budget < inf
    total = int(hunt.clock.budget) if timed else hunt.limit

    def tell() -> None:
        results = list(hunt.results.values())
        whole = [r for r in results if r.epochs == hunt.trainer.epochs]
        best = max(whole, key=lambda r: r.utility, default=None)
        judged = len({r.arm for r in results})
        remark = f"{plural(judged, 'trial')}, {plural(len(results), 'run')}"
        if best is not None:
            remark += f", best on validation {best.score:.3f}"
        if (hunt.folder / "confirm").is_dir():
            remark += ", confirming"
        if timed:
            progress(min(int(hunt.clock.spent), total), total, f"seconds, {remark}")
        else:
            progress(judged, total, remark)

    return tell
