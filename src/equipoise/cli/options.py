"""The options that several commands share, each declared once."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AtLeast",
    "Backend",
    "Cache",
    "Costs",
    "Data",
    "DecisionName",
    "Device",
    "Epochs",
    "Equal",
    "Jobs",
    "Json",
    "Margin",
    "NetName",
    "Objective",
    "Out",
    "Quiet",
    "Seed",
    "TrainerSpec",
    "objective_again",
]

CACHE = "EQUIPOISE_CACHE"

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder or archive (.zip, .tar, .tar.gz) of class folders, .npz, .csv, .parquet, "
        "a folder of .parquet or WebDataset .tar files, [bold]cifar10[/bold] or "
        "[bold]digits[/bold].",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", help="Output folder: new, empty, or one to go on with.")
]
Device = Annotated[
    str, typer.Option(help="Where the net computes: [bold]auto[/bold] (a GPU if any), cpu or cuda.")
]
TrainerSpec = Annotated[
    str | None,
    typer.Option(
        "--trainer",
        help="A trainer's name or YAML file: by default [bold]finetune[/bold] for pictures above "
        "64 pixels, and [bold]fast[/bold] for smaller ones.",
    ),
]
NetName = Annotated[str | None, typer.Option("--net", help="Another net than the trainer's.")]
Epochs = Annotated[int | None, typer.Option(help="Overrides the trainer's epochs.")]
Equal = Annotated[
    str, typer.Option(help="What is equal for every recipe: [bold]steps[/bold] or epochs.")
]
Objective = Annotated[
    str | None,
    typer.Option(
        help="What decisions are tuned for on validation and recipes are judged by: "
        "[bold]balanced_accuracy[/bold], macro_f1, g_mean, accuracy, mcc, f2 (or another F-beta), "
        "dog.recall or dog.precision (with --at-least), or cost (with --costs)."
    ),
]
Costs = Annotated[
    str | None,
    typer.Option(
        help="What mistakes cost, true:predicted, where the mean cost is the objective: "
        "dog:cat=5,cat:dog=1, or a .yaml or .csv file. Others cost 1."
    ),
]
AtLeast = Annotated[
    list[str] | None,
    typer.Option(
        help="What the tuned decision must reach first, as far as validation tells: "
        "cat.recall=0.9. Several are parted by commas, or the option is given again."
    ),
]
DecisionName = Annotated[
    str,
    typer.Option(
        "--decision",
        help="With which decision recipes are compared: [bold]tuned[/bold], or plain, for those "
        "who cannot tune theirs.",
    ),
]
Margin = Annotated[
    float,
    typer.Option(help="The smallest difference that matters, in points of the objective."),
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes side by side: by default one a core, to train on a GPU one."),
]
Backend = Annotated[
    str,
    typer.Option(
        help="Where the work is done: [bold]loky[/bold], this machine, or ray, the cluster that "
        "RAY_ADDRESS names; its machines must see DATA and the output folder."
    ),
]


def _use_cache(context: typer.Context, folder: Path | None) -> Path | None:
    """Name the cache to this command and the processes that it starts."""
    if folder is not None:
        before = os.environ.get(CACHE)
        os.environ[CACHE] = str(folder.absolute())
        context.call_on_close(lambda: _restore(before))
    return folder


def _restore(before: str | None) -> None:
    os.environ.pop(CACHE, None)
    if before is not None:
        os.environ[CACHE] = before


Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        callback=_use_cache,
        help="Where the activations of pretrained nets are kept: EQUIPOISE_CACHE, or the system's "
        "folder for caches.",
    ),
]
Seed = Annotated[int, typer.Option(help="Any whole number; everything random follows from it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")]


def objective_again(tuned_for: Any) -> str:
    """Return the options, after a space, that ask for the objective of a study or search."""
    from equipoise.objectives import get_objective

    words = get_objective(tuned_for).options
    return f" {shlex.join(words)}" if words else ""
