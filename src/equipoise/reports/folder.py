"""What a study folder holds, read with patience: anything may be missing while a study runs."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.training.predictions import Predictions, read_predictions

__all__ = ["Predictions", "StudyFolder", "Trial", "open_folder", "predictions"]

_TRIAL = re.compile(r"^(?P<recipe>.+)-seed(?P<seed>\d+)-draw(?P<draw>\d+)$")


@dataclass(frozen=True)
class Trial:
    """One run's folder."""

    recipe: str
    seed: int
    draw: int
    directory: Path


@dataclass(frozen=True)
class StudyFolder:
    """A study as its folder tells it.

    Attributes
    ----------
    summary : dict
        `summary.json`, or what can be said without it.
    results : dict of str to array
        The columns of `results.csv`: `recipe` holds names, the others floats.
    examples : dict of str to Path
        The strip of pictures of each technique; 'clean' first.
    recipes : dict of str to str
        Each recipe's YAML, the reference first.
    gaps : tuple of str
        What is not there, each as a sentence.
    """

    directory: Path
    summary: dict[str, Any]
    results: dict[str, NDArray[Any]]
    trials: tuple[Trial, ...]
    examples: dict[str, Path]
    recipes: dict[str, str]
    trainer: str
    gaps: tuple[str, ...]

    def runs(self, recipe: str) -> list[Trial]:
        """Return the runs of a recipe that have a folder."""
        return [trial for trial in self.trials if trial.recipe == recipe]


def open_folder(directory: Path) -> StudyFolder:
    """Read a study folder; an `InputError` where it is none."""
    if not directory.is_dir():
        raise InputError(f"{directory} must be a study folder, but there is no such folder.")
    marks = [directory / name for name in ("summary.json", "trials", "trainer.yaml")]
    if not any(mark.exists() for mark in marks):
        raise InputError(
            f"{directory} is no study folder: it holds no summary.json and no trials. "
            "Give the --out folder of equipoise compare."
        )
    gaps: list[str] = []
    summary = _summary(directory / "summary.json", gaps)
    results = _results(directory / "results.csv", gaps)
    trainer = _text(directory / "trainer.yaml")
    names = list(summary.get("recipes") or ())
    wrong = summary.get("damaged") or {}
    gaps += [f"trials/{name} is left out: {what}." for name, what in wrong.items()]
    recipes = {path.stem: _text(path) for path in sorted(directory.glob("recipes/*.yaml"))}
    return StudyFolder(
        directory,
        summary,
        results,
        tuple(t for t in _trials(directory / "trials", names) if t.directory.name not in wrong),
        _examples(directory / "examples"),
        {name: recipes[name] for name in [*names, *recipes] if name in recipes},
        trainer,
        tuple(gaps),
    )


def _summary(path: Path, gaps: list[str]) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        gaps.append("summary.json is not written yet, so there are no figures.")
        return {}
    except (OSError, ValueError) as error:
        gaps.append(f"summary.json could not be read ({_line(error)}).")
        return {}
    return summary if isinstance(summary, dict) else {}


def _results(path: Path, gaps: list[str]) -> dict[str, NDArray[Any]]:
    names = pa.csv.ConvertOptions(column_types={"recipe": pa.string()})
    try:
        if not path.stat().st_size:
            raise FileNotFoundError
        table = pa.csv.read_csv(path, convert_options=names)
    except FileNotFoundError:
        gaps.append("No run is logged in results.csv yet, so there are no learning curves.")
        return {}
    except (OSError, pa.ArrowException) as error:
        gaps.append(f"results.csv could not be read ({_line(error)}).")
        return {}
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name == "recipe":
            columns[name] = np.array(column.to_pylist(), dtype=object)
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            values = [math.nan if value is None else value for value in column.to_pylist()]
            columns[name] = np.array(values, dtype=np.float64)
    return columns


def _trials(directory: Path, recipes: list[str]) -> tuple[Trial, ...]:
    folders = sorted(directory.iterdir()) if directory.is_dir() else []
    matches = [(_TRIAL.match(folder.name), folder) for folder in folders]
    trials = [
        Trial(match["recipe"], int(match["seed"]), int(match["draw"]), folder)
        for match, folder in matches
        if match and (not recipes or match["recipe"] in recipes)
    ]
    return tuple(sorted(trials, key=lambda t: (t.recipe, t.draw, t.seed)))


def _examples(directory: Path) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(directory.glob("*.png"))}
    return dict(sorted(found.items(), key=lambda item: item[0] != "clean"))


def predictions(trial: Trial, split: str = "test") -> Predictions | None:
    """Read a run's predictions; None where they are not there or cannot be read."""
    try:
        found = read_predictions(trial.directory, split)
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    if found.logits.shape[1] < 2 or not len(found.labels):
        return None
    return replace(found, logits=found.logits.astype(np.float64))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def named(summary: Mapping[str, Any]) -> list[str]:
    """Return the recipes of a summary, the reference first."""
    rows = [row.get("recipe") for row in summary.get("table") or ()]
    return [str(name) for name in summary.get("recipes") or rows]
