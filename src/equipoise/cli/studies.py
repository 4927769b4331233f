"""`demo`, `compare` and `report`: studies and their pages."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli import show
from equipoise.cli.beginning import process_began
from equipoise.cli.data import print_audit
from equipoise.cli.evaluating import finish
from equipoise.cli.options import (
    Aim,
    Criterion,
    Data,
    Jobs,
    Out,
    Output,
    Repetitions,
    Seed,
    Training,
    Workers,
)
from equipoise.cli.searching import finish_search
from equipoise.cli.selecting import as_given, note_few_steps, selected_for, selects, trainer_first
from equipoise.errors import plural
from equipoise.selection import Selection
from equipoise.typed import names_of, shares_of

if TYPE_CHECKING:
    from equipoise.images import Splits

__all__ = ["compare", "demo", "report"]

_RECIPES = "none,duplicate,weights,article,balanced"
# Of the demo: the digits are few, so a pass is a handful of steps.
_DEMO_EPOCHS = 15
_SAME_DATA = "DATA"  # of a study on disk: with the options it was read with
# Mirror images of digits are no digits.
_DEMO_TRAINER = "upright"


@selects()
def demo(
    *,
    out: Out = Path("demo"),
    jobs: Jobs = None,
    seed: Seed = 0,
    output: Output,
) -> None:
    """The main job on embedded images: audit, comparison, report, in about a minute.

    The images are scikit-learn's handwritten digits, made imbalanced.

    equipoise demo --out demo
    """
    from equipoise.auditing import audit as look
    from equipoise.readers import load

    splits = load("digits", seed=seed)
    if not output.bare:
        print_audit(look(splits))
    how = {"trainer": _DEMO_TRAINER, "epochs": _DEMO_EPOCHS}
    _compare(splits, out, "digits", output, seed=seed, jobs=jobs, **how)


@selects()
def compare(
    data: Data,
    out: Out,
    *,
    recipes: Annotated[
        str, typer.Option(help="Names or YAML files; the first is the reference.")
    ] = _RECIPES,
    repetitions: Repetitions,
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
    selection: Selection,
    training: Training,
    aim: Aim,
    criterion: Criterion,
    workers: Workers,
    seed: Seed = 0,
    output: Output,
) -> None:
    """Which measure helps on this data set, and how sure that is; with a report.

    Killed or interrupted, the same command goes on from the finished runs; with more recipes or
    seeds it extends them. The article's task:

    equipoise compare cifar10 --classes cat,dog --take cat=4800,dog=1200 --out study
    """
    from equipoise.recipes import load_recipes
    from equipoise.studies.comparing import check_study

    # Names are looked up before the data set is read: it may be large.
    goal, wanted = aim.resolve(), {**asdict(repetitions), "seeds": repetitions.number}
    check_study(repetitions.number, repetitions.most_seeds, repetitions.budget, **asdict(criterion))
    chosen = load_recipes(names_of(recipes))
    shares = None if prior is None else shares_of("--prior", prior)
    splits, how = selected_for(data, selection, training, quiet=output.quiet)
    _compare(
        splits,
        out,
        as_given(data, selection),
        output,
        recipes=chosen,
        oracle=oracle,
        prior=shares,
        trainer=how,
        equal=training.equal,
        device=training.device,
        objective=goal,
        seed=seed,
        **wanted,
        **asdict(criterion),
        **asdict(workers),
    )
    if not output.bare:
        note_few_steps(splits, how, training.equal)


def _compare(splits: "Splits", out: Path, data: str, output: Output, **how: Any) -> None:
    from equipoise.reports import renewing
    from equipoise.reports import report as write_report
    from equipoise.studies import compare as run_study
    from equipoise.training import get_trainer

    def tell(move: Callable[..., None]) -> Callable[..., None]:
        def report(done: int, total: int, runs: int) -> None:
            move(done, total, f"epochs, {plural(runs, 'run')} finished")

        return trainer_first(splits, get_trainer(how["trainer"]), report, quiet=output.quiet)

    with show.remarked(output.quiet), show.bar("training", output.bare) as move:
        study = run_study(
            splits,
            out=out,
            command=shlex.join(["equipoise", *sys.argv[1:]]),
            started=process_began(),
            progress=tell(renewing(out, move)),
            announce=None if output.bare else show.note,
            **how,
        )
    finish(study, write_report(study), data, output)


@selects()
def report(
    study: Annotated[
        Path, typer.Argument(metavar="DIR", help="A study or search, finished or running.")
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Where to; DIR/report.html by default.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Also write each plot here.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    output: Output,
) -> None:
    """Write a study's page again, from the runs that are finished by now.

    equipoise report study --open
    """
    from equipoise.reports import report as write_report
    from equipoise.studies import open_study

    with show.remarked(output.quiet):
        if (study / "search.json").is_file():
            from equipoise.studies.search import open_search

            page = write_report(study, out, plots=plots)
            finish_search(open_search(study), page, _SAME_DATA, output)
        else:
            opened = open_study(study)
            page = write_report(opened, out, plots=plots)
            finish(opened, page, _SAME_DATA, output)
    if open_it:
        typer.launch(str(page))
