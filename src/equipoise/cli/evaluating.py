"""`evaluate`: the verdict on predictions that were made elsewhere."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import show
from equipoise.cli.options import Aim, Criterion, Out, Output, Seed
from equipoise.cli.selecting import selects
from equipoise.typed import names_of

if TYPE_CHECKING:
    from equipoise.studies import Study

__all__ = ["evaluate", "finish"]


@selects()
def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="Tables of predictions, .csv or .parquet."),
    ],
    out: Out,
    *,
    baseline: Annotated[
        str | None, typer.Option(help="The recipe to compare to; by default the first.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of the classes, by label: cat,dog.")
    ] = None,
    criterion: Criterion,
    aim: Aim,
    seed: Seed = 0,
    output: Output,
) -> None:
    """The verdict on predictions of your own nets, of any framework; with a report.

    A table has a row for each image and run: recipe, seed, split (validation or test), id, label
    (from 0), and a column for each class, of logits (logit_0, logit_1, …) or probabilities
    (p_0, p_1, …). A column draw is for other draws of the training images, or folds.

    equipoise evaluate predictions.csv --classes cat,dog --out verdict
    """
    from equipoise.reports import report as write_report
    from equipoise.studies import evaluate as judge

    study = judge(
        files,
        baseline=baseline,
        out=out,
        classes=None if classes is None else names_of(classes),
        objective=aim.resolve(),
        **asdict(criterion),
        seed=seed,
        command=shlex.join(["equipoise", *sys.argv[1:]]),
    )
    finish(study, write_report(study), "DATA", output)


def finish(study: "Study", page: Path, data: str, output: Output) -> None:
    """Print what a study found, where its page is, and what to do next."""
    from equipoise.reports import next_step

    summary = study.summary
    if output.as_json:
        show.print_json(summary.model_dump(mode="json"))
    elif not output.quiet:
        show.comparison(summary)
        show.remarks(summary)
        show.say(f"Report: {page}")
        following = next_step(summary, study.directory, data)
        show.say(f"Next: {following.command or following.words}")
