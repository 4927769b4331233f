"""Resamples of the test images, as weights.

Resampling images with replacement is weighting them by how often each was drawn, so that a figure
under a resample is the weighted figure.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLES", "image_weights"]

RESAMPLES = 1000


def image_weights(
    labels: NDArray[np.int_], seed: int, *, resamples: int = RESAMPLES, fold: int = 0
) -> NDArray[np.float64]:
    """Return the weight of each test image in each resample, (B, N).

    Resamples are stratified: every class keeps its number of images, so that none is ever absent.
    Of n images of a class n - 1 are drawn and weighted by n/(n - 1), which makes the variance that
    a bootstrap finds unbiased (McCarthy and Snowden, "The bootstrap and finite population
    sampling", 1985). The one image of a class of one always counts once: such a class says nothing
    about how its images vary.

    Parameters
    ----------
    labels : (N,) integers
    seed : int
    resamples : int
    fold : int
        Folds have test images of their own, and so resamples of their own.
    """
    rng = np.random.default_rng([seed, 0, fold])
    weights = np.ones((resamples, len(labels)))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        n = len(members)
        if n > 1:
            # Counted by hand: `multinomial` takes twenty times as long where all are as likely.
            places = rng.integers(n, size=(resamples, n - 1)) + n * np.arange(resamples)[:, None]
            drawn = np.bincount(places.ravel(), minlength=resamples * n).reshape(resamples, n)
            weights[:, members] = drawn * (n / (n - 1))
    return weights
