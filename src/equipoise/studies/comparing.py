"""The honest comparison: recipes × seeds × draws, one trainer, one budget, the same splits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from joblib import cpu_count

from equipoise.errors import InputError, require, whole_seed
from equipoise.files import claim, read_json
from equipoise.images import Splits
from equipoise.objectives import DEFAULT as BALANCED
from equipoise.objectives import ObjectiveLike
from equipoise.parallel import scattered
from equipoise.recipes import Recipe, load_recipes
from equipoise.studies.analysis import after_look
from equipoise.studies.calibration import check_prior
from equipoise.studies.diagnostics import run_probes
from equipoise.studies.drawing import check_draws, check_folds, check_oracle
from equipoise.studies.evaluating import check_question, evaluated, is_evaluation
from equipoise.studies.forecasting import expected_seconds, forecast
from equipoise.studies.formats import ORACLE
from equipoise.studies.integrity import remove_damaged, trial_identity
from equipoise.studies.pictures import write_examples, write_mistakes
from equipoise.studies.scoring import objective_table
from equipoise.studies.sequential import AUTO, Ledger, begin, planned_looks, seeds_due
from equipoise.studies.sequential import extend as extend_ledger
from equipoise.studies.study_file import (
    StudyFile,
    StudyPlan,
    check_contents,
    describe_study,
    earlier_study,
    extend_plan,
    read_plan,
    write_study_file,
)
from equipoise.studies.summarising import outcomes_of, summarise
from equipoise.studies.summary import Study
from equipoise.studies.timing import each_second, seconds_of
from equipoise.studies.trials import (
    TrainingSetup,
    Trial,
    by_recipe,
    check_output,
    check_setup,
    finished,
    folder_of,
    over,
    progress_of,
    read_for,
    run_trial,
)
from equipoise.techniques import Technique
from equipoise.training import Equal, TrainerLike, extract, side_by_side
from equipoise.training.fingerprints import of_trainer
from equipoise.training.own import check_resumable

__all__ = ["DEFAULT_RECIPES", "check_study", "compare", "open_study"]

DEFAULT_RECIPES = ("none", "duplicate", "weights", "article", "balanced")

# Called about once a second with epochs done, epochs in all, and runs done.
Progress = Callable[[int, int, int], None]


def compare(
    data: Splits | str | Path,
    recipes: Sequence[str | Path | Recipe] = DEFAULT_RECIPES,
    *,
    seeds: int | Literal["auto"] = "auto",
    most_seeds: int = AUTO[-1],
    budget: str | None = None,
    draws: int = 1,
    folds: int | None = None,
    oracle: bool = False,
    out: str | Path | None = None,
    trainer: TrainerLike | None = None,
    epochs: int | None = None,
    equal: Equal = "steps",
    objective: ObjectiveLike = BALANCED,
    decision: Literal["tuned", "plain"] = "tuned",
    margin: float = 1.0,
    prior: Mapping[str, float] | None = None,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    started: float | None = None,
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
    seeds : int or 'auto'
        Runs a recipe; their seeds are ``seed, seed + 1, …``. 'auto' looks at 3, 5, 7 and 9 seeds,
        and a recipe gets no more of them once it is decided, or more could not decide it. The
        chance of a false claim over all looks is that of one.
    most_seeds : int
        At which 'auto' ends, at least 3.
    budget : str, optional
        Wall-clock time such as "2h": no further look is begun that would not end within it.
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
    trainer : name, YAML file, Trainer or callable, optional
        By default as in `train`; or a function that trains: see `equipoise.training.Task`.
    epochs : int, optional
        Overrides the trainer's.
    equal : {'steps', 'epochs'}
        The same number of steps for every recipe, or the same number of passes over its own set.
    objective : str, mapping or Objective
        What every recipe's decision is tuned for on validation, and what the study is judged by:
        see `equipoise.objectives.Objective`.
    decision : {'tuned', 'plain'}
        With which decision recipes are compared.
    margin : float
        The smallest difference that matters, in points (hundredths of the figure).
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
    announce : callable, optional
        Called before the first run with a line on how long the study will take, from the first
        steps of one run, and on what would shorten it.
    started : float, optional
        When the budget began, by `time.monotonic`; by default now.

    Raises
    ------
    InputError
        For a name, value or folder that is not right, before anything is written.
    """
    seed, began = whole_seed(seed), monotonic() if started is None else started
    check_study(seeds, most_seeds, budget, decision, margin)
    planned = planned_looks(seeds, most_seeds)
    seconds = inf if budget is None else seconds_of(budget)
    named = _named(recipes, oracle)
    splits, chosen = read_for(trainer, data, epochs=epochs, seed=seed)
    setup = check_setup(
        splits, named, chosen, equal=equal, objective=objective, device=device, jobs=jobs,
        backend=backend,
    )  # fmt: skip
    goal = setup.objective
    check_folds(splits, folds, draws, oracle=oracle)
    check_draws(splits, draws)
    wanted = check_prior(prior, splits.classes)
    if oracle:
        check_oracle(splits)
    folder = check_output(out, splits, named)
    check_resumable(folder, chosen)
    asked: dict[str, Any] = {"decision": decision, "margin": margin}
    fingerprint = {
        "data": splits.digest,
        "pool of withheld images": None if splits.withheld is None else splits.withheld.digest,
        **of_trainer(chosen),
        "folds": folds,
        "equal": equal,
        "objective": goal.to_json(),
        **asked,
    }
    with claim(folder, "comparison", fingerprint, splits.read_with):
        earlier = earlier_study(folder)
        if seeds != "auto":  # other seeds than those of the study come to them
            known = () if earlier is None else earlier.seeds
            planned = (len({*known, *range(seed, seed + seeds)}),)
        ledger = _ledger(earlier, named, planned)
        every = tuple(range(seed, seed + ledger.most_seeds)), tuple(range(folds or draws))
        plan = extend_plan(folder, StudyPlan(named, *every, folds), earlier)
        # A study's resamples and probes keep the seed that it was begun with.
        seed = seed if earlier is None else earlier.seed
        asked |= {
            "command": command,
            "prior": wanted,
            "seed": seed % 2**64,  # NumPy's generators, which resample by it, take no negative one
            "contents": check_contents(folder, splits, plan.recipes, earlier),
        }
        about = describe_study(setup, fingerprint, folds).model_copy(update=asked)
        remove_damaged(folder, plan.trials, about)
        write_examples(folder / "examples", splits.train, _techniques(plan.recipes), seed)
        work = _Work(folder, setup, about, progress)
        begun = None if earlier is None else read_plan(folder)
        if (runs := _to_come(work, plan, ledger))[0]:
            extract(splits, chosen, backend)
            if announce is not None:
                announce(forecast(_one_run(work, plan), runs, chosen, _beside(work)))
        return _look_by_look(work, plan, begun, ledger, began + seconds)


def check_study(
    seeds: int | Literal["auto"], most_seeds: int, budget: str | None, decision: str, margin: float
) -> None:
    """Raise `InputError` where a study would for what is asked of it, before any data is read."""
    if seeds == "auto":
        require(most_seeds >= AUTO[0], f"most_seeds >= {AUTO[0]}", most_seeds=most_seeds)
    else:
        require(isinstance(seeds, int) and seeds >= 1, "seeds >= 1, or 'auto',", seeds=seeds)
    if budget is not None:
        seconds_of(budget)
    check_question(decision, margin)


def _ledger(
    earlier: StudyFile | None, recipes: Sequence[Recipe], planned: tuple[int, ...]
) -> Ledger:
    """Return what a study has spent, made ready for what is asked for now."""
    known = () if earlier is None else earlier.recipes
    names = list(dict.fromkeys([*known, *(recipe.name for recipe in recipes)]))
    others = [name for name in names[1:] if name != ORACLE]
    if earlier is None or not any(family.recipes for family in earlier.ledger.families):
        return begin(others, planned)
    return extend_ledger(earlier.ledger, others, planned)


@dataclass(frozen=True)
class _Work:
    """What every run of a study needs, and where it goes."""

    folder: Path
    setup: TrainingSetup
    about: StudyFile
    progress: Progress | None


def _look_by_look(
    work: _Work, every: StudyPlan, plan: StudyPlan | None, ledger: Ledger, ends: float
) -> Study:
    """Make the runs that are due and look at them, until none is due or the time is up.

    Which runs are due depends on the figures of complete looks alone: on no number of processes and
    no interruption. The time is up when the next look would end later than `ends`, by `monotonic`.
    `plan` has the runs that an earlier call was about.
    """
    study, closing = None, 0.0
    while True:
        due = _due(every, ledger)
        # What comes after the runs comes once more with the page.
        after = 2 * closing * len(due.trials)
        if plan is not None and _too_long(work, due, ends - monotonic() - after):
            return study or _close(work, plan)
        plan = due
        _write(work, plan, ledger)
        with _watched(work.folder, plan.trials, work.setup.trainer.epochs, work.progress):
            _run(work, _missing(work, plan))
        began = monotonic()
        ledger = _look(work, plan, ledger)
        _write(work, plan, ledger)
        study = _close(work, plan)
        closing = (monotonic() - began) / len(plan.trials)
        if _due(every, ledger) == plan:
            return study


def _write(work: _Work, plan: StudyPlan, ledger: Ledger) -> None:
    write_study_file(work.folder, plan, work.about.model_copy(update={"looks": ledger}))


def _close(work: _Work, plan: StudyPlan) -> Study:
    """Ask the nets of a plan's runs, and write what is to be said of them."""
    _probe(work, plan)
    _keep_mistakes(work.folder, plan, work.setup.data)
    return summarise(work.folder)


def _look(work: _Work, plan: StudyPlan, ledger: Ledger) -> Ledger:
    """Return the ledger after a look at the runs of a plan."""
    names = [recipe.name for recipe in plan.recipes]
    runs = by_recipe(outcomes_of(work.folder, plan.trials), names)
    runs.pop(ORACLE, None)  # it is no recipe that could be chosen
    if names[0] not in runs:
        return ledger
    about, upwards = work.about, work.setup.objective.higher_is_better
    table = objective_table(runs, about.decision, about.setting)
    return after_look(ledger, table, list(runs), about.margin / 100, higher_is_better=upwards)


def _due(every: StudyPlan, ledger: Ledger) -> StudyPlan:
    """Return the part of a study's runs that is due before the next look."""
    due = seeds_due(ledger)
    most = max(due.values(), default=ledger.families[0].planned[0])
    return replace(every, seeds=every.seeds[:most], due=due)


def _too_long(work: _Work, plan: StudyPlan, left: float) -> bool:
    """Whether the runs that are missing would take more than the time that is left."""
    missing, each = _missing(work, plan), _seconds_so_far(work, plan)
    if left == inf or not missing or each is None:
        return False
    return ceil(len(missing) / _beside(work)) * each > left


def _missing(work: _Work, plan: StudyPlan) -> list[Trial]:
    return [trial for trial in plan.trials if not over(folder_of(work.folder, trial))]


def _beside(work: _Work) -> int:
    """How many runs go side by side."""
    return side_by_side(work.setup.jobs, work.setup.device) or cpu_count()


def _seconds_so_far(work: _Work, plan: StudyPlan) -> float | None:
    """What a run of a plan has taken on average; None before the first has finished."""
    folders = [folder_of(work.folder, trial) for trial in plan.trials]
    seconds = [read_json(f / "metrics.json")["seconds"] for f in folders if finished(f)]
    return sum(seconds) / len(seconds) if seconds else None


def _one_run(work: _Work, plan: StudyPlan) -> float:
    """Seconds that a run takes: of those that are finished, or from the first steps of one."""
    found = _seconds_so_far(work, plan)
    if found is None:
        found = expected_seconds(work.setup.blind, plan.recipes[0], plan.seeds[0])
    return found


def _to_come(work: _Work, every: StudyPlan, ledger: Ledger) -> tuple[int, int]:
    """How many runs are missing before the first look, and before the last one there may be."""
    return len(_missing(work, _due(every, ledger))), len(_missing(work, every))


def open_study(folder: str | Path) -> Study:
    """Return a study on disk, finished or running, its summary brought up to date."""
    place = Path(folder)
    return evaluated(place) if is_evaluation(place) else summarise(place)


def _named(recipes: Sequence[str | Path | Recipe], oracle: bool) -> tuple[Recipe, ...]:
    """Return the recipes; the oracle is the first of them under another name, and the last."""
    given = load_recipes(recipes)
    if any(recipe.name == ORACLE for recipe in given):
        raise InputError(f"The name '{ORACLE}' is kept for --oracle: give the recipe another.")
    return (*given, *([given[0].model_copy(update={"name": ORACLE})] if oracle else []))


def _techniques(recipes: Sequence[Recipe]) -> list[Technique]:
    """Every technique that any recipe uses, once, in order."""
    return list({t.name: t for recipe in recipes for t in recipe.resolved()}.values())


def _run(work: _Work, trials: Sequence[Trial]) -> None:
    place = work.folder.resolve()  # a process elsewhere may stand in another folder
    setup, about = work.setup, work.about

    def one(trial: Trial) -> None:
        run_trial(trial, setup, folder_of(place, trial), trial_identity(trial, about))

    jobs = side_by_side(setup.jobs, setup.device)
    for _ in scattered(one, trials, jobs=jobs, backend=setup.backend):
        pass


def _probe(work: _Work, plan: StudyPlan) -> None:
    if work.setup.trainer.function is not None:
        return  # it keeps its net to itself
    place, data, seed = work.folder.resolve(), work.setup.data, work.about.seed
    techniques = _techniques(plan.recipes)
    done = [trial for trial in plan.trials if finished(folder_of(work.folder, trial))]

    def one(trial: Trial) -> None:
        run_probes(folder_of(place, trial), trial, data, techniques, seed)

    for _ in scattered(one, done, jobs=work.setup.jobs, backend=work.setup.backend):
        pass


def _keep_mistakes(folder: Path, plan: StudyPlan, data: Splits) -> None:
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

    with each_second(look):
        yield
