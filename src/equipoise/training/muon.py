"""Muon, which moves a matrix of weights in all its directions alike."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Muon", "orthogonal"]

_ITERATIONS = 3
# What is no matrix of a hidden layer moves by Adam, at this share of the learning rate.
_SHARE, _BETAS, _EPSILON = 0.13, (0.9, 0.999), 1e-8


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix whose singular values are 1, by Newton and Schulz's steps.

    The quintic of Jordan et al. (2024), which brings them near 1 and not to it, in three steps:
    all that matters is that none is small.
    """
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x if wide is matrix else x.T


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose steps are made orthogonal, for convolutions; Adam for the rest.

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; for the rest
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015. Weight decay is
    decoupled and of convolutions only.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        *,
        momentum: float,
        weight_decay: float,
    ) -> None:
        kept = [parameter for parameter in parameters if parameter.requires_grad]
        groups = [
            {"params": [p for p in kept if (p.ndim == 4) == hidden], "hidden": hidden}
            for hidden in (True, False)
        ]
        super().__init__(
            [group for group in groups if group["params"]],
            {"lr": lr, "momentum": momentum, "weight_decay": weight_decay},
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            move = self._orthogonally if group["hidden"] else self._adaptively
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move(parameter, parameter.grad, group)

    def _orthogonally(self, weights: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, momentum, rate = self.state[weights], group["momentum"], group["lr"]
        if not state:
            state["velocity"] = torch.zeros_like(weights)
        velocity = state["velocity"].mul_(momentum).add_(gradient)
        step = orthogonal(gradient.add(velocity, alpha=momentum).reshape(len(weights), -1))
        # A tall matrix's outputs are to move as much as a square one's.
        scale = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
        weights.mul_(1 - rate * group["weight_decay"])
        weights.add_(step.reshape(weights.shape), alpha=-rate * scale)

    def _adaptively(self, weights: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[weights], _BETAS
        if not state:
            state.update(step=0, mean=torch.zeros_like(weights), square=torch.zeros_like(weights))
        state["step"] += 1
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (square / (1 - second ** state["step"])).sqrt_().add_(_EPSILON)
        rate = _SHARE * group["lr"] / (1 - first ** state["step"])
        weights.addcdiv_(mean, spread, value=-rate)
