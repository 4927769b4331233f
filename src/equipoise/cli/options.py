"""The options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from equipoise.errors import InputError

__all__ = [
    "Backend",
    "Data",
    "Device",
    "Epochs",
    "Equal",
    "Jobs",
    "Json",
    "NetName",
    "Objective",
    "Out",
    "Quiet",
    "Seed",
    "TrainerSpec",
    "columns_of",
    "counts_of",
    "names_of",
    "shares_of",
]

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
TrainerSpec = Annotated[str, typer.Option("--trainer", help="A trainer's name or YAML file.")]
NetName = Annotated[str | None, typer.Option("--net", help="Another net than the trainer's.")]
Epochs = Annotated[int | None, typer.Option(help="Overrides the trainer's epochs.")]
Equal = Annotated[
    str, typer.Option(help="What is equal for every recipe: [bold]steps[/bold] or epochs.")
]
Objective = Annotated[
    str,
    typer.Option(
        help="What the tuned decision maximises on validation: balanced_accuracy, g_mean, "
        "macro_f1 or accuracy."
    ),
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
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")]


def names_of(text: str | None) -> list[str] | None:
    """Return the names of a comma-separated option."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def counts_of(option: str, text: str | None) -> dict[str, int] | None:
    """Return `name=count` pairs of an option, or say how they are written."""
    if text is None:
        return None
    counts: dict[str, int] = {}
    for part in names_of(text) or []:
        name, mark, number = part.rpartition("=")
        if not mark or not number.strip().isdigit() or name in counts:
            raise InputError(
                f"{option} is written cat=4800,dog=1200 (each class once), but got {text!r}."
            )
        counts[name.strip()] = int(number)
    return counts


def columns_of(option: str, text: str) -> dict[str, str]:
    """Return `role=column` pairs of an option, or say how they are written."""
    pairs = [part.partition("=") for part in names_of(text) or []]
    columns = {role.strip(): column.strip() for role, _, column in pairs}
    if not all(columns.values()) or len(columns) < len(pairs):
        raise InputError(f"{option} is written path=file,label=breed, but got {text!r}.")
    return columns


def shares_of(option: str, text: str | None) -> dict[str, float] | None:
    """Return `name=share` pairs of an option, or say how they are written."""
    if text is None:
        return None
    shares: dict[str, float] = {}
    for part in names_of(text) or []:
        name, mark, number = part.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            mark = ""
        if not mark or name.strip() in shares:
            raise InputError(
                f"{option} is written dog=0.05,cat=0.95 (each class once), but got {text!r}."
            )
        shares[name.strip()] = share
    return shares
