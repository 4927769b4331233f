"""Optimisers, and schedules of their learning rate."""

from collections.abc import Callable
from math import cos, pi
from typing import Any

import torch
from torch import nn

from equipoise.training.muon import Muon
from equipoise.training.trainers import Trainer

__all__ = ["SCHEDULES", "get_optimiser", "set_learning_rate"]

_WARM_UP = 0.25
_SHORT_WARM_UP = 0.025


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
