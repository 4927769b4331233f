"""Every figure of one set of predictions, and of many sets of weights of its images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import softmax

from equipoise.metrics.calibration import believed
from equipoise.metrics.decided import (
    DECIDED,
    Confusion,
    Floats,
    counts_of,
    mean_over,
    precisions,
    recalls,
)

__all__ = [
    "confusions",
    "decided_figures",
    "figures",
    "ranked_figures",
    "ranking",
]

# Entries of confusion matrices that are looked at together.
_ENTRIES = 2**20

OfConfusion = Callable[[Floats], Floats]


def figures(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    positive: int | None = None,
    predictions: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    also: Mapping[str, OfConfusion] | None = None,
) -> dict[str, Any]:
    """Return every figure of one set of predictions.

    Parameters
    ----------
    logits : (N, K) floats
        Unnormalised log-probabilities.
    labels : (N,) integers in [0, K)
    positive : int, optional
        With two classes, the one that recall, precision, ROC-AUC and PR-AUC are of (default 1).
        With more they are macro averages and `positive` is not used.
    predictions : (N,) integers, optional
        Decided labels; the largest logit by default. Figures of ranking and calibration do not
        depend on them.
    weights : (N,) floats, optional
        How much each image counts; 1 by default.
    also : mapping of str to callable, optional
        Further figures, each a function of (…, K, K) confusion matrices.

    Returns
    -------
    dict
        The keys of `FIGURES` and of `also`, each a float in [0, 1] (MCC from -1, log-loss
        without an upper bound); ``per_class_recall``, ``per_class_precision`` (K floats);
        ``confusion`` (K×K counts, rows are the true classes); ``averaged`` (the labels that have
        images). Classes without an image are part of no average, and what is theirs alone is NaN;
        so is a ranking where there is but one class.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    decided = logits.argmax(1) if predictions is None else np.asarray(predictions)
    counts = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    positive = 1 if positive is None else positive
    confusion = confusions(labels, decided, logits.shape[1], counts[None])[0]
    wanted = _of_decisions(logits.shape[1], positive)
    return {
        **{name: float(of(confusion)) for name, of in {**wanted, **(also or {})}.items()},
        **{
            name: values.item()
            for name, values in ranked_figures(logits, labels, positive, counts[None]).items()
        },
        "per_class_recall": recalls(confusion).tolist(),
        "per_class_precision": precisions(confusion).tolist(),
        "confusion": (confusion.astype(np.int64) if weights is None else confusion).tolist(),
        "averaged": np.flatnonzero(confusion.sum(1) > 0).tolist(),
    }


def decided_figures(
    labels: NDArray[np.int_],
    decided: NDArray[np.int_],
    classes: int,
    positive: int,
    weights: Floats,
    *,
    also: Mapping[str, OfConfusion] | None = None,
) -> dict[str, Floats]:
    """Return those of `figures` that depend on the decision, (B,) for (B, N) weights.

    Parameters
    ----------
    labels, decided : (N,) integers
    classes : int
    positive : int
        With two classes, the one that recall and precision are of.
    weights : (B, N) floats
    also : mapping of str to callable, optional
        As in `figures`.
    """
    wanted, further = _of_decisions(classes, positive), also or {}
    parts = []
    for some in _in_parts(labels, decided, classes, weights):
        counts = counts_of(some)  # once, and not by each figure
        part = {name: of(counts) for name, of in wanted.items()}
        parts.append(part | {name: of(some) for name, of in further.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def confusions(
    labels: NDArray[np.int_], decided: NDArray[np.int_], classes: int, weights: Floats
) -> Floats:
    """Return the (B, K, K) confusion matrices, rows the true classes, of (B, N) weights."""
    cells, where = np.unique(labels * classes + decided, return_inverse=True)
    n, size = len(labels), classes * classes
    columns = csr_array((np.ones(n), (np.arange(n), where)), shape=(n, len(cells)))
    found = np.zeros((len(weights), size))
    found[:, cells] = weights @ columns
    return found.reshape(-1, classes, classes)


def _in_parts(
    labels: NDArray[np.int_], decided: NDArray[np.int_], classes: int, weights: Floats
) -> Iterator[Floats]:
    """Yield the confusion matrices of some rows of weights at a time, to hold the memory."""
    rows = max(1, _ENTRIES // classes**2)
    for start in range(0, len(weights), rows):
        yield confusions(labels, decided, classes, weights[start : start + rows])


def _of_decisions(classes: int, positive: int) -> dict[str, Callable[[Confusion], Floats]]:
    def of(each: Callable[[Confusion], Floats]) -> Callable[[Confusion], Floats]:
        return lambda c: each(c)[..., positive] if classes == 2 else mean_over(each(c))

    return {**DECIDED, "recall": of(recalls), "precision": of(precisions)}


def ranked_figures(
    logits: Floats, labels: NDArray[np.int_], positive: int, weights: Floats
) -> dict[str, Floats]:
    """Return those of `figures` that no decision changes, (B,) for (B, N) weights."""
    probabilities, k = softmax(logits, axis=1), logits.shape[1]
    ranked = [positive] if k == 2 else range(k)
    areas = [ranking(probabilities[:, c], labels == c, weights) for c in ranked]
    return {
        "roc_auc": mean_over(np.stack([area for area, _ in areas], axis=-1)),
        "pr_auc": mean_over(np.stack([precision for _, precision in areas], axis=-1)),
        **believed(probabilities, labels, weights),
    }


Places = NDArray[np.int_]

# Weights that are sorted together: what is worked out of them takes a few times their memory.
_WEIGHTS = 2**18


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
    rows = max(1, _WEIGHTS // max(1, len(scores)))
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
