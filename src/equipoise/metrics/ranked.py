"""How well scores rank the images of a class before the others, under weights of the images."""

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.decided import Floats

__all__ = ["ranking"]

# Weights that are sorted together: what is worked out of them takes eight times their memory.
_TOGETHER = 2**18


def ranking(scores: Floats, hits: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Return ROC-AUC and average precision, one for each row of weights.

    Parameters
    ----------
    scores : (N,) floats
    hits : (N,) bools
        Which images are of the class.
    weights : (B, N) floats

    Returns
    -------
    two (B,) floats
        NaN where either kind has no weight: there is nothing to rank.
    """
    order = np.argsort(-scores, kind="stable")
    # Images of the same score enter together: only the last of each run of ties is a point.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, rows = hits[order], max(1, _TOGETHER // max(1, len(scores)))
    parts = [
        _areas(weights[start : start + rows, order], hits, ends)
        for start in range(0, len(weights), rows)
    ]
    area, precision = (np.concatenate(part) for part in zip(*parts, strict=True))
    return area, precision


def _areas(
    weights: Floats, hits: NDArray[np.bool_], ends: NDArray[np.int_]
) -> tuple[Floats, Floats]:
    """The areas under both curves, for images in the order of their scores."""
    said = np.cumsum(weights, axis=1)[:, ends]
    true = np.cumsum(weights * hits, axis=1)[:, ends]
    false = said - true
    gained = np.diff(true, axis=1, prepend=0.0)
    every, others = true[:, -1], false[:, -1]
    every = np.where((every > 0) & (others > 0), every, np.nan)
    # Each step of false alarms lies between the hits before it and those after it.
    area = (np.diff(false, axis=1, prepend=0.0) * (true - gained / 2)).sum(1)
    precision = (gained * true / np.where(said > 0, said, 1.0)).sum(1)
    return area / np.where(np.isnan(every), np.nan, every * others), precision / every
