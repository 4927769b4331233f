"""What a recipe's net minimises.

With logits z of an image of class y, n_k images of class k in the training set as the recipe
presents it (after under- and oversampling), and N in all:

=================  ===============================================================================
cross_entropy      -log softmax(z)_y
weighted           weights N / (K n_k)
effective_number   weights (1 - β) / (1 - β^n_k), scaled to sum to K
focal              -(1 - p_y)^γ log p_y, p = softmax(z)
ldam               -log softmax(s (z - m_y e_y))_y, m_k = M (min n / n_k)^(1/4)
balanced_softmax   -log softmax(z + log n)_y
logit_adjusted     -log softmax(z + τ log π)_y, π_k = n_k / N
=================  ===============================================================================

Class weights make the mean over a batch a weighted one: Σ w_y ℓ / Σ w_y.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from equipoise.errors import require
from equipoise.techniques import Parameter
from equipoise.training.catalogue import Entry, Spec, pick

__all__ = ["LOSSES", "Loss", "class_weights", "effective_weights", "get_loss"]

# (logits N×K, labels N, class weights K or None, reduction 'mean' or 'none') -> scalar or (N,).
# Without reduction the terms are multiplied by the weights of their labels.
Form = Callable[[Tensor, Tensor, Tensor | None, str], Tensor]


@dataclass(frozen=True)
class Loss:
    """A loss made for one training set.

    Attributes
    ----------
    form : callable
        The formula; see `Form`.
    weights : (K,) tensor, optional
        Of the classes.
    defer : float
        The share of the budget after which the weights count (deferred re-weighting: Cao et al.,
        "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS 2019).
    """

    form: Form
    weights: Tensor | None = None
    defer: float = 0.0

    def __call__(
        self,
        logits: Tensor,
        labels: Tensor,
        *,
        others: Tensor | None = None,
        share: Tensor | None = None,
        counts: Tensor | None = None,
        progress: float = 1.0,
    ) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Parameters
        ----------
        logits : (N, K) floats
        labels : (N,) integers in [0, K)
        others, share : (N,) integers and (N,) floats in [0, 1], optional
            Of mixed images: the second label, and the share of the first; the loss is then
            λ ℓ(z, y) + (1 - λ) ℓ(z, y'), weights counting in the same shares.
        counts : (N,) floats, optional
            How much each image counts, beside the weight of its class; not of mixed images.
        progress : float
            The share of the budget that is done.
        """
        weights = None
        if self.weights is not None and progress >= self.defer:
            weights = self.weights.to(logits)
        if counts is not None:
            terms, counts = self.form(logits, labels, weights, "none"), counts.to(logits)
            whole = counts if weights is None else counts * weights[labels]
            return (counts * terms).sum() / whole.sum()
        if others is None or share is None:
            return self.form(logits, labels, weights, "mean")
        share = share.to(logits)
        first, second = (self.form(logits, of, weights, "none") for of in (labels, others))
        terms = share * first + (1 - share) * second
        if weights is None:
            return terms.mean()
        return terms.sum() / (share * weights[labels] + (1 - share) * weights[others]).sum()


def class_weights(labels: ArrayLike, classes: int) -> Tensor:
    """Return scikit-learn's 'balanced' weight of each class, N / (K · count), as (K,) float32.

    A class without an image gets weight 0.
    """
    labels = np.asarray(labels)
    present = np.unique(labels)
    weights = torch.zeros(classes)
    weights[present] = torch.as_tensor(
        compute_class_weight("balanced", classes=present, y=labels), dtype=torch.float32
    )
    return weights


def effective_weights(labels: ArrayLike, classes: int, beta: float) -> Tensor:
    """Return weights by the effective number of images, (1 - β) / (1 - β^n), as (K,) float32.

    They sum to the number of classes present. β = 0 weights nothing; β = 1 stands for the limit,
    the inverse of the count. A class without an image gets weight 0.

    References
    ----------
    Cui, Jia, Lin, Song and Belongie, "Class-balanced loss based on effective number of samples",
    CVPR 2019.
    """
    counts = np.bincount(np.asarray(labels), minlength=classes).astype(np.float64)
    present = counts > 0
    number = counts if beta == 1 else -np.expm1(_times_log(counts, beta)) / (1 - beta)
    weights = np.divide(1.0, number, out=np.zeros(classes), where=present)
    return torch.as_tensor(weights * present.sum() / weights.sum(), dtype=torch.float32)


def _times_log(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """log(β^n), where β = 0 gives minus infinity and no count gives 0."""
    if beta == 0:
        return np.where(counts > 0, -np.inf, 0.0)
    return counts * np.log(beta)


def _cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    return functional.cross_entropy(
        logits, labels, weights, label_smoothing=smoothing, reduction=reduction
    )


def _focal(
    logits: Tensor, labels: Tensor, weights: Tensor | None, reduction: str, gamma: float
) -> Tensor:
    log_p = functional.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    # The bound keeps the gradient finite for γ < 1 where p rounds to 1.
    terms = (-torch.expm1(log_p)).clamp_min(1e-12) ** gamma * -log_p
    return terms.mean() if reduction == "mean" else terms


def _ldam(
    logits: Tensor, labels: Tensor, weights: Tensor | None, reduction: str,
    margins: Tensor, scale: float,
) -> Tensor:  # fmt: skip
    own = functional.one_hot(labels, logits.shape[1]) * margins.to(logits)
    return functional.cross_entropy(scale * (logits - own), labels, weights, reduction=reduction)


def _shifted(
    logits: Tensor, labels: Tensor, weights: Tensor | None, reduction: str,
    shift: Tensor, smoothing: float,
) -> Tensor:  # fmt: skip
    return functional.cross_entropy(
        logits + shift.to(logits), labels, weights, label_smoothing=smoothing, reduction=reduction
    )


# What `make` of each entry does: (labels, number of classes, label smoothing, its parameters by
# name) -> (form, class weights or None).
Made = tuple[Form, Tensor | None]


def _make_plain(labels: ArrayLike, classes: int, smoothing: float) -> Made:
    return partial(_cross_entropy, smoothing=smoothing), None


def _make_weighted(labels: ArrayLike, classes: int, smoothing: float) -> Made:
    return partial(_cross_entropy, smoothing=smoothing), class_weights(labels, classes)


def _make_effective(labels: ArrayLike, classes: int, smoothing: float, beta: float) -> Made:
    return partial(_cross_entropy, smoothing=smoothing), effective_weights(labels, classes, beta)


def _make_focal(labels: ArrayLike, classes: int, smoothing: float, gamma: float) -> Made:
    return partial(_focal, gamma=gamma), None


def _make_ldam(
    labels: ArrayLike, classes: int, smoothing: float, margin: float, scale: float, beta: float
) -> Made:
    counts = np.bincount(np.asarray(labels), minlength=classes).astype(np.float64)
    # A class without an image is never a label, so its margin never counts.
    fewest = counts[counts > 0].min()
    margins = torch.as_tensor(margin * (fewest / np.maximum(counts, fewest)) ** 0.25)
    form = partial(_ldam, margins=margins, scale=scale)
    return form, effective_weights(labels, classes, beta)


def _make_shifted(labels: ArrayLike, classes: int, smoothing: float, tau: float = 1.0) -> Made:
    counts = np.bincount(np.asarray(labels), minlength=classes).astype(np.float64)
    absent = int((counts == 0).sum())
    require(
        absent == 0 or smoothing == 0,
        "images of every class for a prior and label_smoothing",
        classes_without_images=absent,
    )
    with np.errstate(divide="ignore"):
        log_prior = np.log(counts / counts.sum())
    shift = torch.as_tensor(tau * log_prior if tau else np.zeros(classes))
    return partial(_shifted, shift=shift, smoothing=smoothing), None


_BETA = Parameter(0.9999, 0, 1, "", "β; 0 weights nothing, 1 by the inverse count", name="beta")
_CAO = (
    'Cao, Wei, Gaidon, Arechiga and Ma, "Learning imbalanced datasets with '
    'label-distribution-aware margin loss", NeurIPS 2019'
)

LOSSES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("cross_entropy", "Cross-entropy.", "", (), _make_plain, smoothing=True),
        Entry(
            "weighted",
            "Cross-entropy weighted by the inverse class frequency.",
            'King and Zeng, "Logistic regression in rare events data", Political Analysis 2001',
            (),
            _make_weighted,
            smoothing=True,
            weights="always",
        ),
        Entry(
            "effective_number",
            "Cross-entropy weighted by the effective number of images of each class.",
            'Cui, Jia, Lin, Song and Belongie, "Class-balanced loss based on effective number of '
            'samples", CVPR 2019',
            (_BETA,),
            _make_effective,
            smoothing=True,
            weights="always",
        ),
        Entry(
            "focal",
            "Cross-entropy in which images already recognised count less.",
            'Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", '
            "ICCV 2017",
            (Parameter(2.0, 0, 10, "", "γ; 0 is cross-entropy", name="gamma"),),
            _make_focal,
        ),
        Entry(
            "ldam",
            "Cross-entropy with a margin that is larger for rarer classes; made for logits of a "
            "few units, which it scales up.",
            _CAO,
            (
                Parameter(0.5, 0, 5, "logits", "margin of the rarest class", name="margin"),
                Parameter(30.0, 0.1, 100, "", "s, by which logits are multiplied", name="scale"),
                _BETA,
            ),
            _make_ldam,
            weights="deferred",
        ),
        Entry(
            "balanced_softmax",
            "Cross-entropy of logits shifted by the log of the class counts.",
            'Ren et al., "Balanced meta-softmax for long-tailed visual recognition", NeurIPS 2020',
            (),
            _make_shifted,
            smoothing=True,
        ),
        Entry(
            "logit_adjusted",
            "Cross-entropy of logits shifted by τ times the log prior.",
            'Menon et al., "Long-tail learning via logit adjustment", ICLR 2021',
            (Parameter(1.0, 0, 10, "", "τ; 0 is cross-entropy", name="tau"),),
            _make_shifted,
            smoothing=True,
        ),
    )
}


def get_loss(
    spec: Spec,
    labels: ArrayLike,
    classes: int,
    label_smoothing: float = 0.0,
    *,
    defer: float = 0.0,
) -> Loss:
    """Return a loss for a training set with these labels.

    Parameters
    ----------
    spec : str or dict
        A name in `LOSSES`, or a one-key dict from name to parameters.
    labels : (N,) integers in [0, classes)
        Of the training set as the recipe presents it: after under- and oversampling, so that the
        loss mends what imbalance they leave, not the same imbalance twice.
    classes : int
    label_smoothing : float
        In [0, 1). A loss for which its paper does not define it goes without.
    defer : float
        In [0, 1): the share of the budget after which class weights count.

    Raises
    ------
    InputError
        For an unknown name or parameter, or a value out of range.
    """
    entry, parameters = pick("loss", spec, LOSSES)
    if not entry.smoothing:
        label_smoothing = 0.0
    form, weights = entry.make(labels, classes, label_smoothing, **parameters)
    counts = entry.weights == "always" or (entry.weights == "deferred" and defer > 0)
    return Loss(form, weights if counts else None, defer)
