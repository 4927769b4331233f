"""The options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

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
