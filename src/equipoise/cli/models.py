"""`train` and `predict`: one model."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli import show
from equipoise.cli.options import Aim, Data, Out, Output, Seed, Training
from equipoise.cli.selecting import note_few_steps, note_more, selected_for, selects, trainer_first
from equipoise.errors import WorkError, plural, require
from equipoise.selection import Selection

if TYPE_CHECKING:
    from equipoise.training import Decision, Progress

__all__ = ["export", "predict", "train"]


@selects()
def train(
    data: Data,
    out: Out,
    *,
    recipe: Annotated[
        str, typer.Option(help="A recipe's name or YAML file, whose trainer is taken too.")
    ] = "article",
    selection: Selection,
    training: Training,
    aim: Aim,
    seed: Seed = 0,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write each epoch's figures to OUT/tensorboard.")
    ] = False,
    output: Output,
) -> None:
    """Train one model by one recipe; its history, metrics and weights go to OUT.

    equipoise train photos/ --recipe balanced --out model
    """
    from equipoise.recipes import get_recipe
    from equipoise.training import train as run_training
    from equipoise.training.trainers import trainer_beside

    # Names are looked up before the data set is read: it may be large.
    goal, chosen = aim.resolve(), get_recipe(recipe)
    if training.trainer is None and (beside := trainer_beside(recipe)):
        training = replace(training, trainer=str(beside))
    splits, how = selected_for(data, selection, training, quiet=output.quiet)
    with show.remarked(output.quiet), show.bar("training", output.bare) as move:
        result = run_training(
            splits,
            chosen,
            trainer=how,
            seed=seed,
            out=out,
            equal=training.equal,
            device=training.device,
            objective=goal,
            progress=trainer_first(
                splits,
                how,
                lambda p: move(p.step, p.steps, _running(p, goal.name)),
                quiet=output.quiet,
            ),
            tensorboard=tensorboard,
        )
    if output.as_json:
        show.print_json(result.metrics)
    elif not output.quiet:
        note_more(result.metrics.get("left_out", ()), splits)
        assert result.model is not None  # as it has where no function of one's own trained
        _print_run(result.metrics, result.model.decision, out)
        note_few_steps(splits, how, training.equal)


def _running(progress: "Progress", objective: str) -> str:
    figures = f"epoch {progress.epoch}, training loss {progress.loss:.3f}"
    if progress.row is None:
        return figures
    return f"{figures}, validation {objective} {progress.row[f'validation_{objective}']:.3f}"


def _print_run(metrics: dict[str, Any], decision: "Decision", out: Path) -> None:
    from equipoise.training import untested_words

    own = decision.objective.figures if decision.objective else ()
    usual = ("balanced_accuracy", "accuracy", "recall", "precision", "roc_auc", "ece")
    names = dict.fromkeys((*own, *usual))
    plain, tuned = metrics["test"]["plain"], metrics["test"]["tuned"]
    rows = [(name, _figure(plain[name]), _figure(tuned[name])) for name in names]
    show.grid(("on the test split", "plain decision", "tuned decision"), rows)
    show.tell(*untested_words(metrics["untested"], metrics["classes"]), *metrics["remarks"])
    show.say(
        "",
        f"Model: {out / 'model.pt'}",
        f"Next: equipoise predict {shlex.quote(str(out))} new-pictures/",
    )


def _figure(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"


@selects()
def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that train wrote.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES…", help="Files or folders.")],
    *,
    decision: Annotated[
        str,
        typer.Option(
            help="[bold]tuned[/bold] on validation, plain (the likeliest class), or "
            "adjusted for the prior."
        ),
    ] = "tuned",
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also the probability of each class, a column.")
    ] = False,
    output: Output,
) -> None:
    """Classify images: CSV of path, class and probability on stdout.

    equipoise predict model new-pictures/ > answers.csv
    """
    from equipoise.training import load_model, predict_files

    loaded = load_model(model)
    with show.bar("classifying", output.bare) as move:
        found = predict_files(
            loaded,
            images,
            decision=decision,
            progress=lambda done, total: move(done, total, "images"),
        )
    _print_answers(found.rows, loaded.classes if probabilities else (), as_json=output.as_json)
    if not output.quiet:
        for item in found.left_out:
            show.note(f"left out: {item.name}: {item.reason}")
        for line in found.notes:
            show.note(line)
        if not output.as_json and sys.stderr.isatty():
            done = plural(len(found.rows), "image")
            show.note(f"{done} classified, {len(found.left_out):,} left out")
    if not found.rows:
        raise WorkError("No image could be classified: none of those named can be read.")


def _print_answers(rows: list[dict[str, Any]], classes: tuple[str, ...], *, as_json: bool) -> None:
    """Print what `predict` says, with the probabilities of these classes."""
    heads = ("path", "class", "probability")
    if as_json:
        kept = (*heads, "probabilities") if classes else heads
        show.print_json([{name: row[name] for name in kept} for row in rows])
        return
    show.print_rows(
        (*heads, *(f"probability_{name}" for name in classes)),
        ((*map(row.get, heads), *map(row["probabilities"].get, classes)) for row in rows),
    )


@selects()
def export(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that train wrote.")],
    *,
    out: Annotated[Path, typer.Option(help="The file to write, .onnx.")],
    output: Output,
) -> None:
    """Write a model as ONNX: uint8 images in, logits, probabilities and the decided class out.

    equipoise export model --out model.onnx
    """
    from equipoise.readers import check_apart
    from equipoise.training import export_onnx, load_model, source_of

    require(out.suffix == ".onnx", "a name ending in .onnx for --out", out=str(out))
    check_apart(out, source_of(model))
    loaded = load_model(model)
    export_onnx(loaded, out)
    if output.as_json:
        show.print_json({"model": str(out), "classes": list(loaded.classes)})
    elif not output.quiet:
        show.say(f"Written: {out} ({out.stat().st_size / 1e6:.1f} MB)")
        show.say("Next: load it with any ONNX runtime; its metadata hold the classes' names.")
