"""A finished run: what it is made of, and its files."""

import csv
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from equipoise.errors import WorkError
from equipoise.files import atomic, read_json, write_json, write_text
from equipoise.recipes import Recipe, get_recipe
from equipoise.training.checkpoints import CHECKPOINT
from equipoise.training.model import Model, load_model, save_model
from equipoise.training.nets import Net
from equipoise.training.predictions import Predictions, read_predictions, write_predictions
from equipoise.training.trainers import Trainer, get_trainer

__all__ = ["Run", "read_run", "write_run"]


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
        `adjusted` decision and of `calibrated` probabilities; the `decision`, `adjusted` and
        `temperature` themselves; `steps`, `passes`, `seconds`; how many different `sources` and
        `images` of each class were `seen`; `positive_class`; what of the source is `left_out`.
    predictions : dict
        From 'validation' and 'test' to `Predictions`.
    model : Model
    """

    recipe: Recipe
    trainer: Trainer
    seed: int
    equal: str
    rows: list[dict[str, Any]]
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    predictions: dict[str, Predictions]
    model: Model


def write_run(folder: str | Path, run: Run) -> None:
    """Write a run's files; `metrics.json` comes last and marks the run as finished.

    Raises
    ------
    WorkError
        If a file cannot be written.
    """
    folder = Path(folder)
    try:
        write_text(folder / "recipe.yaml", run.recipe.to_yaml())
        write_text(folder / "trainer.yaml", run.trainer.to_yaml())
        _write_batches(folder / "batches.csv", run.history)
        write_json(folder / "history.json", run.history)
        write_predictions(folder, run.predictions)
        save_model(run.model, folder / "model.pt")
        write_json(folder / "metrics.json", {**_heading(run), **run.metrics, "rows": run.rows})
        (folder / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        raise WorkError(f"{folder} cannot be written to: {error.strerror}.") from None


def _heading(run: Run) -> dict[str, Any]:
    return {
        "recipe": run.recipe.name,
        "trainer": run.trainer.name,
        "net": run.model.net_name,
        "seed": run.seed,
        "equal": run.equal,
    }


def _write_batches(path: Path, history: dict[str, list[float]]) -> None:
    names = ("training_loss_per_batch", "validation_loss_per_batch")
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("batch", *names))
        # Validation has fewer batches than training: its column ends earlier.
        pairs = zip_longest(*(history[name] for name in names), fillvalue="")
        writer.writerows((number, *pair) for number, pair in enumerate(pairs, 1))


def read_run(folder: str | Path, *, net: Net | None = None) -> Run:
    """Return the run that `write_run` wrote; figures that do not exist are None instead of NaN.

    `net` is needed for a net of one's own, as in `load_model`.
    """
    folder = Path(folder)
    metrics = read_json(folder / "metrics.json")
    heading = {key: metrics.pop(key) for key in ("recipe", "trainer", "net", "seed", "equal")}
    return Run(
        recipe=get_recipe(folder / "recipe.yaml"),
        trainer=get_trainer(folder / "trainer.yaml"),
        seed=heading["seed"],
        equal=heading["equal"],
        rows=metrics.pop("rows"),
        history=read_json(folder / "history.json"),
        metrics=metrics,
        predictions={split: read_predictions(folder, split) for split in ("validation", "test")},
        model=load_model(folder, net=net),
    )
