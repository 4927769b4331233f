"""The options that several commands share, each declared once.

Options that belong together are the fields of a dataclass, which a command takes as one parameter
and hands on whole: see `selecting.selects`.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from equipoise.errors import InputError
from equipoise.typed import shown, whole_of

if TYPE_CHECKING:
    from equipoise.objectives import Objective

__all__ = [
    "Aim",
    "Cache",
    "Criterion",
    "Data",
    "Jobs",
    "Json",
    "Out",
    "Output",
    "Quiet",
    "Repetitions",
    "Seed",
    "Strategy",
    "Training",
    "Workers",
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
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes side by side: by default one a core, to train on a GPU one."),
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
Strategy = Annotated[
    str,
    typer.Option(
        "--sampling-strategy",
        "--strategy",
        help="imbalanced-learn's sampling_strategy: auto, 0.5, dog=4800,fox=300, …",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How runs are trained."""

    trainer: Annotated[
        str | None,
        typer.Option(
            help="A trainer's name or YAML file: by default [bold]finetune[/bold] for pictures "
            "above 64 pixels, and [bold]fast[/bold] for smaller ones."
        ),
    ] = None
    net: Annotated[str | None, typer.Option(help="Another net than the trainer's.")] = None
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Another pretrained net than lite0: lite1, lite2, FILE.onnx, hf/REPO or a folder, "
            "timm/NAME."
        ),
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Overrides the trainer's epochs.")] = None
    equal: Annotated[
        str, typer.Option(help="What is equal for every recipe: [bold]steps[/bold] or epochs.")
    ] = "steps"
    device: Annotated[
        str,
        typer.Option(help="Where the net computes: [bold]auto[/bold] (a GPU if any), cpu or cuda."),
    ] = "auto"
    cache: Cache = None


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What decisions are tuned for, and recipes judged by."""

    objective: Annotated[
        str | None,
        typer.Option(
            help="What decisions are tuned for on validation and recipes are judged by: "
            "[bold]balanced_accuracy[/bold], macro_f1, g_mean, accuracy, mcc, f2 (or another "
            "F-beta), dog.recall or dog.precision (with --at-least), or cost (with --costs)."
        ),
    ] = None
    costs: Annotated[
        str | None,
        typer.Option(
            help="What mistakes cost, true:predicted, where the mean cost is the objective: "
            "dog:cat=5,cat:dog=1, or a .yaml or .csv file. Others cost 1."
        ),
    ] = None
    at_least: Annotated[
        list[str] | None,
        typer.Option(
            help="What the tuned decision must reach first, as far as validation tells: "
            "cat.recall=0.9. Several are parted by commas, or the option is given again."
        ),
    ] = None

    def resolve(self) -> "Objective":
        """Return the objective, of no data set yet."""
        from equipoise.objectives import get_objective

        return get_objective(self.objective, at_least=self.at_least or (), costs=self.costs)


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """How recipes are compared."""

    decision: Annotated[
        str,
        typer.Option(
            help="With which decision recipes are compared: [bold]tuned[/bold], or plain, for "
            "those who cannot tune theirs."
        ),
    ] = "tuned"
    margin: Annotated[
        float,
        typer.Option(help="The smallest difference that matters, in points of the objective."),
    ] = 1.0


@dataclass(frozen=True, kw_only=True)
class Repetitions:
    """How many runs a recipe of a comparison gets, and on what."""

    seeds: Annotated[
        str,
        typer.Option(
            help="Runs a recipe; [bold]auto[/bold] looks at 3, 5, 7 and 9 and ends early where "
            "more would decide nothing."
        ),
    ] = "auto"
    most_seeds: Annotated[int, typer.Option(help="Where --seeds auto ends.")] = 9
    budget: Annotated[
        str | None,
        typer.Option(help="Begin no look that would not end within this time: 90s, 20m, 1h30m."),
    ] = None
    draws: Annotated[
        int, typer.Option(help="Draws of the images that --take chooses; each with every seed.")
    ] = 1
    folds: Annotated[
        int | None,
        typer.Option(help="Test on so many folds of all images in turn: for small data."),
    ] = None

    @property
    def number(self) -> int | Literal["auto"]:
        """The seeds."""
        if self.seeds == "auto":
            return "auto"
        seeds = whole_of(self.seeds)
        if seeds is None:
            raise InputError(f"--seeds is a number, or auto, but got {shown(self.seeds)}.")
        return seeds


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where the work is done."""

    jobs: Jobs = None
    backend: Annotated[
        str,
        typer.Option(
            help="Where the work is done: [bold]loky[/bold], this machine, or ray, the cluster "
            "that RAY_ADDRESS names; its machines must see DATA and the output folder."
        ),
    ] = "loky"


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is printed."""

    as_json: Json = False
    quiet: Quiet = False

    @property
    def bare(self) -> bool:
        """Whether neither progress nor summary is printed."""
        return self.as_json or self.quiet


def objective_again(tuned_for: Any) -> str:
    """Return the options, after a space, that ask for the objective of a study or search."""
    from equipoise.objectives import get_objective

    words = get_objective(tuned_for).options
    return f" {shlex.join(words)}" if words else ""
