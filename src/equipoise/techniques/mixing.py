"""Mixing, which mixes the labels too and so stands apart: mixup, cutmix, and CMO.

Batches are N×H×W×C, uint8 or floating. What is drawn for an image depends on its address (seed, id,
epoch); which image it is mixed with depends on the batch too.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from equipoise.errors import require
from equipoise.keys import image_keys, order, uniforms

__all__ = ["cmo", "cutmix", "mixup"]

Batch = NDArray[Any]


def mixup(
    images: Batch, labels: ArrayLike, classes: int, *, seed: int, ids: ArrayLike, epoch: int = 0,
    alpha: float = 1.0,
) -> tuple[Batch, NDArray[np.float32]]:  # fmt: skip
    """Mix each image and its label with another's of the batch.

    Parameters
    ----------
    images : (N, H, W, C) uint8, or floating of any shape (N, …)
    labels : (N,) integers, or (N, classes) shares
    classes : int
    seed, ids, epoch
        The address of the draws; `ids` (N,) integers.
    alpha : float
        Of the Beta(alpha, alpha) distribution of the image's own share; > 0.

    Returns
    -------
    images : like `images`
    labels : (N, classes) float32, each row summing to 1

    References
    ----------
    Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018. On
    activations: Verma et al., "Manifold Mixup: Better Representations by Interpolating Hidden
    States", ICML 2019.
    """
    own = _shares(seed, ids, epoch, alpha, "mixup")
    partner = _partners(seed, ids, epoch, "mixup")
    targets = _targets(labels, classes)
    if images.dtype == np.uint8:
        # Sixteen bits hold 255·256, so the batch is never a float copy of itself.
        parts = np.rint(256 * own).astype(np.uint16)[:, None, None, None]
        own = parts[:, 0, 0, 0] / 256
        mixed = images * parts
        mixed += images[partner] * (256 - parts)
        mixed += 128
        result = (mixed >> 8).astype(np.uint8)
    else:
        weight = own.astype(images.dtype).reshape(-1, *[1] * (images.ndim - 1))
        result = images * weight + images[partner] * (1 - weight)
    return result, _mixed(targets, targets[partner], own)


def cutmix(
    images: Batch, labels: ArrayLike, classes: int, *, seed: int, ids: ArrayLike, epoch: int = 0,
    alpha: float = 1.0,
) -> tuple[Batch, NDArray[np.float32]]:  # fmt: skip
    """Put a box from another image of the batch onto each, labels mixed by area.

    Parameters and returns are those of `mixup`; the box covers one minus the drawn share.

    References
    ----------
    Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers
    with Localizable Features", ICCV 2019.
    """
    boxes = _boxes(images, seed, ids, epoch, alpha, "cutmix")
    partner = _partners(seed, ids, epoch, "cutmix")
    targets = _targets(labels, classes)
    result, own = _paste(images, images, partner, boxes)
    return result, _mixed(targets, targets[partner], own)


def cmo(
    images: Batch, labels: ArrayLike, pool: Batch, pool_labels: ArrayLike, classes: int, *,
    seed: int, ids: ArrayLike, epoch: int = 0, alpha: float = 1.0, probability: float = 0.5,
) -> tuple[Batch, NDArray[np.float32]]:  # fmt: skip
    """Put a box from an image of a rare class onto each of a share of the batch (CMO).

    Parameters
    ----------
    images, labels, classes, seed, ids, epoch, alpha
        As in `mixup`: the backgrounds, drawn as the data are.
    pool : (M, H, W, C), of the kind of `images`
        Where the boxes come from, such as the training set; each class is drawn in inverse
        proportion to its count among `pool_labels` (M,).
    probability : float
        Share of the images that get a box.

    Returns
    -------
    As `mixup`.

    References
    ----------
    Park, Hong, Heo, Yun and Choi, "The Majority Can Help the Minority: Context-rich Minority
    Oversampling for Long-tailed Classification", CVPR 2022.
    """
    require(0 <= probability <= 1, "0 <= probability <= 1", probability=probability)
    pool_labels = np.asarray(pool_labels)
    boxes = _boxes(images, seed, ids, epoch, alpha, "cmo")
    draw, coin = uniforms(image_keys(seed, ids, epochs=epoch), "cmo/partner", 2).T
    boxes[coin >= probability] = 0
    counts = np.bincount(pool_labels, minlength=classes)
    # An image of a class with n images weighs 1/n for "equally often" and 1/n² for "inverse".
    heights = np.cumsum(1.0 / counts[pool_labels].astype(np.float64) ** 2)
    partner = np.searchsorted(heights, draw * heights[-1], side="right")
    result, own = _paste(images, pool, partner, boxes)
    targets = _targets(labels, classes)
    return result, _mixed(targets, _targets(pool_labels[partner], classes), own)


def _shares(seed: int, ids: ArrayLike, epoch: int, alpha: float, name: str) -> NDArray[np.float64]:
    """Beta(alpha, alpha) numbers, by the inverse of the distribution function."""
    require(alpha > 0, "alpha > 0", alpha=alpha)
    drawn = uniforms(image_keys(seed, ids, epochs=epoch), name, 1)[:, 0]
    return betaincinv(alpha, alpha, drawn)


def _partners(seed: int, ids: ArrayLike, epoch: int, name: str) -> NDArray[np.intp]:
    """A random order of the batch in which none is its own partner (where there are two)."""
    rows = order(seed, ids, f"{name}/partner", epoch)
    partner = np.empty_like(rows)
    partner[rows] = np.roll(rows, 1)
    return partner


def _boxes(
    images: Batch, seed: int, ids: ArrayLike, epoch: int, alpha: float, name: str
) -> NDArray[np.int64]:
    """(N, 4): top, left, bottom, right; a random centre, cut off at the border as in CutMix."""
    own = _shares(seed, ids, epoch, alpha, name)
    centre = uniforms(image_keys(seed, ids, epochs=epoch), f"{name}/box", 2)
    edges = []
    for axis, length in enumerate(images.shape[1:3]):
        side = np.floor(length * np.sqrt(1 - own)).astype(np.int64)
        start = np.floor(centre[:, axis] * length).astype(np.int64) - side // 2
        edges.append((np.maximum(start, 0), np.minimum(start + side, length)))
    (top, bottom), (left, right) = edges
    return np.stack([top, left, bottom, right], axis=1)


def _paste(
    images: Batch, source: Batch, partner: NDArray[np.intp], boxes: NDArray[np.int64]
) -> tuple[Batch, NDArray[np.float64]]:
    result = images.copy()
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        result[i, top:bottom, left:right] = source[partner[i], top:bottom, left:right]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return result, 1 - area / (images.shape[1] * images.shape[2])


def _targets(labels: ArrayLike, classes: int) -> NDArray[np.float32]:
    labels = np.asarray(labels)
    if labels.ndim == 2:
        require(labels.shape[1] == classes, "labels (N, classes)", shape=labels.shape)
        return labels.astype(np.float32)
    inside = labels.size == 0 or (labels.min() >= 0 and labels.max() < classes)
    require(bool(inside), f"0 <= labels < {classes}", labels=labels.tolist()[:5])
    return np.eye(classes, dtype=np.float32)[labels]


def _mixed(
    own: NDArray[np.float32], other: NDArray[np.float32], share: NDArray[np.float64]
) -> NDArray[np.float32]:
    weight = share.astype(np.float32)[:, None]
    return weight * own + (1 - weight) * other
