"""A finished run: what it is made of, and its files."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from equipoise.errors import DamagedError, WorkError, reason
from equipoise.files import SEALS, damage, read_json, seal, write_csv, write_json, write_text
from equipoise.recipes import Recipe, get_recipe
from equipoise.training.checkpoints import CHECKPOINT
from equipoise.training.model import Model
from equipoise.training.nets import Net
from equipoise.training.predictions import (
    PREDICTIONS,
    Predictions,
    read_predictions,
    write_predictions,
)
from equipoise.training.saving import MODEL, load_model, save_model
from equipoise.training.trainers import Trainer, get_trainer

__all__ = [
    "FILES",
    "METRICS",
    "Run",
    "finished",
    "read_run",
    "source_of",
    "write_run",
    "wrong_with",
]

METRICS = "metrics.json"
_RECIPE, _TRAINER, _HISTORY, _BATCHES = "recipe.yaml", "trainer.yaml", "history.json", "batches.csv"
# What a run leaves; one of a function leaves no model. Their digests are written last and mark the
# run as finished.
FILES = (_RECIPE, _TRAINER, _BATCHES, _HISTORY, PREDICTIONS, MODEL, METRICS)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    recipe, trainer, seed, equal
        What was run.
    rows : list of dict
        One an epoch: `epoch`, `step`, `passes`, `seconds`, `training_loss`, `validation_loss`, and
        every scalar figure of `equipoise.metrics.figures` as `training_…` and `validation_…`.
    history : dict of list
        The article's eight logs, by its names.
    metrics : dict
        `test` and `validation`, each with the figures of the `plain`, the `tuned` and the
        `adjusted` decision (the objective's own among them) and of `calibrated` probabilities; the
        `decision`, `adjusted` and `temperature` themselves, and `remarks` on their tuning; `steps`,
        `passes`, `seconds`; how many different `sources` and `images` of each class were `seen`;
        `positive_class`; the classes that are `untested`; what of the source is `left_out`.
    predictions : dict
        From 'validation' and 'test' to `Predictions`.
    model : Model, optional
        None where a function of one's own trained.
    """

    recipe: Recipe
    trainer: Trainer
    seed: int
    equal: str
    rows: list[dict[str, Any]]
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    predictions: dict[str, Predictions]
    model: Model | None


def write_run(folder: str | Path, run: Run, of: str = "") -> None:
    """Write a run's files; their digests come last and mark the run as finished.

    Parameters
    ----------
    folder : str or Path
    run : Run
    of : str
        What the run is, by which its files are told from those of another; see `read_run`.

    Raises
    ------
    WorkError
        If a file cannot be written.
    """
    folder = Path(folder)
    try:
        write_text(folder / _RECIPE, run.recipe.to_yaml())
        write_text(folder / _TRAINER, run.trainer.to_yaml())
        _write_batches(folder / _BATCHES, run.history)
        write_json(folder / _HISTORY, run.history)
        write_predictions(folder, run.predictions)
        if run.model is not None:
            save_model(run.model, folder / MODEL)
        write_json(folder / METRICS, {**_heading(run), **run.metrics, "rows": run.rows})
        seal(folder, [name for name in FILES if name != MODEL or run.model is not None], of)
        (folder / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        path = error.filename or folder
        raise WorkError(f"{path} cannot be written to: {reason(error)}.") from None


def finished(folder: Path) -> bool:
    """Whether a run's folder is complete: the digests of its files are written last."""
    return (folder / SEALS).is_file()


def _heading(run: Run) -> dict[str, Any]:
    return {
        "recipe": run.recipe.name,
        "trainer": run.trainer.name,
        "net": None if run.model is None else run.model.net_name,
        "seed": run.seed,
        "equal": run.equal,
    }


def _write_batches(path: Path, history: dict[str, list[float]]) -> None:
    names = ("training_loss_per_batch", "validation_loss_per_batch")
    # Validation has fewer batches than training: its column ends earlier.
    pairs = zip_longest(*(history.get(name, ()) for name in names), fillvalue="")
    write_csv(path, ("batch", *names), ((number, *pair) for number, pair in enumerate(pairs, 1)))


def wrong_with(folder: Path, of: str | None = None) -> str | None:
    """Return what is wrong with a run's files, for the end of a line; None also for no run yet.

    Parameters
    ----------
    folder : Path
    of : str, optional
        What the run must be.
    """
    if finished(folder):
        return damage(folder, FILES, of)
    ended = (folder / METRICS).exists() and not (folder / CHECKPOINT).exists()
    return "its files have no digests" if ended else None


def source_of(folder: str | Path) -> str:
    """Return the name of the data that a run was trained on; empty where its folder has none."""
    try:
        found = read_json(Path(folder) / METRICS)
        return str(found.get("source") or "") if isinstance(found, dict) else ""
    except (OSError, DamagedError):
        return ""


def read_run(
    folder: str | Path,
    *,
    net: Net | None = None,
    trainer: Trainer | None = None,
    of: str | None = None,
) -> Run:
    """Return the run that `write_run` wrote; figures that do not exist are None instead of NaN.

    Parameters
    ----------
    folder : str or Path
    net : callable, optional
        Needed for a net of one's own, as in `load_model`.
    trainer : Trainer, optional
        Needed where it is a function of one's own.
    of : str, optional
        What the run must be.

    Raises
    ------
    DamagedError
        If a file is not what was written there, or of another run.
    """
    folder = Path(folder)
    if wrong := wrong_with(folder, of):
        raise DamagedError(f"{folder}: {wrong}.")
    metrics = read_json(folder / METRICS)
    heading = {key: metrics.pop(key) for key in ("recipe", "trainer", "net", "seed", "equal")}
    return Run(
        recipe=get_recipe(folder / _RECIPE),
        trainer=trainer or get_trainer(folder / _TRAINER),
        seed=heading["seed"],
        equal=heading["equal"],
        rows=metrics.pop("rows"),
        history=read_json(folder / _HISTORY),
        metrics=metrics,
        predictions={split: read_predictions(folder, split) for split in ("validation", "test")},
        model=load_model(folder, net=net) if (folder / MODEL).exists() else None,
    )
