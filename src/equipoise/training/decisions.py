"""From logits to labels: the plain decision, and those tuned on validation; and to probabilities.

A decision adds an offset to each class's logit and takes the largest. With two classes that is a
moved threshold, prior correction and post-hoc logit adjustment in one: all three are this
one-parameter family (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021). With
more, logit adjustment has one parameter and the tuned offsets have one a class. Temperature
scaling changes no decision, only how sure the probabilities are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from equipoise.errors import require, unknown
from equipoise.metrics import OBJECTIVES

__all__ = ["Decision", "adjust", "check_objective", "plain", "temperature", "tune"]

# With more than two classes a line search looks at no more than this many places.
_PLACES = 256
_SWEEPS = 20

# Logit adjustment tries these τ. Below zero it takes back what training corrected too far.
_TAUS = np.linspace(-2, 4, 301)

# How strongly biases of a calibration are held at zero.
_HOLD = 1e-6

# Temperatures outside have no meaning: a net that makes no error on validation would get zero.
_TEMPERATURES = (0.01, 100.0)


@dataclass(frozen=True)
class Decision:
    """Offsets added to the logits before the largest is taken.

    Attributes
    ----------
    offsets : tuple of K floats
        In logits; all zero is the plain decision.
    objective : str
        What they were tuned for; "" for the plain decision.
    tau : float, optional
        Of logit adjustment: the offsets are -τ log π.
    """

    offsets: tuple[float, ...]
    objective: str = ""
    tau: float | None = None

    def apply(self, logits: ArrayLike) -> NDArray[np.int64]:
        """Return the decided label of each row of (N, K) logits."""
        return (np.asarray(logits, np.float64) + np.asarray(self.offsets)).argmax(1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a model file."""
        fields = {"offsets": list(self.offsets), "objective": self.objective}
        return fields if self.tau is None else {**fields, "tau": self.tau}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Decision":
        """Return the decision that `to_dict` described."""
        offsets = tuple(float(v) for v in fields["offsets"])
        return cls(offsets, str(fields["objective"]), fields.get("tau"))


def plain(classes: int) -> Decision:
    """Return the decision for the largest logit."""
    return Decision((0.0,) * classes)


def check_objective(objective: str) -> None:
    """Raise `InputError` unless a decision can be tuned for it."""
    if objective not in OBJECTIVES:
        raise unknown("objective", objective, OBJECTIVES)


def tune(logits: ArrayLike, labels: ArrayLike, objective: str = "balanced_accuracy") -> Decision:
    """Return the offsets with the highest `objective` to be expected, as validation data tell.

    Not those that are best on these very images: where the rare class has some dozens of them, the
    best place for a threshold is mostly luck. The logits are calibrated by a scale and a bias a
    class (`calibrate`), and what is made largest is the objective under the calibrated
    probabilities: the plug-in rule. For balanced accuracy and accuracy that is a formula; for the
    others it is coordinate ascent, one line search a class in turn until nothing improves. A class
    without an image keeps its logit.

    Parameters
    ----------
    logits : (N, K) floats
    labels : (N,) integers in [0, K)
    objective : {'balanced_accuracy', 'g_mean', 'macro_f1', 'accuracy'}

    Raises
    ------
    InputError
        If `objective` has another name.

    References
    ----------
    Koyejo, Natarajan, Ravikumar and Dhillon, "Consistent binary classification with generalized
    performance metrics", NeurIPS 2014.
    """
    check_objective(objective)
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    expected, fair, likely = calibrate(logits, labels)
    offsets = likely if objective == "accuracy" else fair
    if objective not in ("accuracy", "balanced_accuracy"):
        offsets = _ascend(logits, expected, offsets, objective)
    return Decision(tuple(float(v) for v in offsets), objective)


def calibrate(
    logits: NDArray[np.float64], labels: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return calibrated probabilities, and the offsets that are best under them for two objectives.

    softmax(a·z + b) with the a > 0 and the b of least log-loss: for two classes the scaling of
    Platt ("Probabilistic outputs for support vector machines", 1999), for more temperature scaling
    with a bias a class (Alexandari, Kundaje and Shrikumar, "Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation", ICML 2020).

    Returns
    -------
    (N, K) floats
        The probabilities; zero for a class without an image.
    (K,) floats
        Offsets of the highest balanced accuracy: each probability over its class's share.
    (K,) floats
        Offsets of the highest accuracy.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])
    there = np.flatnonzero(counts)
    z, share = logits[:, there], counts[there] / len(labels)
    z = z - z.max(1, keepdims=True)
    truth = (labels[:, None] == there).astype(np.float64)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, bias = np.exp(parameters[0]), parameters[1:]
        logs = log_softmax(scale * z + bias, axis=1)
        off = np.exp(logs) - truth
        # The little that holds the biases keeps separable data from sending them away.
        value = -(logs * truth).sum() / len(z) + _HOLD * (bias @ bias)
        slope = np.concatenate([[scale * (off * z).sum()], off.sum(0)]) / len(z)
        slope[1:] += 2 * _HOLD * bias
        return float(value), slope

    span = -np.log(_TEMPERATURES[::-1])
    bounds = [tuple(span), *[(None, None)] * len(there)]
    start = np.zeros(1 + len(there))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    scale, bias = np.exp(found[0]), found[1:]
    expected, fair, likely = (np.zeros(shape) for shape in (logits.shape, len(counts), len(counts)))
    expected[:, there] = softmax(scale * z + bias, axis=1)
    for offsets, best in ((fair, bias - np.log(share)), (likely, bias)):
        # Of all that decide alike, those about zero: classes without an image stay there.
        offsets[there] = (best - best.mean()) / scale
    return expected, fair, likely


def _ascend(
    logits: NDArray[np.float64],
    expected: NDArray[np.float64],
    offsets: NDArray[np.float64],
    objective: str,
) -> NDArray[np.float64]:
    """Improve the expected objective by one class's offset at a time."""
    classes = logits.shape[1]
    turns = [1] if classes == 2 else list(range(classes)) * _SWEEPS
    best, idle, offsets = _score(logits, expected, offsets, objective), 0, offsets.copy()
    for label in turns:
        offset, score = _search(logits, expected, offsets, label, objective)
        if score > best + 1e-12:
            offsets[label], best, idle = offset, score, 0
        else:
            idle += 1
        if idle == classes:
            break
    return offsets


def adjust(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    objective: str = "balanced_accuracy",
) -> Decision:
    """Return post-hoc logit adjustment, offsets -τ log π, with τ tuned on validation data.

    Of equally good τ the one nearest to zero is taken.

    Parameters
    ----------
    logits : (N, K) floats
    labels : (N,) integers in [0, K)
    counts : (K,) integers >= 1
        Training images of each class, as given; π are their shares.
    objective : str
        As in `tune`.

    Raises
    ------
    InputError
        If `objective` has another name, or a class has no training image.

    References
    ----------
    Menon, Jayasumana, Rawat, Jain, Veit and Kumar, "Long-tail learning via logit adjustment",
    ICLR 2021.
    """
    check_objective(objective)
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    counts = np.asarray(counts, np.float64)
    require(bool((counts >= 1).all()), "training images of every class", counts=counts.tolist())
    log_prior = np.log(counts / counts.sum())
    expected, *_ = calibrate(logits, labels)
    scores = np.array([_score(logits, expected, -tau * log_prior, objective) for tau in _TAUS])
    among = _TAUS[scores >= scores.max() - 1e-12]
    tau = round(float(among[np.abs(among).argmin()]), 6)
    return Decision(tuple(float(v) for v in 0.0 - tau * log_prior), objective, tau)


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature T with which softmax(z / T) has the least log-loss on these data.

    Between 0.01 and 100; above 1 the net was too sure.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    rows = np.arange(len(labels))

    def log_loss(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[rows, labels].mean())

    # Convex in 1/T, so one minimum in log T.
    low, high = np.log(_TEMPERATURES).tolist()
    found = minimize_scalar(log_loss, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def _score(
    logits: NDArray[np.float64],
    expected: NDArray[np.float64],
    offsets: NDArray[np.float64],
    objective: str,
) -> float:
    """The objective, each image counted for every class by its (N, K) probability."""
    confusion = _by_decided(expected, (logits + offsets).argmax(1))
    return float(OBJECTIVES[objective](confusion))


def _by_decided(expected: NDArray[np.float64], decided: NDArray[np.int_]) -> NDArray[np.float64]:
    """The (K, K) confusion matrix, rows the true classes."""
    return _sums(expected, decided, expected.shape[1]).T


def _sums(rows: NDArray[np.float64], groups: NDArray[np.int_], number: int) -> NDArray[np.float64]:
    """Sum the rows of each group; (number, K)."""
    order = np.argsort(groups, kind="stable")
    groups = groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sums = np.zeros((number, rows.shape[1]))
    sums[groups[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return sums


def _search(
    logits: NDArray[np.float64],
    expected: NDArray[np.float64],
    offsets: NDArray[np.float64],
    label: int,
    objective: str,
) -> tuple[float, float]:
    """Best offset of one class, the others held, and its score."""
    k = logits.shape[1]
    rivals = logits + offsets
    rivals[:, label] = -np.inf
    rival = rivals.argmax(1)
    # Image i goes to `label` as soon as the offset passes this.
    needed = rivals.max(1) - logits[:, label]
    places = _places(needed, every=k == 2)
    # Image i has moved at the places from `since` on; summing moves (decided, true) up the places
    # gives, at each, the confusion matrix there.
    since = np.searchsorted(places, needed)
    spots = len(places) + 1
    moves = -_sums(expected, since * k + rival, spots * k).reshape(spots, k, k)
    moves[:, label] += _sums(expected, since, spots)
    start = _by_decided(expected, rival)
    # Rounding must not leave less than no image.
    scores = OBJECTIVES[objective](np.maximum(start + moves[:-1].cumsum(0).swapaxes(1, 2), 0.0))
    top = scores.max()
    among = places[scores >= top - 1e-12]
    return float(among[np.abs(among).argmin()]), float(top)


def _places(needed: NDArray[np.float64], every: bool) -> NDArray[np.float64]:
    """Return offsets to try: between neighbouring turning points, and beyond both ends."""
    turning = np.unique(needed[np.isfinite(needed)])
    if not len(turning):
        return np.zeros(1)
    places = np.concatenate([[turning[0] - 1], (turning[1:] + turning[:-1]) / 2, [turning[-1] + 1]])
    if not every and len(places) > _PLACES:
        places = places[np.linspace(0, len(places) - 1, _PLACES).astype(int)]
    return places
