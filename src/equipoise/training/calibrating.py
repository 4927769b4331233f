"""From logits to probabilities, by what validation data say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from equipoise.metrics.decided import Floats

__all__ = ["Calibration", "calibrate", "temperature"]

# Scales outside have no meaning: a net that makes no error on validation would get infinity.
_SCALES = (0.01, 100.0)

# Chosen by what tuned decisions are worth on other images: docs/results/decisions.md.
_OFFSETS = 0.25

# Logits that are so many times farther below the largest than those of the median image count as if
# they were no farther: a few images that a net is wrong about by thousands would otherwise decide
# the scale for all.
_FARTHEST = 10.0

# In the place of no image of a class, whose log is none; it is added to all.
_NONE = 0.5


@dataclass(frozen=True)
class Calibration:
    """Probabilities softmax(scale · z + biases) of logits z.

    Attributes
    ----------
    scale : float
        Above 0; below 1 the net was too sure.
    biases : (K,) floats
        With a mean of 0.
    """

    scale: float
    biases: Floats

    def probabilities(self, logits: Floats) -> Floats:
        """Return the (N, K) probabilities of (N, K) logits."""
        return softmax(self.scale * logits + self.biases, axis=1)


def calibrate(logits: Floats, labels: NDArray[np.int_]) -> Calibration:
    """Return the scale and biases that are likeliest on validation data.

    For two classes the scaling of Platt ("Probabilistic outputs for support vector machines",
    1999), for more temperature scaling with a bias a class (Alexandari, Kundaje and Shrikumar,
    "Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation",
    ICML 2020). The biases are a multiple of the log of the classes' shares in validation, which is
    what a net lacks that was trained with other shares, and an offset a class. Normal priors hold
    the log of the scale and the multiple near zero (deviation 1) and the offsets nearer (1/4), so
    that where there are few images of a class, or none, what the net says of itself counts, and
    what the other classes show.
    """
    z = logits - logits.max(1, keepdims=True)
    z = np.maximum(z, _FARTHEST * np.median(z.min(1)))
    classes = logits.shape[1]
    shares = np.log(np.bincount(labels, minlength=classes) + _NONE)
    shares -= shares.mean()
    # From the parameters to the biases, and what the priors make of each parameter.
    to_biases = np.vstack([np.zeros(classes), shares, np.eye(classes)])
    precision = np.concatenate([[1.0, 1.0], np.full(classes, _OFFSETS**-2)])

    rows = np.arange(len(labels))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scale = np.exp(parameters[0])
        logs = scale * z + parameters @ to_biases
        logs -= logs.max(1, keepdims=True)
        off = np.exp(logs)
        total = off.sum(1)
        off /= total[:, None]
        off[rows, labels] -= 1
        value = precision @ parameters**2 / 2 - (logs[rows, labels] - np.log(total)).sum()
        slope = to_biases @ off.sum(0) + precision * parameters
        slope[0] += scale * (off * z).sum()
        # Per image: the solver's tolerances are made for losses of about one.
        return float(value) / len(z), slope / len(z)

    start = np.zeros(2 + classes)
    bounds = [tuple(np.log(_SCALES)), *[(None, None)] * (classes + 1)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    biases = found @ to_biases
    return Calibration(float(np.exp(found[0])), biases - biases.mean())


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature T with which softmax(z / T) has the least log-loss on these data.

    Between 0.01 and 100; above 1 the net was too sure. It changes no decision, only how sure the
    probabilities are.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    rows = np.arange(len(labels))

    def log_loss(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[rows, labels].mean())

    # Convex in 1/T, so one minimum in log T.
    low, high = np.log(_SCALES).tolist()
    found = minimize_scalar(log_loss, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))
