"""A linear classifier of embeddings."""

import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["LinearProbe"]


# The least deviation of a feature, as a share of the mean one. What hardly varies in training would
# otherwise be blown up a thousandfold where it does vary.
_LEAST = 0.1


class LinearProbe(nn.Module):
    """Logits of (N, D) embeddings, each feature brought to mean 0 and deviation 1 of training."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.classifier = nn.Linear(features, classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def fit_scale(self, embeddings: NDArray) -> None:
        """Take mean and deviation of each feature from training embeddings, (N, D)."""
        values = torch.from_numpy(embeddings.astype("float64"))
        self.mean.copy_(values.mean(0))
        deviation = values.std(0, correction=0)
        self.deviation.copy_(deviation.clamp(min=max(_LEAST * deviation.mean().item(), 1e-6)))

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return (N, classes) logits."""
        return self.classifier((embeddings - self.mean) / self.deviation)
