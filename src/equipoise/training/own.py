"""Trainers that are functions of one's own: a task in, logits or probabilities out.

Any framework takes part in comparisons so. What a function is given and what it answers are looked
at here; what is chosen and measured afterwards is the same as for any trainer.
"""

import traceback
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from equipoise.errors import InputError, WorkError, printable, reason, require
from equipoise.files import MARK
from equipoise.images import ImageSet, Splits
from equipoise.metrics import figures
from equipoise.recipes import Recipe
from equipoise.training.catalogue import pick
from equipoise.training.jobs import Config
from equipoise.training.loaders import Batches
from equipoise.training.losses import LOSSES, Loss, get_loss
from equipoise.training.measuring import chosen_on, told_of
from equipoise.training.predictions import Predictions, as_logits
from equipoise.training.presenting import Presented, present
from equipoise.training.runs import Run
from equipoise.training.trainers import Trainer

__all__ = ["Task", "check_resumable", "fit_own"]

# Losses that are cross-entropy with weights, or without.
_WEIGHTED = ("cross_entropy", "weighted", "effective_number")


@dataclass(frozen=True)
class Task:
    """What a training function is given.

    It returns what its net says of the validation and of the test images: a pair of (N, K) arrays
    or tensors, all logits or all probabilities (from 0 to 1, each row with the sum 1).

    Attributes
    ----------
    classes : tuple of str
        A label is a position here.
    recipe : Recipe
    validation : ImageSet
        `array` are N×H×W×C uint8 images, `labels` their labels.
    test : (N, H, W, C) uint8
        The test images, without labels.
    seed : int
        torch's own generators are seeded with it already.
    device : {'cpu', 'cuda'}
        Where a net should compute.
    """

    classes: tuple[str, ...]
    recipe: Recipe
    validation: ImageSet
    test: NDArray[np.uint8]
    seed: int
    device: str
    _train: ImageSet = field(repr=False)
    _taken: set[str] = field(default_factory=set, repr=False)

    def batches(self, batch_size: int = 64) -> Batches:
        """Return the training set as the recipe presents it, in batches; see `equipoise.batches`.

        One iteration is one pass, with images N×C×H×W uint8 and labels int64.
        """
        return Batches(self._presented, batch_size)

    @property
    def dataset(self) -> "Rows":
        """The training set as the recipe presents it, as a map-style Dataset of torch."""
        return Rows(self._presented)

    def arrays(self, passes: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the training set as the recipe presents it in so many passes, as arrays.

        Images are N×H×W×C uint8, labels int64.
        """
        batch = self._presented.batch(0, passes * len(self._presented))
        return batch.images, batch.labels

    @cached_property
    def loss(self) -> Loss:
        """The recipe's loss for the presented set: call it with logits and labels."""
        self._taken.add("loss")
        labels = self._presented.roster.labels
        return get_loss(self.recipe.loss, labels, len(self.classes), defer=self.recipe.defer)

    @property
    def class_weights(self) -> NDArray[np.float32]:
        """The (K,) weights of the classes in the recipe's loss, for libraries without torch.

        Raises
        ------
        InputError
            If the loss is not cross-entropy with weights.
        """
        entry, _ = pick("loss", self.recipe.loss, LOSSES)
        require(
            entry.name in _WEIGHTED and self.recipe.defer == 0,
            "a loss that is cross-entropy, weighted or not, for class_weights",
            loss=self.recipe.loss,
            defer=self.recipe.defer,
        )
        weights = self.loss.weights
        return np.ones(len(self.classes), np.float32) if weights is None else weights.numpy()

    @cached_property
    def _presented(self) -> Presented:
        train = self._train
        return present(
            train.array, train.labels, train.ids, self.recipe, seed=self.seed,
            classes=self.classes, threads=1,
        )  # fmt: skip


class Rows(Dataset[tuple[Tensor, int]]):
    """A training set as a recipe presents it: item i is the i-th draw of the pass.

    Items are C×H×W uint8 tensors and labels. `set_epoch` chooses the pass, with other draws and
    fresh augmentation; it reaches workers that live on.
    """

    def __init__(self, presented: Presented) -> None:
        self._presented = presented
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Let items be those of the pass `epoch`, counted from 0."""
        require(epoch >= 0, "epoch >= 0", epoch=epoch)
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._presented)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = int(self._epoch) * len(self) + index
        batch = self._presented.batch(place, place + 1)
        return torch.from_numpy(batch.images[0]).permute(2, 0, 1).contiguous(), int(batch.labels[0])


def check_resumable(folder: Path, trainer: Trainer) -> None:
    """Raise `InputError` for a folder begun with a function of which nobody knows the version."""
    if trainer.function is not None and trainer.version is None and (folder / MARK).exists():
        raise InputError(
            f"{folder} has been begun already, and nothing tells whether the training function "
            f"{trainer.name} is still the same. Set its attribute `version` before the first run "
            "to go on with a folder, or name another."
        )


def fit_own(data: Splits, config: Config) -> Run:
    """Let a function train, and measure what it answers; `Run.model` is None.

    Raises
    ------
    WorkError
        If the function raises, answers something else, or leaves the recipe's loss out.
    """
    started = perf_counter()
    recipe, trainer, objective = config.recipe, config.trainer, config.objective
    task = Task(
        data.classes, recipe, data.validation, data.test.array, config.seed, config.device.type,
        data.train,
    )  # fmt: skip
    found = _answers(task, trainer)
    seconds = perf_counter() - started
    predictions = {
        name: Predictions(logits, part.labels, part.ids, part.names)
        for name, logits, part in zip(
            ("validation", "test"), found, (data.validation, data.test), strict=True
        )
    }
    validation = predictions["validation"]
    chosen = chosen_on(validation, data.train.counts, objective)
    measured = figures(
        validation.logits, validation.labels, positive=data.positive, also=objective.measures
    )
    row = {"epoch": 1, "seconds": seconds}
    row |= {f"validation_{name}": v for name, v in measured.items() if isinstance(v, float)}
    return Run(
        recipe=recipe,
        trainer=trainer,
        seed=config.seed,
        equal=config.equal,
        rows=[row],
        history={},
        metrics={**told_of(data, chosen, predictions, objective), "seconds": seconds},
        predictions=predictions,
        model=None,
    )


def _answers(task: Task, trainer: Trainer) -> list[NDArray[np.float32]]:
    """Return the logits of validation and test images that a function answers a task with."""
    assert callable(trainer.function)
    where = f"Training function {trainer.name}, recipe {task.recipe.name}"
    try:
        found = trainer.function(task)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__, 2)[-1]  # after ours, the function's
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        kind = type(error).__name__
        raise WorkError(f"{where}: {kind}: {reason(error)} ({place}).") from error
    if task.recipe.loss != "cross_entropy" and "loss" not in task._taken:
        raise WorkError(
            f"{where}: the recipe's loss {printable(task.recipe.loss)} was not used. Train with "
            "task.loss or task.class_weights, or leave such recipes out."
        )
    try:
        validation, test = found
        parts = [_array(part) for part in (validation, test)]
    except (TypeError, ValueError):
        raise WorkError(
            f"{where}: a pair of arrays for validation and test must be returned, but got a "
            f"{type(found).__name__}."
        ) from None
    for name, part, count in zip(
        ("validation", "test"), parts, (len(task.validation), len(task.test)), strict=True
    ):
        wanted = (count, len(task.classes))
        if part.shape != wanted or not np.isfinite(part).all():
            got = f"shape {part.shape}" if part.shape != wanted else "values that are not finite"
            raise WorkError(f"{where}: {name} must be finite, of shape {wanted}, but got {got}.")
    return as_logits(parts)


def _array(values: Any) -> NDArray[np.float64]:
    values = values.detach().cpu().float() if isinstance(values, Tensor) else values
    return np.asarray(values, np.float64)
