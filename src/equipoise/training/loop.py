"""The training loop."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

from equipoise.errors import WorkError, reason
from equipoise.metrics import figures
from equipoise.parallel import ahead
from equipoise.training.devices import moved
from equipoise.training.jobs import Best, Job
from equipoise.training.model import evaluate
from equipoise.training.optimisers import set_learning_rate
from equipoise.training.presenting import Batch

__all__ = ["Progress", "Report", "goes_on", "run_epoch"]


@dataclass(frozen=True)
class Progress:
    """What a run tells while it goes on.

    Attributes
    ----------
    epoch, epochs, step, steps : int
        Done so far, and in all; `epoch` counts from 1 and is the running one.
    loss : float
        Mean training loss of the epoch so far.
    row : dict, optional
        The epoch's figures, once it has ended.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    row: dict[str, Any] | None = None


Report = Callable[[Progress], None]


def run_epoch(job: Job, report: Report | None = None) -> bool:
    """Train for one interval of the budget and evaluate at its end.

    Returns whether there is another epoch.
    """
    job.net.train()
    budget, losses = job.feed.budget, job.logs.training_losses
    first = job.epoch * budget.steps_per_epoch
    steps = range(first, first + budget.steps_per_epoch)
    told = Progress(job.epoch + 1, budget.epochs, first, budget.steps, math.nan)
    total = 0.0
    made = ahead(job.feed.batch, steps, job.feed.presented.ahead)
    for step, batch in zip(steps, made, strict=True):
        losses.append(_step(job, batch, step))
        total += losses[-1]
        told = replace(told, step=step + 1, loss=total / (step + 1 - first))
        if report:
            report(told)
    job.feed.seen.settle()
    job.logs.rows.append(_row(job, told))
    job.epoch += 1
    _note_best(job)
    if report:
        report(replace(told, row=job.logs.rows[-1]))
    return goes_on(job)


def goes_on(job: Job) -> bool:
    """Return whether there is another epoch: not after the last, nor when patience has run out."""
    epochs = job.feed.budget.epochs
    patience = job.config.trainer.patience or epochs
    return job.epoch < epochs and job.epoch - job.best.epoch < patience


def _step(job: Job, batch: Batch, step: int) -> float:
    """Take one step of the optimiser and return its loss."""
    trainer, device, feed = job.config.trainer, job.config.device, job.feed
    set_learning_rate(job.optimiser, trainer, step, feed.budget.steps)
    loss = job.loss(
        _logits(job, moved(batch.images, device)),
        moved(batch.labels, device),
        others=None if batch.others is None else moved(batch.others, device),
        share=None if batch.share is None else moved(batch.share, device),
        counts=None if feed.counts is None else moved(feed.counts[batch.rows], device),
        progress=step / feed.budget.steps,
    )
    job.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if trainer.clip is not None:
        torch.nn.utils.clip_grad_norm_(job.net.parameters(), trainer.clip)
    job.optimiser.step()
    if job.average is not None:
        job.average.update_parameters(job.net)
    value = loss.item()
    _check_finite(value, job, step + 1)
    return value


def _logits(job: Job, images: torch.Tensor) -> torch.Tensor:
    trainer, device = job.config.trainer, job.config.device
    half = trainer.precision == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        try:
            return job.forward(job.model.normalise(images)).float()
        except Exception as error:
            if not trainer.compile or job.logs.training_losses:
                raise
            # torch raises what its compilers do, of any type and many lines.
            raise WorkError(
                f"torch.compile cannot compile the net {job.model.net_name}: {reason(error)}. "
                "Train with compile: false."
            ) from None


def _check_finite(value: float, job: Job, step: int) -> None:
    if not math.isfinite(value):
        raise WorkError(
            f"Recipe {job.config.recipe.name}: the loss became {value} at step {step} of "
            f"{job.feed.budget.steps}. A lower learning_rate in the trainer may help."
        )


def _row(job: Job, told: Progress) -> dict[str, Any]:
    """Evaluate, and return the epoch's row of results."""
    model, validation = job.model, job.validation
    training = evaluate(model, job.sample.images)
    validated = job.validated = evaluate(model, validation.array)
    # Logits first: of infinite ones NumPy would warn before the loss can be looked at.
    finite = np.isfinite(training).all() and np.isfinite(validated).all()
    _check_finite(0.0 if finite else math.nan, job, told.step)
    losses = _batch_losses(validated, validation.labels, job.config.trainer.batch_size)
    job.logs.validation_losses.extend(losses)
    return {
        "epoch": told.epoch,
        "step": told.step,
        "passes": told.epoch * job.feed.budget.images_per_epoch / len(job.feed.presented),
        "seconds": job.elapsed,
        "training_loss": told.loss,
        "validation_loss": float(np.mean(losses)),
        **_scalars("training", _figures(job, training, job.sample.labels)),
        **_scalars("validation", _figures(job, validated, validation.labels)),
    }


def _figures(job: Job, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
    return figures(logits, labels, positive=job.model.positive, also=job.config.objective.measures)


def _scalars(prefix: str, values: dict[str, Any]) -> dict[str, float]:
    return {f"{prefix}_{key}": v for key, v in values.items() if isinstance(v, float)}


def _batch_losses(
    logits: NDArray[np.float32], labels: NDArray[np.int64], batch_size: int
) -> list[float]:
    """Mean cross-entropy of each batch: unweighted, so that recipes' curves can be compared."""
    each = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    starts = range(0, len(each), batch_size)
    return [float(each[start : start + batch_size].mean()) for start in starts]


def _note_best(job: Job) -> None:
    row, goal = job.logs.rows[-1], job.config.objective
    score = float(goal.utility({name: row[f"validation_{name}"] for name in goal.figures}))
    if score > job.best.score:
        weights = None
        if job.config.trainer.keep == "best":
            weights = {name: t.clone() for name, t in job.model.net.state_dict().items()}
        job.best = Best(job.epoch, score, weights)
