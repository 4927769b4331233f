"""Choosing from a training split how many images of each class it keeps."""

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, require

__all__ = ["WITHHELD", "long_tailed"]

# The split of training images that a selection leaves out.
WITHHELD = "withheld"


def long_tailed(counts: NDArray[np.int64], ratio: float) -> NDArray[np.int64]:
    """Return how many images of each class a long tail keeps.

    The exponential profile of Cui, Jia, Lin, Song and Belongie, "Class-balanced loss based on
    effective number of samples", CVPR 2019, and of Cao et al., NeurIPS 2019: class k of K keeps
    ``n · ratio^(-k/(K-1))``, rounded down. n is the largest number for which every class has
    enough: with classes of one size, that size.

    Parameters
    ----------
    counts : (K,) int64
        Training images of each class, the class with the most to keep first.
    ratio : float
        The imbalance ratio, largest to smallest class, at least 1.

    Raises
    ------
    InputError
        If the last class would be left without an image.
    """
    require(ratio >= 1, "long_tail >= 1", long_tail=ratio)
    shares = ratio ** (-np.arange(len(counts)) / (len(counts) - 1))
    most = (counts / shares).min()
    # Rounded first: 4,800 · 0.01 must not become 47 for want of the last bit.
    kept = np.floor(np.round(most * shares, 6)).astype(np.int64)
    if kept.min() < 1:
        raise InputError(
            f"--long-tail {ratio:g} leaves no image of the last class: "
            f"{most:,.0f} images divided by {ratio:g}. Give a smaller ratio."
        )
    return kept
