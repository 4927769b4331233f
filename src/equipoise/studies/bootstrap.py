"""Every figure of a run under resampled test images, many resamples at once.

Resampling N test images with replacement is weighting them by how often each was drawn. With
weights, every figure is a few sums, and B resamples are one matrix product: `tests` hold the
figures here equal to scikit-learn's with `sample_weight`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import softmax

__all__ = ["image_weights", "run_weights", "weighted_calibration", "weighted_figures"]

Floats = NDArray[np.float64]

_ROWS = 50


def image_weights(images: int, resamples: int, seed: int, fold: int = 0) -> Floats:
    """Return how often each of `images` is drawn in each resample, (B, N).

    Folds have test images of their own, and so resamples of their own.
    """
    rng = np.random.default_rng([seed, 0, fold] if fold else [seed, 0])
    return rng.multinomial(images, np.full(images, 1 / images), resamples).astype(np.float64)


def run_weights(runs: int, resamples: int, seed: int) -> Floats:
    """Return the share of each run in each resample of runs, (B, R); rows sum to 1."""
    rng = np.random.default_rng([seed, 1])
    return rng.multinomial(runs, np.full(runs, 1 / runs), resamples) / runs


def weighted_figures(
    logits: Floats,
    labels: NDArray[np.int_],
    decided: NDArray[np.int_],
    positive: int,
    weights: Floats,
) -> dict[str, Floats]:
    """Return the figures of `metrics.figures` for each row of weights.

    Parameters
    ----------
    logits : (N, K) floats
    labels, decided : (N,) integers
    positive : int
        With two classes, the one that recall and precision are of.
    weights : (B, N) floats

    Returns
    -------
    dict of str to (B,) floats
        NaN where a resample lacks a class that the figure needs.
    """
    n, k = logits.shape
    probabilities = softmax(logits, axis=1)
    cells = csr_array((np.ones(n), (np.arange(n), labels * k + decided)), shape=(n, k * k))
    ranked = [positive] if k == 2 else list(range(k))

    def under(some: Floats) -> dict[str, Floats]:
        auc, precision = zip(
            *(_ranking(probabilities[:, c], labels == c, some) for c in ranked), strict=True
        )
        return {
            **_from_confusion((some @ cells).reshape(-1, k, k), positive),
            "roc_auc": np.mean(auc, axis=0),
            "pr_auc": np.mean(precision, axis=0),
            **weighted_calibration(probabilities, labels, some),
        }

    # Some rows of weights at a time: what is worked out of them takes eight times their memory.
    parts = [under(weights[start : start + _ROWS]) for start in range(0, len(weights), _ROWS)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _from_confusion(confusion: Floats, positive: int) -> dict[str, Floats]:
    k = confusion.shape[1]
    found = np.diagonal(confusion, axis1=1, axis2=2)
    true, said, total = confusion.sum(2), confusion.sum(1), confusion.sum((1, 2))
    # A resample without any image of a class says nothing about it.
    recall = np.where(true > 0, found / np.where(true > 0, true, 1), np.nan)
    precision = found / np.where(said > 0, said, 1)
    f1 = 2 * found / np.where(true + said > 0, true + said, 1)
    spread = np.sqrt(
        (total**2 - (said**2).sum(1)) * (total**2 - (true**2).sum(1)),
    )
    agreement = found.sum(1) * total - (true * said).sum(1)
    return {
        "balanced_accuracy": recall.mean(1),
        "accuracy": found.sum(1) / total,
        "recall": recall[:, positive] if k == 2 else recall.mean(1),
        "precision": precision[:, positive] if k == 2 else precision.mean(1),
        "macro_f1": f1.mean(1),
        "g_mean": recall.prod(1) ** (1 / k),
        "mcc": np.where(spread > 0, agreement / np.where(spread > 0, spread, 1), 0.0),
    }


def _ranking(scores: Floats, hits: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """ROC-AUC and average precision of one class."""
    order = np.argsort(-scores, kind="stable")
    # Images of the same score enter together: only the last of each run of ties is a point.
    last = np.append(np.diff(scores[order]) != 0, True)
    weights, hits = weights[:, order], hits[order]
    true = np.cumsum(weights * hits, axis=1)[:, last]
    false = np.cumsum(weights * ~hits, axis=1)[:, last]
    before = np.concatenate([np.zeros((len(true), 1)), true[:, :-1]], axis=1)
    steps = np.diff(false, axis=1, prepend=0.0)
    said = true + false
    precision = true / np.where(said > 0, said, 1)
    with np.errstate(invalid="ignore"):  # without one of the two kinds there is no ranking: NaN
        area = (steps * (true + before) / 2).sum(1) / (true[:, -1] * false[:, -1])
        return area, ((true - before) * precision).sum(1) / true[:, -1]


def weighted_calibration(
    probabilities: Floats, labels: NDArray[np.int_], weights: Floats, bins: int = 15
) -> dict[str, Floats]:
    """Return `ece`, `brier` and `log_loss` of (N, K) probabilities for each row of weights."""
    n, k = probabilities.shape
    total = weights.sum(1)
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = weights @ (np.eye(bins)[index] * (right - confidence)[:, None])
    square = ((probabilities - np.eye(k)[labels]) ** 2).sum(1) / (2 if k == 2 else 1)
    likely = np.clip(probabilities[np.arange(n), labels], np.finfo(np.float64).eps, 1)
    return {
        "ece": np.abs(gap).sum(1) / total,
        "brier": weights @ square / total,
        "log_loss": weights @ -np.log(likely) / total,
    }
