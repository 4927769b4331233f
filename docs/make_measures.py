"""Draws the plots of docs/measures.md from the package's own losses, draws and decisions.

Run it as ``python docs/make_measures.py`` whenever one of them has changed.
"""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

import equipoise as eq
from equipoise.training import adjust, get_loss, temperature, tune
from equipoise.training.calibrating import calibrate
from equipoise.training.draws import WAYS, Draws
from equipoise.training.losses import LOSSES, effective_weights
from equipoise.training.offsets import Sample

PICTURES = Path(__file__).parent / "pictures" / "measures"
# Okabe and Ito's colours, which most colour-blind people can tell apart.
COMMON, RARE, THIRD, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
# Two classes of 1,000 and 100 images.
LABELS = np.repeat([0, 1], [1000, 100])
SHADES = {0.5: COMMON, 2.0: RARE, 5.0: THIRD}
SHAPES: dict[str, list[dict[str, float]]] = {
    "effective_number": [{"beta": 0.999}],
    "focal": [{"gamma": 0.5}, {"gamma": 2.0}, {"gamma": 5.0}],
    "ldam": [{"scale": 1.0}],
    "logit_adjusted": [{"tau": 1.0}],
}


def loss_plot(name: str) -> Figure:
    """Return a loss of two classes over the lead of an image's own logit."""
    figure, axes = _figure()
    lead = np.linspace(-6, 6, 241)
    axes.plot(lead, _terms("cross_entropy", lead, 0), "--", color=GREY, label="cross-entropy")
    for parameters in SHAPES.get(name, [{}]):
        for line in _lines(name, lead, parameters) if name != "cross_entropy" else ():
            axes.plot(lead, line[0], color=line[1], label=line[2])
    axes.set(xlabel="logit of its own class less the other's", ylabel="loss", ylim=(0, 8))
    axes.legend()
    return figure


def _lines(
    name: str, lead: NDArray[np.float64], parameters: dict[str, float]
) -> list[tuple[Any, Any, str]]:
    words = ", ".join(f"{key} {value:g}" for key, value in parameters.items())
    of = f", {words}" if words else ""
    common, rare = (_terms(name, lead, label, parameters) for label in (0, 1))
    if np.allclose(common, rare):
        return [(common, SHADES[parameters["gamma"]], words)]
    return [(rare, RARE, f"class of 100{of}"), (common, COMMON, f"class of 1,000{of}")]


def _terms(
    name: str, lead: NDArray[np.float64], label: int, parameters: dict[str, float] | None = None
) -> NDArray[np.float64]:
    loss = get_loss({name: parameters or {}}, LABELS, 2, defer=0.8 if name == "ldam" else 0.0)
    logits = torch.zeros((len(lead), 2), dtype=torch.float64)
    logits[:, label] = torch.from_numpy(lead)
    labels = torch.full((len(lead),), label)
    weights = None
    if loss.weights is not None and LOSSES[name].weights == "always":
        weights = loss.weights.double()
    return loss.form(logits, labels, weights, "none").numpy()


def weights_plot() -> Figure:
    """Return the weight of a class by its size, beside one of 1,000 images."""
    figure, axes = _figure()
    sizes = np.unique(np.geomspace(1, 1000, 60).astype(int))
    for beta, colour in ((0.9, GREY), (0.99, THIRD), (0.999, COMMON), (1.0, RARE)):
        weights = [effective_weights(np.repeat([0, 1], [1000, n]), 2, beta) for n in sizes]
        label = "inverse frequency (beta 1)" if beta == 1 else f"beta {beta:g}"
        axes.plot(sizes, [float(w[1] / w[0]) for w in weights], color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="images of the class")
    axes.set_ylabel("weight, times that of 1,000")
    axes.legend()
    return figure


def draws_plot() -> Figure:
    """Return each way's shares of three classes in the course of a training."""
    labels, total, window = np.repeat([0, 1, 2], [600, 150, 30]), 24_000, 800
    figure, all_axes = _figure(len(WAYS), width=8.4, height=2.4)
    for axes, way in zip(all_axes, WAYS, strict=True):
        rows, _ = Draws(labels, way, seed=0, total=total)(0, total)
        classes = labels[rows].reshape(-1, window)
        shares = [(classes == k).mean(axis=1) for k in range(3)]
        progress = np.linspace(0, 1, len(classes))
        axes.stackplot(progress, shares, colors=(COMMON, THIRD, RARE), alpha=0.85)
        axes.set(title=way, xlim=(0, 1), ylim=(0, 1), xlabel="share of training")
    all_axes[0].set_ylabel("share of the draws")
    all_axes[-1].legend(("600", "150", "30"), title="images", loc="center left",
                        bbox_to_anchor=(1, 0.5))  # fmt: skip
    return figure


def decisions_plot() -> Figure:
    """Return what a moved threshold does, and what a temperature does, on the digits."""
    logits, labels, counts = _small_model()
    figure, (left, right) = _figure(2, width=7.6, height=3.0)
    offsets = np.linspace(-4, 8, 241)
    scores = [
        balanced_accuracy_score(labels, (logits + np.array([0, offset])).argmax(axis=1))
        for offset in offsets
    ]
    left.plot(offsets, scores, color=GREY)
    tuned, adjusted = tune(logits, labels), adjust(logits, labels, counts)
    for name, decision, mark in (("tuned", tuned, "o"), ("adjusted", adjusted, "s")):
        offset = decision.offsets[1] - decision.offsets[0]
        score = balanced_accuracy_score(labels, decision.apply(logits))
        left.plot(offset, score, mark, color=RARE if mark == "o" else THIRD, label=name)
    left.plot(0, balanced_accuracy_score(labels, logits.argmax(axis=1)), "D", color=COMMON,
              label="plain")  # fmt: skip
    left.set(xlabel="offset of the rarer class", ylabel="balanced accuracy, validation")
    left.legend(loc="lower right")
    temperatures = np.geomspace(0.2, 10, 100)
    losses = [
        -log_softmax(logits / t, axis=1)[np.arange(len(labels)), labels].mean()
        for t in temperatures
    ]
    right.plot(temperatures, losses, color=GREY)
    best = temperature(logits, labels)
    right.plot(best, np.interp(best, temperatures, losses), "o", color=RARE, label="chosen")
    right.set(xscale="log", xlabel="temperature", ylabel="log-loss, validation")
    right.legend()
    return figure


def objectives_plot() -> Figure:
    """Return objectives over the offset as they are to be expected, and the tuned places."""
    logits, labels, _ = _small_model()
    figure, axes = _figure(width=6.6, height=3.0)
    expected = calibrate(logits, labels).probabilities(logits)
    sample = Sample(logits, expected, np.zeros_like(expected))
    offsets = np.linspace(-4, 8, 481)
    wanted = {
        "balanced accuracy": (eq.Objective("balanced_accuracy"), COMMON),
        "F2 of 8": (eq.Objective("f2"), RARE),
        "recall of 8 at a precision\nof 80 %": (
            eq.Objective("8.recall", {"8.precision": 0.8}),
            THIRD,
        ),
        "F0.5 of 8": (eq.Objective("f0.5"), GREY),
    }
    for label, (asked, colour) in wanted.items():
        goal = asked.on(("1", "8"), 1)
        values = [goal.value(sample.counts(np.array([0.0, offset]))) for offset in offsets]
        axes.plot(offsets, values, color=colour, label=label)
        best = tune(logits, labels, goal).offsets
        place = best[1] - best[0]
        axes.plot(place, np.interp(place, offsets, values), "o", color=colour)
    axes.set(xlabel="offset of the rarer class", ylabel="to be expected", ylim=(0, 1.02))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _small_model() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Logits (N, 2) and labels of the digits' validation split, and training's class counts."""
    data = eq.load("digits", classes=["1", "8"])
    flat = [part.array.reshape(len(part), -1) / 255 for part in (data.train, data.validation)]
    model = LogisticRegression(max_iter=1000).fit(flat[0], data.train.labels)
    scores = model.decision_function(flat[1])
    return np.stack([0 * scores, scores], axis=1), data.validation.labels, data.train.counts


def _figure(panels: int = 1, width: float = 4.6, height: float = 3.0) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, panels)
    for one in np.atleast_1d(axes):
        _plain(one)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)


def plots() -> dict[str, Figure]:
    """Return every plot by the name of its file."""
    losses = {name: loss_plot(name) for name in LOSSES if name != "cross_entropy"}
    others = {
        "weights": weights_plot,
        "draws": draws_plot,
        "decisions": decisions_plot,
        "objectives": objectives_plot,
    }
    return {**losses, **{name: draw() for name, draw in others.items()}}


def svg(figure: Figure) -> str:
    """Return a plot as SVG, the same for the same plot."""
    with mpl.rc_context({"svg.hashsalt": "equipoise", "svg.fonttype": "none"}):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def write() -> None:
    """Write the plots."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, figure in plots().items():
        (PICTURES / f"{name}.svg").write_text(svg(figure), encoding="utf-8")


if __name__ == "__main__":
    mpl.rcParams.update({"font.size": 9, "legend.frameon": False, "legend.fontsize": 8})
    write()
