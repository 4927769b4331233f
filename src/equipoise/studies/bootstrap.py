"""Resampling of test images and of runs, as weights."""

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics.decided import Floats

__all__ = ["run_weights", "stratified_weights"]


def stratified_weights(
    labels: NDArray[np.int_], resamples: int, seed: int, fold: int = 0
) -> Floats:
    """Return how often each image is drawn in each resample, (B, N).

    Every class is drawn from by itself and keeps its number of images: none is missing from a
    resample, however few it has. Folds have test images of their own, and so resamples of their
    own.
    """
    rng = np.random.default_rng([seed, 0, fold] if fold else [seed, 0])
    weights = np.zeros((resamples, len(labels)))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), resamples)
    return weights


def run_weights(runs: int, resamples: int, seed: int) -> Floats:
    """Return the share of each run in each resample of runs, (B, R); rows sum to 1."""
    rng = np.random.default_rng([seed, 1])
    return rng.multinomial(runs, np.full(runs, 1 / runs), resamples) / runs
