"""From logits to labels: the plain decision, and the one tuned on validation.

A decision adds an offset to each class's logit and takes the largest. With two classes that is a
moved threshold, prior correction and post-hoc logit adjustment in one: all three are this
one-parameter family (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import unknown
from equipoise.metrics import OBJECTIVES

__all__ = ["Decision", "plain", "tune"]

# With more than two classes a line search looks at no more than this many places.
_PLACES = 256
_SWEEPS = 20


@dataclass(frozen=True)
class Decision:
    """Offsets added to the logits before the largest is taken.

    Attributes
    ----------
    offsets : tuple of K floats
        In logits; all zero is the plain decision.
    objective : str
        What they were tuned for; "" for the plain decision.
    """

    offsets: tuple[float, ...]
    objective: str = ""

    def apply(self, logits: ArrayLike) -> NDArray[np.int64]:
        """Return the decided label of each row of (N, K) logits."""
        return (np.asarray(logits, np.float64) + np.asarray(self.offsets)).argmax(1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a model file."""
        return {"offsets": list(self.offsets), "objective": self.objective}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Decision":
        """Return the decision that `to_dict` described."""
        return cls(tuple(float(v) for v in fields["offsets"]), str(fields["objective"]))


def plain(classes: int) -> Decision:
    """Return the decision for the largest logit."""
    return Decision((0.0,) * classes)


def tune(logits: ArrayLike, labels: ArrayLike, objective: str = "balanced_accuracy") -> Decision:
    """Return the offsets that maximise `objective` on validation data.

    Two classes: every threshold is tried. More: coordinate ascent, one exact line search a class
    in turn until nothing improves. Of equally good offsets the one nearest to zero is taken, so a
    decision moves only for a reason.

    Parameters
    ----------
    logits : (N, K) floats
    labels : (N,) integers in [0, K)
    objective : {'balanced_accuracy', 'g_mean', 'macro_f1', 'accuracy'}

    Raises
    ------
    InputError
        If `objective` has another name.
    """
    if objective not in OBJECTIVES:
        raise unknown("objective", objective, OBJECTIVES)
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    classes = logits.shape[1]
    offsets = np.zeros(classes)
    best = _score(logits, labels, offsets, objective)
    turns = [1] if classes == 2 else list(range(classes)) * _SWEEPS
    idle = 0
    for label in turns:
        offset, score = _search(logits, labels, offsets, label, objective)
        # A difference within rounding is no improvement.
        if score > best + 1e-12:
            offsets[label], best, idle = offset, score, 0
        else:
            idle += 1
        if idle == classes:
            break
    return Decision(tuple(float(v) for v in offsets), objective)


def _score(
    logits: NDArray[np.float64],
    labels: NDArray[np.int_],
    offsets: NDArray[np.float64],
    objective: str,
) -> float:
    k = logits.shape[1]
    decided = (logits + offsets).argmax(1)
    confusion = np.bincount(labels * k + decided, minlength=k * k).reshape(k, k)
    return float(OBJECTIVES[objective](confusion))


def _search(
    logits: NDArray[np.float64],
    labels: NDArray[np.int_],
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
    # Image i has moved at the places from `since` on; summing moves up the places gives, at each,
    # the confusion matrix there.
    since = np.searchsorted(places, needed)
    moves = np.zeros((len(places) + 1, k, k), np.int64)
    np.add.at(moves, (since, labels, rival), -1)
    np.add.at(moves, (since, labels, np.full_like(labels, label)), 1)
    start = np.bincount(labels * k + rival, minlength=k * k).reshape(k, k)
    scores = OBJECTIVES[objective](start + moves[:-1].cumsum(0))
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
