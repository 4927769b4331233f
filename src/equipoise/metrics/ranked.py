"""How well scores rank the images of a class before the others, under weights of the images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.decided import Floats

__all__ = ["ranking"]

Places = NDArray[np.int_]

# Weights that are sorted together: what is worked out of them takes a few times their memory.
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
    found = _ties(scores[order], hits[order])
    rows = max(1, _TOGETHER // max(1, len(scores)))
    parts = [
        _areas(weights[start : start + rows, order], found)
        for start in range(0, len(weights), rows)
    ]
    area, precision = (np.concatenate(part) for part in zip(*parts, strict=True))
    return area, precision


@dataclass(frozen=True)
class _Ties:
    """Where the hits are in the order of the scores; those of the same score enter together.

    Attributes
    ----------
    hits : places of the hits
    first : for each score that a hit has, which of the hits is the first
    bounds : places that part the images of such scores from those between
    tied : which of these parts are images of such scores
    """

    hits: Places
    first: Places
    bounds: Places
    tied: Places


def _ties(scores: Floats, hits: NDArray[np.bool_]) -> _Ties:
    places = np.flatnonzero(hits)
    begins = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    score_of = np.searchsorted(begins, places, side="right") - 1
    scored, first = np.unique(score_of, return_index=True)
    ends = np.append(begins, len(scores))[scored + 1]
    bounds = np.unique(np.concatenate([[0], begins[scored], ends[ends < len(scores)]]))
    return _Ties(places, first, bounds, np.searchsorted(bounds, begins[scored]))


def _areas(weights: Floats, ties: _Ties) -> tuple[Floats, Floats]:
    """The areas under both curves, for images in the order of their scores."""
    if not len(ties.hits):
        nothing = np.full(len(weights), np.nan)
        return nothing, nothing
    parts = np.add.reduceat(weights, ties.bounds, axis=1)
    above = np.cumsum(parts, axis=1)
    gained = np.add.reduceat(weights[:, ties.hits], ties.first, axis=1)
    true, said = np.cumsum(gained, axis=1), above[:, ties.tied]
    every = true[:, -1]
    others = above[:, -1] - every
    # Of the others, those below a hit count, and half of those beside it.
    below = others[:, None] - (said - true) + (parts[:, ties.tied] - gained) / 2
    whole = np.where((every > 0) & (others > 0), every, np.nan)
    area = (gained * below).sum(1) / (whole * np.where(others > 0, others, 1.0))
    return area, (gained * true / np.where(said > 0, said, 1.0)).sum(1) / whole
