"""`search`: the best recipe within a time budget."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import show
from equipoise.cli.beginning import process_began
from equipoise.cli.options import (
    Aim,
    Data,
    Out,
    Output,
    Seed,
    Training,
    Workers,
    objective_again,
)
from equipoise.cli.selecting import as_given, note_few_steps, selected_for, selects, trainer_first
from equipoise.selection import Selection
from equipoise.typed import names_of

if TYPE_CHECKING:
    from equipoise.studies.search import Search
    from equipoise.studies.search.outcome import LeaderboardRow

__all__ = ["finish_search", "search"]

_SHOWN = 12  # rows of the leaderboard that are printed


@selects()
def search(
    data: Data,
    out: Out,
    *,
    budget: Annotated[
        str | None, typer.Option(help="Time to take, confirmation included: 90s, 20m, 1h30m.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Most recipes to try; 100 where there is a budget.")
    ] = None,
    recipes: Annotated[
        str | None, typer.Option(help="Names or YAML files to try first, in place of the usual.")
    ] = None,
    trainer_fields: Annotated[
        bool, typer.Option("--trainer-fields", help="Search fields of the trainer too.")
    ] = False,
    space: Annotated[
        Path | None,
        typer.Option(help="YAML file of the fields to search, each with a list of its values."),
    ] = None,
    selection: Selection,
    training: Training,
    aim: Aim,
    workers: Workers,
    seed: Seed = 0,
    output: Output,
) -> None:
    """The best recipe within a time budget: best.yaml, a leaderboard and a report.

    Recipes are judged on validation, most of them by short runs. Up to two fifths of the budget are
    kept to run the best two and the baseline again, with new seeds; only then is the test split
    read.
    Killed or interrupted, the same command goes on.

    equipoise search photos/ --budget 20m --out search
    """
    from equipoise.reports import renewing
    from equipoise.reports import report as write_report
    from equipoise.studies.search import search as run_search
    from equipoise.studies.search.attempts import ENTRANTS
    from equipoise.studies.search.searching import check_limits

    # Names and the budget are looked at before the data set is read: it may be large.
    check_limits(budget, trials, workers.jobs)
    goal = aim.resolve()
    splits, how = selected_for(data, selection, training, quiet=output.quiet)
    with show.remarked(output.quiet), show.bar("searching", output.bare) as move:
        found = run_search(
            splits,
            budget=budget,
            trials=trials,
            out=out,
            recipes=ENTRANTS if recipes is None else names_of(recipes),
            trainer=how,
            trainer_fields=trainer_fields,
            space=space,
            equal=training.equal,
            device=training.device,
            objective=goal,
            seed=seed,
            **asdict(workers),
            command=shlex.join(["equipoise", *sys.argv[1:]]),
            progress=trainer_first(splits, how, renewing(out, move), quiet=output.quiet),
            started=process_began(),
        )
    finish_search(found, write_report(out), as_given(data, selection), output)
    if not output.bare:
        note_few_steps(splits, how, training.equal)


def finish_search(found: "Search", page: Path, data: str, output: Output) -> None:
    """Print what a search found, or how far it is; `data` is for the next command."""
    if output.as_json:
        show.print_json(found.summary)
        return
    if output.quiet:
        return
    summary, board = found.found, found.found.leaderboard
    show.grid(
        (
            "recipe",
            "place",
            "trainer",
            "epochs",
            "validation, tuned",
            "plain",
            "ROC-AUC",
            "seconds",
        ),
        [_cells(row, summary.objective) for row in board[:_SHOWN]],
        words=("trainer",),
        spare=("seconds", "ROC-AUC", "trainer", "plain"),
    )
    more = [f"and {len(board) - _SHOWN} more in leaderboard.csv"] if len(board) > _SHOWN else []
    show.tell(
        *more,
        "",
        *summary.untested_words,
        *(summary.words or ["The search is not finished."]),
        "",
    )
    show.say(f"Report: {page}")
    if summary.finished:
        best = found.directory / "best.yaml"
        show.say(f"Best recipe: {best}")
        goal = objective_again(summary.tuned_for)
        again = f"--recipe {shlex.quote(str(best))}{goal} --out model"
        show.say(f"Next: equipoise train {data} {again}")
    else:
        show.say("Next: the same search command again; it goes on from what is finished.")


def _cells(row: "LeaderboardRow", metric: str) -> tuple[object, ...]:
    from equipoise.studies.formats import assigned, level

    scores = (level(metric, row.score), level(metric, row.plain), level("roc_auc", row.roc_auc))
    changed = assigned(row.trainer) or "–"
    return (row.recipe, row.place, changed, row.epochs, *scores, f"{row.seconds:.0f}")
