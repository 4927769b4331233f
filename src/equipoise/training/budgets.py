"""The common budget: how many steps a run takes, and which draws make its batches."""

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import require

if TYPE_CHECKING:
    from equipoise.training.trainers import Trainer

__all__ = ["Budget", "Equal", "budget", "check_equal"]

Equal = Literal["steps", "epochs"]


@dataclass(frozen=True)
class Budget:
    """How a run's steps are laid over the stream of draws.

    Attributes
    ----------
    epochs : int
        How many intervals, each with an evaluation at its end.
    steps_per_epoch : int
    images_per_epoch : int
        Draws in an interval; the last batch of an interval takes what is left of them.
    batch_size : int
    """

    epochs: int
    steps_per_epoch: int
    images_per_epoch: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def span(self, step: int) -> tuple[int, int]:
        """Return where the batch of a step, counted from 0, starts and stops in the stream."""
        epoch, index = divmod(step, self.steps_per_epoch)
        start = epoch * self.images_per_epoch
        last = index == self.steps_per_epoch - 1
        stop = self.images_per_epoch if last else (index + 1) * self.batch_size
        return start + index * self.batch_size, start + stop

    def step_after(self, share: float) -> int:
        """Return the first step that has at least `share` of all steps before it."""
        # Rounded, so that 0.7 of 10 steps are 7 and not 8.
        return ceil(round(share * self.steps, 6))


def check_equal(equal: str) -> None:
    """Raise `InputError` unless it is 'steps' or 'epochs'."""
    require(equal in ("steps", "epochs"), "equal 'steps' or 'epochs'", equal=equal)


def budget(
    labels: ArrayLike, trainer: "Trainer", *, equal: str = "steps", presented: int | None = None
) -> Budget:
    """Return a run's budget.

    Parameters
    ----------
    labels : (N,) integers
        Of the training split as given.
    trainer : Trainer
    equal : {'steps', 'epochs'}
        'steps': every recipe takes epochs × ceil(balanced training size / batch size) steps, where
        the balanced training size is the number of classes times the largest of them. 'epochs':
        each recipe passes over its own set so many times.
    presented : int, optional
        Images in the set as the recipe presents it, for 'epochs'; N by default.
    """
    check_equal(equal)
    counts = np.unique(np.asarray(labels), return_counts=True)[1]
    size = trainer.batch_size
    if equal == "steps":
        steps = ceil(len(counts) * int(counts.max()) / size)
        return Budget(trainer.epochs, steps, steps * size, size)
    images = int(counts.sum()) if presented is None else presented
    # One image alone is no batch for batch norm: it joins the batch before it.
    return Budget(trainer.epochs, max(1, ceil((images - 1) / size)), images, size)
