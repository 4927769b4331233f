"""Optimisers, and schedules of their learning rate."""

from collections.abc import Callable, Iterable
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.training.trainers import Trainer

__all__ = ["SCHEDULES", "Muon", "get_optimiser", "orthogonal", "set_learning_rate"]

_WARM_UP = 0.25
_SHORT_WARM_UP = 0.025

# Of Muon: what is no matrix of a hidden layer moves by Adam, at this share of the learning rate.
_ITERATIONS = 3
_SHARE, _BETAS, _EPSILON = 0.13, (0.9, 0.999), 1e-8


def get_optimiser(trainer: Trainer, net: nn.Module) -> torch.optim.Optimizer:
    """Return the trainer's optimiser for the parameters of a net."""
    parameters, rate, decay = _groups(trainer, net), trainer.learning_rate, trainer.weight_decay
    # One fused kernel for all parameters.
    if trainer.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            rate,
            momentum=trainer.momentum,
            nesterov=trainer.momentum > 0,
            weight_decay=decay,
            fused=True,
        )
    if trainer.optimiser == "muon":
        return Muon(net.parameters(), rate, momentum=trainer.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if trainer.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, rate, weight_decay=decay, fused=True)


def _groups(trainer: Trainer, net: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters in groups, each with how many times the learning rate it takes."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        is_head = trainer.backbone is not None and "classifier." in name
        groups.setdefault(trainer.head_rate if is_head else 1.0, []).append(parameter)
    return [{"params": params, "times": times} for times, params in groups.items()]


def _one_cycle(done: float) -> float:
    """Up from a 25th in a cosine over the first quarter, then down to almost nothing.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2019.
    """
    if done < _WARM_UP:
        return _cosine_between(1 / 25, 1, done / _WARM_UP)
    return _cosine_between(1, 1 / 25e4, (done - _WARM_UP) / (1 - _WARM_UP))


def _step(done: float) -> float:
    """The long-tail papers' schedule: a short warm-up, then a hundredth at 80 % and at 90 %.

    Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS
    2019: of 200 epochs 5 warm up, and the rate falls after 160 and 180.
    """
    if done < _SHORT_WARM_UP:
        return done / _SHORT_WARM_UP
    return 1.0 if done < 0.8 else 0.01 if done < 0.9 else 0.0001


def _cosine_between(start: float, stop: float, done: float) -> float:
    return stop + (start - stop) * (1 + cos(pi * done)) / 2


# From the share of a run that is done, in [0, 1), to the share of the highest learning rate.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: _cosine_between(1, 0, done),
    "one_cycle": _one_cycle,
    "step": _step,
}


def set_learning_rate(
    optimiser: torch.optim.Optimizer, trainer: Trainer, step: int, steps: int
) -> float:
    """Set and return the learning rate of a step, counted from 0, of a run of `steps`."""
    # The middle of the step: no schedule begins or ends with a step of no use.
    rate = trainer.learning_rate * SCHEDULES[trainer.schedule]((step + 0.5) / steps)
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("times", 1.0)
    return rate


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
