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
    ICML 2020). The log of the scale and the biases have a standard normal prior, so that where
    there are few images of a class, or none, what the net says of itself counts instead. With a
    dozen images of each class the prior changes next to nothing.
    """
    z = logits - logits.max(1, keepdims=True)
    truth = (labels[:, None] == np.arange(logits.shape[1])).astype(np.float64)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scale, biases = np.exp(parameters[0]), parameters[1:]
        logs = log_softmax(scale * z + biases, axis=1)
        off = np.exp(logs) - truth
        value = parameters @ parameters / 2 - (logs * truth).sum()
        slope = np.concatenate([[scale * (off * z).sum()], off.sum(0)]) + parameters
        # Per image: the solver's tolerances are made for losses of about one.
        return float(value) / len(z), slope / len(z)

    bounds = [tuple(np.log(_SCALES)), *[(None, None)] * logits.shape[1]]
    start = np.zeros(1 + logits.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(float(np.exp(found[0])), found[1:] - found[1:].mean())


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
