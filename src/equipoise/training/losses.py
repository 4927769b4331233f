"""What a recipe's net minimises."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from equipoise.errors import unknown

__all__ = ["LOSSES", "Loss", "class_weights", "get_loss"]

# (logits N×K, labels N) -> mean loss, a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]


def class_weights(labels: ArrayLike, classes: int) -> Tensor:
    """Return scikit-learn's 'balanced' weight of each class, N / (K · count), as (K,) float32.

    `labels` are those of the training split as given, before any upsampling. A class without an
    image gets weight 0.
    """
    labels = np.asarray(labels)
    present = np.unique(labels)
    weights = torch.zeros(classes)
    weights[present] = torch.as_tensor(
        compute_class_weight("balanced", classes=present, y=labels), dtype=torch.float32
    )
    return weights


def _cross_entropy(labels: ArrayLike, classes: int, smoothing: float) -> Loss:
    return partial(functional.cross_entropy, label_smoothing=smoothing)


def _weighted(labels: ArrayLike, classes: int, smoothing: float) -> Loss:
    weights = class_weights(labels, classes)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits, targets, weights.to(logits.device), label_smoothing=smoothing
        )

    return loss


# A loss is made for a training split: (its labels as given, number of classes, label smoothing).
LOSSES: dict[str, Callable[[ArrayLike, int, float], Loss]] = {
    "cross_entropy": _cross_entropy,
    "weighted": _weighted,
}


def get_loss(name: str, labels: ArrayLike, classes: int, label_smoothing: float = 0.0) -> Loss:
    """Return the loss `name` for a training split with these labels.

    Parameters
    ----------
    name : str
        A name in `LOSSES`.
    labels : (N,) integers in [0, classes)
        Of the training split as given.
    classes : int
    label_smoothing : float
        In [0, 1).
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name](labels, classes, label_smoothing)
