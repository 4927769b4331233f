"""The arrays behind the plots: learning, trade-off and reliability curves."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import precision_recall_curve, roc_curve

from equipoise.training.predictions import Predictions

__all__ = [
    "Band",
    "TradeOff",
    "chosen_point",
    "learning_band",
    "trade_off",
]

Array = NDArray[np.float64]
GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Band:
    """A figure over the epochs: the mean of the runs and the span of all of them."""

    x: Array
    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class TradeOff:
    """A recipe's ROC and precision-recall curves on `GRID`, one row a run."""

    true_positive: Array
    precision: Array


def learning_band(results: dict[str, NDArray], recipe: str, column: str) -> Band | None:
    """Return a column of `results.csv` for one recipe, mean and span over the runs."""
    if not {"recipe", "epoch", column} <= results.keys():
        return None
    mine = (results["recipe"] == recipe) & np.isfinite(results[column])
    if not mine.any():
        return None
    epochs, values = results["epoch"][mine], results[column][mine]
    x = np.unique(epochs)
    groups = [values[epochs == epoch] for epoch in x]
    return Band(
        x,
        np.array([group.mean() for group in groups]),
        np.array([group.min() for group in groups]),
        np.array([group.max() for group in groups]),
    )


def trade_off(runs: Sequence[Predictions], of_interest: Sequence[int]) -> TradeOff | None:
    """Return ROC and precision-recall curves, averaged over the classes of interest.

    Parameters
    ----------
    runs : sequence of Predictions
        One a run.
    of_interest : sequence of int
        The positive class of two, or all classes, each against the rest (macro average).
    """
    rows = [_one_run(run, of_interest) for run in runs]
    whole = [row for row in rows if row is not None]
    if not whole:
        return None
    return TradeOff(np.stack([row[0] for row in whole]), np.stack([row[1] for row in whole]))


def _one_run(run: Predictions, of_interest: Sequence[int]) -> tuple[Array, Array] | None:
    scores = softmax(run.logits, axis=1)
    rates, precisions = [], []
    for label in of_interest:
        truth = run.labels == label
        if not truth.any() or truth.all() or not np.isfinite(scores).all():
            continue
        score = scores[:, label]
        false_positive, true_positive, _ = roc_curve(truth, score)
        rates.append(np.interp(GRID, false_positive, true_positive))
        precision, recall, _ = precision_recall_curve(truth, score)
        # Of the thresholds that reach a recall, the highest: the first in ascending recall.
        first = np.searchsorted(recall[::-1], GRID, side="left")
        precisions.append(precision[::-1][np.minimum(first, len(recall) - 1)])
    if not rates:
        return None
    return np.mean(rates, axis=0), np.mean(precisions, axis=0)


def chosen_point(
    confusion: Sequence[Sequence[float]] | None, of_interest: Sequence[int]
) -> tuple[float, float, float] | None:
    """Return (recall, precision, false positive rate) of a confusion matrix, rows true.

    Averaged over the classes of interest; None where one of them has no images or no answers.
    """
    matrix = np.asarray(confusion if confusion is not None else [], dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not of_interest:
        return None
    hits, true, called = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    rows = list(of_interest)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = hits / true, hits / called
        false_positive = (called - hits) / (matrix.sum() - true)
    point = [float(np.mean(part[rows])) for part in (recall, precision, false_positive)]
    return (point[0], point[1], point[2]) if np.isfinite(point).all() else None
