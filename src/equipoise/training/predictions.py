"""What a net answered on the images of a split, and the file that keeps it with a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.files import atomic

__all__ = ["PREDICTIONS", "Predictions", "read_predictions", "write_predictions"]

PREDICTIONS = "predictions.parquet"


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
