"""`demo`, `compare` and `report`: studies and their pages."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from equipoise.cli import show
from equipoise.cli.beginning import process_began
from equipoise.cli.data import print_audit
from equipoise.cli.evaluating import finish
from equipoise.cli.options import (
    AtLeast,
    Backend,
    Cache,
    Costs,
    Data,
    DecisionName,
    Device,
    Epochs,
    Equal,
    Jobs,
    Json,
    Margin,
    NetName,
    Objective,
    Out,
    Quiet,
    Seed,
    TrainerSpec,
)
from equipoise.cli.searching import finish_search
from equipoise.cli.selecting import as_given, note_few_steps, selected_for, selects, trainer_first
from equipoise.errors import InputError, plural
from equipoise.selection import Selection
from equipoise.typed import names_of, shares_of, shown, whole_of

if TYPE_CHECKING:
    from equipoise.images import Splits

__all__ = ["compare", "demo", "report"]

_RECIPES = "none,duplicate,weights,article,balanced"
# Of the demo: the digits are few, so a pass is a handful of steps.
_DEMO_EPOCHS = 15
_SAME_DATA = "DATA"  # of a study on disk: with the options it was read with
# Mirror images of digits are no digits.
_DEMO_TRAINER = "upright"


def demo(
    out: Out = Path("demo"),
    jobs: Jobs = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The main job on embedded images: audit, comparison, report, in about a minute.

    The images are scikit-learn's handwritten digits, made imbalanced.

    equipoise demo --out demo
    """
    from equipoise.auditing import audit as look
    from equipoise.readers import load

    splits = load("digits", seed=seed)
    if not (quiet or as_json):
        print_audit(look(splits))
    how = {"trainer": _DEMO_TRAINER, "epochs": _DEMO_EPOCHS}
    _compare(splits, out, "digits", as_json, quiet, seed=seed, jobs=jobs, **how)


@selects()
def compare(
    data: Data,
    out: Out,
    recipes: Annotated[
        str, typer.Option(help="Names or YAML files; the first is the reference.")
    ] = _RECIPES,
    seeds: Annotated[
        str,
        typer.Option(
            help="Runs a recipe; [bold]auto[/bold] looks at 3, 5, 7 and 9 and ends early where "
            "more would decide nothing."
        ),
    ] = "auto",
    most_seeds: Annotated[int, typer.Option(help="Where --seeds auto ends.")] = 9,
    budget: Annotated[
        str | None,
        typer.Option(help="Begin no look that would not end within this time: 90s, 20m, 1h30m."),
    ] = None,
    draws: Annotated[
        int, typer.Option(help="Draws of the images that --take chooses; each with every seed.")
    ] = 1,
    folds: Annotated[
        int | None,
        typer.Option(help="Test on so many folds of all images in turn: for small data."),
    ] = None,
    oracle: Annotated[
        bool,
        typer.Option(
            "--oracle",
            help="Also train the reference on the real images that --take left out, and say how "
            "much of the way there each recipe goes.",
        ),
    ] = False,
    prior: Annotated[
        str | None,
        typer.Option(
            help="Shares of the classes where the net will be used, at which calibration is judged "
            "too: dog=0.05,cat=0.95."
        ),
    ] = None,
    selection: Selection = Selection(),
    trainer: TrainerSpec = None,
    net: NetName = None,
    epochs: Epochs = None,
    equal: Equal = "steps",
    objective: Objective = None,
    costs: Costs = None,
    at_least: AtLeast = None,
    decision: DecisionName = "tuned",
    margin: Margin = 1.0,
    jobs: Jobs = None,
    backend: Backend = "loky",
    device: Device = "auto",
    cache: Cache = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Which measure helps on this data set, and how sure that is; with a report.

    Killed or interrupted, the same command goes on from the finished runs; with more recipes or
    seeds it extends them. The article's task:

    equipoise compare cifar10 --classes cat,dog --take cat=4800,dog=1200 --out study
    """
    from equipoise.objectives import get_objective
    from equipoise.recipes import load_recipes
    from equipoise.studies.comparing import check_study
    from equipoise.training import check_words

    # Names are looked up before the data set is read: it may be large.
    goal = get_objective(objective, at_least=at_least or (), costs=costs)
    check_words(equal=equal, device=device)
    wanted = _seeds_of(seeds)
    check_study(wanted, most_seeds, budget, decision, margin)
    chosen = load_recipes(names_of(recipes))
    shares = None if prior is None else shares_of("--prior", prior)
    splits, how = selected_for(data, selection, trainer, epochs=epochs, net=net, quiet=quiet)
    _compare(
        splits,
        out,
        as_given(data, selection),
        as_json,
        quiet,
        recipes=chosen,
        seeds=wanted,
        most_seeds=most_seeds,
        budget=budget,
        draws=draws,
        folds=folds,
        oracle=oracle,
        prior=shares,
        trainer=how,
        equal=equal,
        objective=goal,
        decision=decision,
        margin=margin,
        jobs=jobs,
        backend=backend,
        device=device,
        seed=seed,
    )
    if not (quiet or as_json):
        note_few_steps(splits, how, equal)


def _compare(
    splits: "Splits", out: Path, data: str, as_json: bool, quiet: bool, **how: Any
) -> None:
    from equipoise.reports import report as write_report
    from equipoise.studies import compare as run_study
    from equipoise.training import get_trainer

    def tell(move: Callable[..., None]) -> Callable[..., None]:
        def report(done: int, total: int, runs: int) -> None:
            move(done, total, f"epochs, {plural(runs, 'run')} finished")

        return trainer_first(splits, get_trainer(how["trainer"]), report, quiet=quiet)

    with show.remarked(quiet), show.bar("training", quiet or as_json) as move:
        study = run_study(
            splits,
            out=out,
            command=shlex.join(["equipoise", *sys.argv[1:]]),
            started=process_began(),
            progress=tell(move),
            announce=None if quiet or as_json else show.note,
            **how,
        )
    finish(study, write_report(study), data, as_json, quiet)


def _seeds_of(text: str) -> int | Literal["auto"]:
    """Return the number of an option, or 'auto'."""
    if text == "auto":
        return "auto"
    seeds = whole_of(text)
    if seeds is None:
        raise InputError(f"--seeds is a number, or auto, but got {shown(text)}.")
    return seeds


def report(
    study: Annotated[
        Path, typer.Argument(metavar="DIR", help="A study or search, finished or running.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to; DIR/report.html by default.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Also write each plot here.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a study's page again, from the runs that are finished by now.

    equipoise report study --open
    """
    from equipoise.reports import report as write_report
    from equipoise.studies import open_study

    with show.remarked(quiet):
        if (study / "search.json").is_file():
            from equipoise.studies.searching import open_search

            page = write_report(study, out, plots=plots)
            finish_search(open_search(study), page, _SAME_DATA, as_json, quiet)
        else:
            opened = open_study(study)
            page = write_report(opened, out, plots=plots)
            finish(opened, page, _SAME_DATA, as_json, quiet)
    if open_it:
        typer.launch(str(page))
