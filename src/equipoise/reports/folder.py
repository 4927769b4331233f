"""What lies in a study's folder beside its summary, read with patience: anything may be missing."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from equipoise.errors import reason

__all__ = ["StudyFiles", "read_files"]


@dataclass(frozen=True)
class StudyFiles:
    """Logs and pictures of a study.

    Attributes
    ----------
    directory : Path, optional
        None for an evaluation that has no folder.
    results : dict of str to array
        The columns of `results.csv`: `recipe` holds names, the others floats.
    examples : dict of str to Path
        The strip of pictures of each technique; 'clean' first.
    gaps : tuple of str
        What is not there, each as a sentence.
    """

    directory: Path | None = None
    results: dict[str, NDArray[Any]] = field(default_factory=dict)
    examples: dict[str, Path] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


def read_files(directory: Path | None) -> StudyFiles:
    """Read a study's folder."""
    if directory is None:
        return StudyFiles()
    gaps: list[str] = []
    return StudyFiles(
        directory,
        _results(directory / "results.csv", gaps),
        _examples(directory / "examples"),
        tuple(gaps),
    )


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
        gaps.append(f"results.csv could not be read ({reason(error)}).")
        return {}
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name == "recipe":
            columns[name] = np.array(column.to_pylist(), dtype=object)
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            values = [math.nan if value is None else value for value in column.to_pylist()]
            columns[name] = np.array(values, dtype=np.float64)
    return columns


def _examples(directory: Path) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(directory.glob("*.png"))}
    return dict(sorted(found.items(), key=lambda item: item[0] != "clean"))
