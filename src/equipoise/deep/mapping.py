"""A map of the pictures: those that look alike lie side by side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from equipoise.deep.pool import Pool

__all__ = ["Map", "drawn_map"]

_MOST = 2500  # pictures: more are neither seen apart nor placed in a minute
_FEW = 50  # pictures below which neighbourhoods mean little
_COMPONENTS = 50
_PERPLEXITY = 30


@dataclass(frozen=True)
class Map:
    """Places in the plane.

    Attributes
    ----------
    rows : (M,) int
        The pictures, ascending; of large classes some, drawn by lot.
    places : (M, 2) float
        From 0 to 1.
    how : {'t-SNE', 'PCA'}
        L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008; of few
        pictures the first two principal components.
    """

    rows: NDArray[np.intp]
    places: NDArray[np.float64]
    how: str


def drawn_map(pool: Pool, seed: int) -> Map:
    """Place the pictures by their embeddings."""
    rows = _some(pool.labels, np.random.default_rng([seed % 2**64, 7]))
    values = pool.embeddings[rows].astype(np.float64)
    components = min(_COMPONENTS, *values.shape)
    if len(rows) > 1:
        values = PCA(components, random_state=0).fit_transform(values)
    how = "PCA" if len(rows) < _FEW or components < 2 else "t-SNE"
    if how == "t-SNE":
        perplexity = min(_PERPLEXITY, len(rows) // 4)
        values = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(values)
    values = np.pad(values, ((0, 0), (0, 2)))[:, :2]
    low = values.min(axis=0)
    return Map(rows, (values - low) / np.maximum(values.max(axis=0) - low, 1e-9), how)


def _some(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all rows, or so many that a map can hold: of rare classes all, of others alike."""
    if len(labels) <= _MOST:
        return np.arange(len(labels))
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        rank[mine] = np.arange(len(mine))
    return np.sort(np.lexsort((order, rank))[:_MOST])
