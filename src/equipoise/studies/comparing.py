"""The honest comparison: recipes × seeds × draws, one trainer, one budget, the same splits."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, require
from equipoise.files import claim
from equipoise.images import Splits
from equipoise.metrics import HIGHER_IS_BETTER
from equipoise.parallel import check_backend, scattered
from equipoise.readers import load
from equipoise.recipes import Recipe, load_recipes
from equipoise.studies.calibration import check_prior
from equipoise.studies.drawing import check_draws, check_folds, check_oracle
from equipoise.studies.examples import write_examples
from equipoise.studies.facts import Plan, describe, extend, write_facts
from equipoise.studies.formats import ORACLE
from equipoise.studies.mistakes import write_mistakes
from equipoise.studies.probing import ask
from equipoise.studies.summary import summarise
from equipoise.studies.tables import DECISIONS
from equipoise.studies.trials import (
    Trial,
    finished,
    folder_of,
    over,
    progress_of,
    run_trial,
)
from equipoise.studies.watching import each_second
from equipoise.techniques import Technique
from equipoise.training import Equal, Trainer, check, get_device, get_trainer, side_by_side

__all__ = ["DEFAULT_RECIPES", "Study", "compare", "open_study"]

DEFAULT_RECIPES = ("none", "duplicate", "weights", "article", "balanced")

# Called about once a second with epochs done, epochs in all, and runs done.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Study:
    """A study on disk.

    Attributes
    ----------
    directory : Path
    summary : dict
        What summary.json holds.
    """

    directory: Path
    summary: dict[str, Any]

    @property
    def table(self) -> list[dict[str, Any]]:
        """A flat row a recipe and decision: each figure's mean, `_low` and `_high`."""
        return [
            {
                "recipe": row["recipe"],
                "decision": decision,
                "runs": row["runs"],
                "seconds": row["seconds"]["mean"],
                **{
                    metric + suffix: row[decision][metric][key]
                    for metric in HIGHER_IS_BETTER
                    for suffix, key in (("", "mean"), ("_low", "low"), ("_high", "high"))
                },
            }
            for row in self.summary["table"]
            for decision in DECISIONS
        ]

    @property
    def differences(self) -> list[dict[str, Any]]:
        """The paired differences to the first recipe, a row a recipe, decision and figure."""
        return self.summary["differences"]


def compare(
    data: Splits | str | Path,
    recipes: Sequence[str | Path | Recipe] = DEFAULT_RECIPES,
    *,
    seeds: int = 3,
    draws: int = 1,
    folds: int | None = None,
    oracle: bool = False,
    out: str | Path | None = None,
    trainer: str | Path | Trainer = "fast",
    epochs: int | None = None,
    equal: Equal = "steps",
    objective: str = "balanced_accuracy",
    prior: Mapping[str, float] | None = None,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Study:
    """Compare measures against imbalance on one data set.

    Every recipe is trained with the same trainer, the same seeds and splits and (unless
    ``equal="epochs"``) the same number of steps. The test split is read once a run, after
    training; decisions are tuned on validation.

    Parameters
    ----------
    data : Splits, or anything `load` reads
    recipes : sequence of recipe names, YAML files or `Recipe`
        The first is the reference that the others are set against.
    seeds : int
        Runs a recipe, at least 1; their seeds are ``seed, seed + 1, …``.
    draws : int
        How many draws of the training images that `take` or `long_tail` chose from more. The first
        is the data as given; each other draw takes as many of the same classes anew. Every seed
        is run with every draw.
    folds : int, optional
        For data too small to hold out: that many folds of all images are tested on in turn, each by
        nets that were trained on the others. Every seed is run with every fold.
    oracle : bool
        Also train the first recipe with the real images that were left out, and say how much of
        the way there each recipe goes.
    out : path, optional
        The study's folder. One that holds the same study is gone on with: finished runs stay, more
        recipes or seeds extend it. By default a new temporary folder.
    trainer : name, YAML file or Trainer
    epochs : int, optional
        Overrides the trainer's.
    equal : {'steps', 'epochs'}
        The same number of steps for every recipe, or the same number of passes over its own set.
    objective : str
        What the tuned decision maximises on validation; one of `metrics.OBJECTIVES`.
    prior : mapping of str to float, optional
        The share of each class where the nets will be used; calibration is judged there, too.
    seed : int
        Also cuts the splits, where `data` is not yet split.
    jobs : int, optional
        Runs side by side; by default one a core, on a GPU one. The table does not depend on it.
    backend : {'loky', 'ray'}
        Processes of this machine, or of a Ray cluster; see `equipoise.parallel`.
    device : {'auto', 'cpu', 'cuda'}
        Where the nets compute, as in `train`.
    command : str
        Shown in the report as the way to make it again.
    progress : callable, optional

    Raises
    ------
    InputError
        For a name, value or folder that is not right, before anything is written.
    """
    require(seeds >= 1, "seeds >= 1", seeds=seeds)
    require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
    check_backend(backend)
    device = get_device(device).type  # settled here: machines of a cluster may differ
    chosen = get_trainer(trainer, epochs=epochs)
    named = _named(recipes, oracle)
    splits = data if isinstance(data, Splits) else load(data, seed=seed)
    check_folds(splits, folds, draws, oracle=oracle)
    check_draws(splits, draws)
    wanted = check_prior(prior, splits.classes)
    if oracle:
        check_oracle(splits)
    plan = Plan(named, tuple(range(seed, seed + seeds)), tuple(range(folds or draws)), folds)
    for recipe in plan.recipes:
        check(splits, recipe, chosen, equal=equal, objective=objective)
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="equipoise-"))
    settings = {"equal": equal, "objective": objective}
    fingerprint = {
        "data_digest": splits.digest,
        # What is at its default is left out, so that a field added later changes nothing.
        "trainer": chosen.model_dump(mode="json", exclude_defaults=True),
        "folds": folds,
        **settings,
    }
    with claim(folder, "comparison", fingerprint):
        plan = extend(folder, plan)
        facts = describe(
            splits, chosen, command=command, seed=seed, folds=folds, prior=wanted, **settings
        )
        write_facts(folder, plan, facts, chosen)
        techniques = _techniques(plan.recipes)
        write_examples(folder / "examples", splits.train, techniques, seed)
        with _watched(folder, plan.trials, chosen.epochs, progress):
            _run(folder, plan.trials, splits, chosen, facts, jobs, backend, device)
        _probe(folder, plan.trials, splits, techniques, seed, jobs, backend)
        _keep_mistakes(folder, plan, splits)
        return Study(folder, summarise(folder))


def open_study(folder: str | Path) -> Study:
    """Return a study on disk, finished or running, its summary brought up to date."""
    return Study(Path(folder), summarise(Path(folder)))


def _named(recipes: Sequence[str | Path | Recipe], oracle: bool) -> tuple[Recipe, ...]:
    """Return the recipes; the oracle is the first of them under another name, and the last."""
    given = load_recipes(recipes)
    if any(recipe.name == ORACLE for recipe in given):
        raise InputError(f"The name '{ORACLE}' is kept for --oracle: give the recipe another.")
    return (*given, *([given[0].model_copy(update={"name": ORACLE})] if oracle else []))


def _techniques(recipes: Sequence[Recipe]) -> list[Technique]:
    """Every technique that any recipe uses, once, in order."""
    return list({t.name: t for recipe in recipes for t in recipe.resolved()}.values())


def _run(
    folder: Path,
    trials: Sequence[Trial],
    data: Splits,
    trainer: Trainer,
    facts: dict[str, Any],
    jobs: int | None,
    backend: str,
    device: str,
) -> None:
    place = folder.resolve()  # a process elsewhere may stand in another folder
    missing = [trial for trial in trials if not over(folder_of(folder, trial))]

    def work(trial: Trial) -> None:
        equal, objective = facts["equal"], facts["objective"]
        run_trial(trial, data, trainer, equal, objective, device, folder_of(place, trial))

    for _ in scattered(work, missing, jobs=side_by_side(jobs, device), backend=backend):
        pass


def _probe(
    folder: Path,
    trials: Sequence[Trial],
    data: Splits,
    techniques: Sequence[Technique],
    seed: int,
    jobs: int | None,
    backend: str,
) -> None:
    place = folder.resolve()
    done = [trial for trial in trials if finished(folder_of(folder, trial))]

    def work(trial: Trial) -> None:
        ask(folder_of(place, trial), trial, data, techniques, seed)

    for _ in scattered(work, done, jobs=jobs, backend=backend):
        pass


def _keep_mistakes(folder: Path, plan: Plan, data: Splits) -> None:
    done = [
        [
            folder_of(folder, trial)
            for trial in plan.trials
            if trial.recipe.name == recipe.name and finished(folder_of(folder, trial))
        ]
        for recipe in plan.recipes
    ]
    write_mistakes(folder / "examples", done, data)


@contextmanager
def _watched(
    folder: Path, trials: Sequence[Trial], epochs: int, progress: Progress | None
) -> Iterator[None]:
    """Report progress from the runs' folders, so that it is the same for any backend."""
    if progress is None:
        yield
        return

    def look() -> None:
        ended = [over(folder_of(folder, trial)) for trial in trials]
        done = [
            epochs if end else progress_of(folder_of(folder, trial))
            for trial, end in zip(trials, ended, strict=True)
        ]
        progress(sum(done), epochs * len(trials), sum(ended))

    try:
        with each_second(look):
            yield
    finally:
        look()
