"""What a net answered on the images of a split, and the file that keeps it with a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.files import atomic

__all__ = [
    "PREDICTIONS",
    "Predictions",
    "as_logits",
    "log_of",
    "read_predictions",
    "write_predictions",
]

PREDICTIONS = "predictions.parquet"

# Of a probability: what rounds to nothing is not impossible, and its logarithm stays finite.
_LEAST = 1e-12
# How far the probabilities of a row may be from a sum of 1: they may have few digits.
_OFF = 1e-2


@dataclass(frozen=True)
class Predictions:
    """The logits of one split, with what they belong to.

    Attributes
    ----------
    logits : (N, K) floats
        float32 as a net gives them and as they are kept.
    labels, ids : (N,) int64
    names : (N,) str
    """

    logits: NDArray[np.floating]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    names: NDArray[np.str_]


def log_of(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logits of (N, K) probabilities, whose rows are brought to a sum of 1."""
    return np.log(np.maximum(probabilities / probabilities.sum(1, keepdims=True), _LEAST))


def as_logits(parts: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float32]]:
    """Return (N, K) arrays as logits: they may all be probabilities, from 0 to 1 with sums of 1."""
    are_probabilities = all(
        (part >= 0).all() and (abs(part.sum(1) - 1) <= _OFF).all() for part in parts
    )
    return [(log_of(part) if are_probabilities else part).astype(np.float32) for part in parts]


def write_predictions(folder: Path, parts: Mapping[str, Predictions]) -> None:
    """Write all predictions of a run, one row an image: split, id, name, label, logit_0, …"""
    columns: dict[str, Any] = {
        "split": np.concatenate([[split] * len(p.labels) for split, p in parts.items()]),
        "id": np.concatenate([p.ids for p in parts.values()]),
        "name": np.concatenate([p.names for p in parts.values()]),
        "label": np.concatenate([p.labels for p in parts.values()]),
    }
    logits = np.concatenate([p.logits for p in parts.values()])
    columns |= {f"logit_{k}": logits[:, k] for k in range(logits.shape[1])}
    with atomic(folder / PREDICTIONS) as part:
        pq.write_table(pa.table(columns), part)


def read_predictions(folder: Path, split: str = "test") -> Predictions:
    """Return a run's predictions on a split."""
    table = pq.read_table(folder / PREDICTIONS, filters=[("split", "=", split)])
    columns = [name for name in table.column_names if name.startswith("logit_")]
    return Predictions(
        np.stack([table[name].to_numpy() for name in columns], axis=1),
        table["label"].to_numpy(),
        table["id"].to_numpy(),
        table["name"].to_numpy().astype(str),
    )
