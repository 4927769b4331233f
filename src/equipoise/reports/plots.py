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
from sklearn.metrics import precision_recall_curve, roc_curve

from equipoise.reports.svg import ACCENT, INK, LINE, MUTED, PAPER, WARM, to_svg, visible
from equipoise.training.predictions import Predictions

__all__ = [
    "Band",
    "TradeOff",
    "chosen_point",
    "confusion_map",
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
MID_ACCENT, MID_WARM = (0.18, 0.53, 0.76), (0.86, 0.44, 0.2)


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


def confusion_map(matrix: NDArray[np.float64], classes: Sequence[str]) -> str:
    """Draw a confusion matrix of many classes as a map, each row as shares of its class."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(4.4, 4.4))
    axes = figure.add_axes((0.24, 0.24, 0.74, 0.74))
    # A picture and not shapes: a thousand classes would make a million of them. Its two colours
    # are halfway between those of the light and the dark page, and show on both.
    colours = np.where(np.eye(len(matrix), dtype=bool)[..., None], MID_ACCENT, MID_WARM)
    # Shares below a fifth would all but vanish on a straight scale, and they are the mistakes.
    axes.imshow(np.dstack([colours, shares**0.6]), interpolation="nearest", aspect="auto")
    step = max(1, -(-len(classes) // 30))
    ticks = list(range(0, len(classes), step))
    names = [visible(classes[k], 16) for k in ticks]
    size = _TEXT if len(ticks) <= 14 else 6
    axes.set_xticks(ticks, names, rotation=90, parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.tick_params(colors=MUTED, labelsize=size, length=0, pad=3)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    return to_svg(figure)
