"""How far probabilities can be believed, under weights of the images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.decided import Floats

__all__ = ["BINS", "Reliability", "believed", "reliability"]

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Answers by how sure they are, in bins of equal width over [0, 1].

    Bin b of n holds the answers of a confidence in (b/n, (b+1)/n].

    Attributes
    ----------
    mass : (…, bins) floats
        Weight of the answers.
    confidence, right : (…, bins) floats
        Sums over the answers, each by its weight: of the highest probability, and of 1 for a right
        answer.
    """

    mass: Floats
    confidence: Floats
    right: Floats

    @property
    def error(self) -> Floats:
        """The expected calibration error, (…), in [0, 1].

        Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
        """
        return np.abs(self.right - self.confidence).sum(-1) / self.mass.sum(-1)

    def diagram(self) -> tuple[Floats, Floats, Floats]:
        """Return mean confidence, share right and share of all answers, of the bins that have any.

        Of one row of weights.
        """
        filled = self.mass > 0
        mass = self.mass[filled]
        share = mass / mass.sum() if len(mass) else mass
        return self.confidence[filled] / mass, self.right[filled] / mass, share


def reliability(
    probabilities: Floats, labels: NDArray[np.int_], weights: Floats, bins: int = BINS
) -> Reliability:
    """Return the answers to (N, K) probabilities by their confidence.

    `weights` are (…, N).
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    inside = (bin_of[:, None] == np.arange(bins)).astype(np.float64)
    each = (inside * of[:, None] for of in (confidence, right))
    return Reliability(weights @ inside, *(weights @ of for of in each))


def believed(probabilities: Floats, labels: NDArray[np.int_], weights: Floats) -> dict[str, Floats]:
    """Return `ece`, `brier` and `log_loss` of (N, K) probabilities, (…) for (…, N) weights."""
    n, k = probabilities.shape
    total = weights.sum(-1)
    given = probabilities[np.arange(n), labels]
    square = (probabilities**2).sum(1) - 2 * given + 1
    # A probability of 0 is no infinity.
    likely = np.clip(given, np.finfo(np.float64).eps, 1)
    return {
        "ece": reliability(probabilities, labels, weights).error,
        "brier": weights @ (square / (2 if k == 2 else 1)) / total,
        "log_loss": weights @ -np.log(likely) / total,
    }
