"""The plots of the report: each function returns the text of one small SVG file.

Panels are small so that a phone can stack them; their captions and legends are HTML. Lines that
mean different things differ in dash or marker too, not in colour alone.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from scipy.special import softmax

from equipoise.reports.svg import ACCENT, INK, LINE, MUTED, PAPER, WARM, to_svg
from equipoise.training.predictions import Predictions

__all__ = [
    "Band",
    "TradeOff",
    "chosen_point",
    "learning",
    "learning_band",
    "precision_recall",
    "reliability_plot",
    "roc",
    "trade_off",
]

Array = NDArray[np.float64]
GRID = np.linspace(0, 1, 101)
Bins = tuple[NDArray, NDArray, NDArray]
Points = dict[str, tuple[float, float, float] | None]
_SIZE, _TEXT = (2.7, 2.0), 8.5


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
    if not np.isfinite(scores).all():
        return None
    known = [k for k in of_interest if 0 < np.count_nonzero(run.labels == k) < len(run.labels)]
    curves = [_curves(run.labels == label, scores[:, label]) for label in known]
    if not curves:
        return None
    rates, precisions = zip(*curves, strict=True)
    return np.mean(rates, axis=0), np.mean(precisions, axis=0)


def _curves(truth: NDArray[np.bool_], score: Array) -> tuple[Array, Array]:
    """The true positive rate over the false one and the precision over the recall, on `GRID`."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    # Images of the same score are above the same thresholds: only the last of them counts.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(truth[order])[last]
    recall = np.append(0.0, found / found[-1])
    false = np.append(0.0, (last + 1 - found) / (len(truth) - found[-1]))
    precision = np.append(1.0, found / (last + 1))
    # Of the thresholds that reach a recall, the highest: the first in ascending recall.
    first = np.searchsorted(recall, GRID, side="left")
    return np.interp(GRID, false, recall), precision[np.minimum(first, len(recall) - 1)]


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


def _panel(xlabel: str, ylabel: str = "") -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.155, 0.2, 0.805, 0.745))
    axes.set_xlabel(xlabel, color=MUTED, fontsize=_TEXT, labelpad=2)
    axes.set_ylabel(ylabel, color=MUTED, fontsize=_TEXT, labelpad=2)
    axes.tick_params(colors=MUTED, labelsize=_TEXT, length=0, pad=4)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _in_percent(axes: Axes, which: str) -> None:
    for axis in (axes.xaxis, axes.yaxis) if which == "both" else (axes.yaxis,):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))


def learning(
    training: Band | None,
    validation: Band | None,
    reference: Band | None,
    limits: tuple[float, float],
    *,
    shares: bool,
) -> str:
    """Draw a figure over the epochs: training, validation and, thin, the reference's validation.

    Parameters
    ----------
    limits : (float, float)
        Of the vertical axis: the same for every recipe, so that panels can be compared.
    shares : bool
        Whether the figures are shares, shown in per cent.
    """
    figure, axes = _panel("epoch")
    if reference is not None:
        axes.plot(reference.x, reference.mean, color=MUTED, linewidth=1.0, linestyle=(0, (1, 1.5)))
    for band, colour, dash in ((training, WARM, (0, (4, 1.6))), (validation, ACCENT, "-")):
        if band is not None:
            mark = "o" if len(band.x) == 1 else ""
            axes.fill_between(band.x, band.low, band.high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(band.x, band.mean, color=colour, linewidth=1.7, linestyle=dash, marker=mark)
    axes.set_ylim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if shares:
        _in_percent(axes, "y")
    return to_svg(figure)


def roc(curves: TradeOff, reference: TradeOff | None, points: Points) -> str:
    """Draw the ROC curve of every run, their mean, and the plain and tuned decisions on it."""
    figure, axes = _panel("false positive rate, %", "true positive rate, %")
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
    ends = reference.true_positive if reference else None
    _runs_and_mean(axes, curves.true_positive, ends)
    _marks(axes, {name: p and (p[2], p[0]) for name, p in points.items()})
    return _square(figure, axes)


def precision_recall(curves: TradeOff, reference: TradeOff | None, points: Points) -> str:
    """Draw the precision-recall curve of every run, their mean, and the chosen points on it."""
    figure, axes = _panel("recall, %", "precision, %")
    ends = reference.precision if reference else None
    _runs_and_mean(axes, curves.precision, ends)
    _marks(axes, {name: p and (p[0], p[1]) for name, p in points.items()})
    return _square(figure, axes)


def _runs_and_mean(
    axes: Axes, runs: NDArray[np.float64], reference: NDArray[np.float64] | None
) -> None:
    if reference is not None:
        axes.plot(GRID, reference.mean(0), color=MUTED, linewidth=1.1, linestyle=(0, (1, 1.5)))
    if len(runs) > 1:
        axes.plot(GRID, runs.T, color=ACCENT, linewidth=0.6, alpha=0.35)
    axes.plot(GRID, runs.mean(0), color=ACCENT, linewidth=1.7)


def _marks(axes: Axes, points: dict[str, tuple[float, float] | None]) -> None:
    looks = {"plain": ("o", PAPER, INK, 42), "tuned": ("D", WARM, PAPER, 40)}
    for name, point in points.items():
        if point is not None:
            marker, face, edge, size = looks[name]
            axes.scatter(
                *point, s=size, marker=marker, c=face, edgecolors=edge, linewidths=1.4, zorder=5
            )


def _square(figure: Figure, axes: Axes) -> str:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    _in_percent(axes, "both")
    return to_svg(figure)


def reliability_plot(bins: Bins, lowest: float, after: Bins | None = None) -> str:
    """Draw accuracy against confidence; a dot's area is its share of the answers.

    Parameters
    ----------
    bins : three arrays
        Confidence, accuracy and share, as `reliability` returns them.
    lowest : float
        The lowest confidence there can be: one over the number of classes.
    after : three arrays, optional
        The same after temperature scaling, drawn hollow.
    """
    figure, axes = _panel("confidence, %", "right, %")
    confidence, accuracy, share = bins
    axes.plot([lowest, 1], [lowest, 1], color=MUTED, linewidth=1.0, linestyle=(0, (1, 1.5)))
    axes.plot(confidence, accuracy, color=ACCENT, linewidth=1.4)
    axes.scatter(confidence, accuracy, s=12 + 160 * share, c=ACCENT, alpha=0.75, linewidths=0)
    least = float(accuracy.min())
    if after is not None:
        cooled, right, part = after
        axes.plot(cooled, right, color=WARM, linewidth=1.2, linestyle=(0, (4, 1.6)))
        axes.scatter(cooled, right, s=12 + 160 * part, c="none", edgecolors=WARM, linewidths=1.2)
        least = min(least, float(right.min()))
    axes.set_xlim(lowest - 0.02, 1.02)
    axes.set_ylim(min(lowest, least) - 0.04, 1.04)
    _in_percent(axes, "both")
    return to_svg(figure)
