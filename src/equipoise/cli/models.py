"""`train` and `predict`: one model."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli import show
from equipoise.cli.options import (
    Data,
    Device,
    Epochs,
    Equal,
    Json,
    NetName,
    Objective,
    Out,
    Quiet,
    Seed,
)
from equipoise.cli.selecting import note_few_steps, selected, selects
from equipoise.errors import require
from equipoise.selection import Selection

if TYPE_CHECKING:
    from equipoise.training import Progress

__all__ = ["export", "predict", "train"]


@selects()
def train(
    data: Data,
    out: Out,
    recipe: Annotated[str, typer.Option(help="A recipe's name or YAML file.")] = "article",
    selection: Selection = Selection(),
    trainer: Annotated[
        str | None,
        typer.Option(
            help="A trainer's name or YAML file; else the one in the recipe's file, or fast."
        ),
    ] = None,
    net: NetName = None,
    epochs: Epochs = None,
    equal: Equal = "steps",
    objective: Objective = "balanced_accuracy",
    seed: Seed = 0,
    device: Device = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write each epoch's figures to OUT/tensorboard.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one model by one recipe; its history, metrics and weights go to OUT.

    equipoise train photos/ --recipe balanced --out model
    """
    from equipoise.recipes import get_recipe
    from equipoise.training import check_words, get_trainer
    from equipoise.training import train as run_training
    from equipoise.training.trainers import trainer_beside

    # Names are looked up before the data set is read: it may be large.
    check_words(equal=equal, objective=objective, device=device)
    chosen = get_recipe(recipe)
    how = get_trainer(trainer or trainer_beside(recipe), epochs=epochs, net=net)
    splits = selected(data, selection, quiet=quiet)
    with show.bar("training", quiet or as_json) as move:
        result = run_training(
            splits,
            chosen,
            trainer=how,
            seed=seed,
            out=out,
            equal=equal,
            objective=objective,
            progress=lambda p: move(p.step, p.steps, _running(p)),
            device=device,
            tensorboard=tensorboard,
        )
    if as_json:
        show.print_json(result.metrics)
    elif not quiet:
        _print_run(result.metrics, out)
        note_few_steps(splits, how, equal)


def _running(progress: "Progress") -> str:
    figures = f"epoch {progress.epoch}, training loss {progress.loss:.3f}"
    if progress.row is None:
        return figures
    validation = progress.row["validation_balanced_accuracy"]
    return f"{figures}, validation balanced accuracy {validation:.3f}"


def _print_run(metrics: dict[str, Any], out: Path) -> None:
    names = ("balanced_accuracy", "accuracy", "recall", "precision", "roc_auc", "ece")
    plain, tuned = metrics["test"]["plain"], metrics["test"]["tuned"]
    rows = [(name, f"{plain[name]:.3f}", f"{tuned[name]:.3f}") for name in names]
    show.grid(("on the test split", "plain decision", "tuned decision"), rows)
    show.say("", f"Model: {out / 'model.pt'}", f"Next: equipoise predict {out} new-pictures/")


def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that train wrote.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES…", help="Files or folders.")],
    decision: Annotated[
        str,
        typer.Option(
            help="[bold]tuned[/bold] on validation, plain (the likeliest class), or "
            "adjusted for the prior."
        ),
    ] = "tuned",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Classify images: CSV of path, class and probability on stdout.

    equipoise predict model new-pictures/ > answers.csv
    """
    from equipoise.training import load_model, predict_files

    loaded = load_model(model)
    with show.bar("classifying", quiet or as_json) as move:
        rows, broken = predict_files(
            loaded,
            images,
            decision=decision,
            progress=lambda done, total: move(done, total, "images"),
        )
    if as_json:
        show.print_json(rows)
    else:
        writer = csv.DictWriter(sys.stdout, ("path", "class", "probability"), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if quiet:
        return
    for item in broken:
        show.note(f"left out: {item.name}: {item.reason}")
    if not as_json and sys.stderr.isatty():
        show.note(f"{len(rows)} images classified, {len(broken)} left out")


def export(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that train wrote.")],
    out: Annotated[Path, typer.Option(help="The file to write, .onnx.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as ONNX: uint8 images in, logits and probabilities out.

    equipoise export model --out model.onnx
    """
    from equipoise.training import export_onnx, load_model

    require(out.suffix == ".onnx", "a name ending in .onnx for --out", out=str(out))
    loaded = load_model(model)
    export_onnx(loaded, out)
    if as_json:
        show.print_json({"model": str(out), "classes": list(loaded.classes)})
    elif not quiet:
        show.say(f"Written: {out} ({out.stat().st_size / 1e6:.1f} MB)")
        show.say("Next: load it with any ONNX runtime; its metadata hold the classes' names.")
