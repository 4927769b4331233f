"""A run under way: what it is made of, and how it starts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from equipoise.backbones import LinearProbe, Trunk, get_backbone
from equipoise.errors import InputError, printable, require
from equipoise.extras import check_extra, with_extra
from equipoise.images import ImageSet, Splits, at_once
from equipoise.objectives import Objective, ObjectiveLike, get_objective
from equipoise.parallel import seeded
from equipoise.recipes import Recipe
from equipoise.training.budgets import Budget, budget, check_equal
from equipoise.training.cached import CachedSet, activations_of, present_cached
from equipoise.training.catalogue import pick
from equipoise.training.decisions import plain
from equipoise.training.devices import get_device, moved
from equipoise.training.feeding import Feed, resident
from equipoise.training.losses import LOSSES, Loss, get_loss
from equipoise.training.mixing import MIXINGS, get_mixing
from equipoise.training.model import Model, channel_statistics
from equipoise.training.nets import Net, build_net, check_size, whiten
from equipoise.training.optimisers import get_optimiser
from equipoise.training.presenting import (
    Batch,
    Presented,
    check_endless,
    check_on_pixels,
    check_recipe,
    deferred,
    is_endless,
    present,
)
from equipoise.training.synthesising import check_synthesis
from equipoise.training.trainers import Trainer

__all__ = ["Best", "Config", "Job", "Logs", "aim", "check", "check_words", "prepare", "takes"]

CPU = torch.device("cpu")

# Training figures are those of so many images at most, and of so many pixels.
_SAMPLE, _SAMPLE_PIXELS = 2000, 2**27

# A whitening layer is fitted to so many images at most, of which so many pixels are held at a time.
_WHITENED, _PIXELS = 2000, 2**21


@dataclass
class Logs:
    """What a run has noted so far: losses a batch, and a row of figures an epoch."""

    training_losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Best:
    """The epoch that did best on validation so far, and its weights where they are to be kept."""

    epoch: int = 0
    score: float = -np.inf
    weights: dict[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Config:
    """What a run is, besides its data.

    Attributes
    ----------
    recipe : Recipe
    trainer : Trainer
    seed : int
    equal : {'steps', 'epochs'}
    objective : Objective
        Of the classes of the data.
    device : torch.device
        Where the net is trained.
    net : callable, optional
        Makes a net of one's own in the place of the trainer's.
    """

    recipe: Recipe
    trainer: Trainer
    seed: int
    equal: str
    objective: Objective
    device: torch.device = CPU
    net: Net | None = None


@dataclass
class Job:
    """A run under way.

    Attributes
    ----------
    config : Config
    net : nn.Module
        The net that is trained.
    average : AveragedModel, optional
        The moving average of its weights.
    model : Model
        With the net that is evaluated and kept: the average where there is one.
    forward : callable
        The net as the steps run it: itself, or compiled.
    sample : Batch
        The training images that training figures are of.
    epoch : int
        Epochs done.
    seconds : float
        Spent before `started`, by a process that was interrupted.
    validated : (N, K) float32, optional
        The logits of the validation images after the last epoch that this process has done.
    """

    config: Config
    feed: Feed
    validation: ImageSet
    net: nn.Module
    average: AveragedModel | None
    model: Model
    forward: Callable[[torch.Tensor], torch.Tensor]
    optimiser: torch.optim.Optimizer
    loss: Loss
    sample: Batch
    started: float
    epoch: int = 0
    seconds: float = 0.0
    logs: Logs = field(default_factory=Logs)
    best: Best = field(default_factory=Best)
    validated: NDArray[np.float32] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return self.seconds + perf_counter() - self.started


def check(
    data: Splits, recipe: Recipe, trainer: Trainer, *, equal: str, objective: ObjectiveLike
) -> Splits:
    """Return the data with the recipe's extra images, checked as a run would, without its work.

    Raises
    ------
    InputError
        Where a run would.
    """
    check_equal(equal)
    data = with_extra(data, recipe)
    check_extra(data, recipe)
    require(len(data.classes) >= 2, "at least two classes", classes=list(data.classes))
    for name, part in data.parts.items():
        require(len(part) > 0, f"images in the {name} split", images=0)
        shape, wanted = part.array.shape[1:], data.train.array.shape[1:]
        require(shape == wanted, f"{name} images of the training images' shape", shape=shape)
    empty = [data.classes[label] for label in np.flatnonzero(data.train.counts == 0)]
    require(not empty, "training images of every class", without=empty)
    _check_validated(data)
    aim(data, objective)
    check_size(wanted[:2])
    if trainer.backbone is not None:
        get_backbone(trainer.backbone).check_size(wanted[:2])
    train = data.train
    budget(train.labels, trainer, equal=equal)
    check_recipe(train.array, train.labels, train.ids, recipe, classes=data.classes)
    _check_measures(train.labels, recipe, trainer, len(data.classes))
    check_synthesis(train, recipe)
    return data


def _check_validated(data: Splits) -> None:
    """Refuse a validation split that lacks a class: on it nets are chosen and decisions tuned."""
    empty = [data.classes[k] for k in np.flatnonzero(data.validation.counts == 0).tolist()]
    if empty:
        names = ", ".join(printable(name) for name in empty)
        raise InputError(
            f"The validation split has no image of class {names}, and decisions are tuned on it. "
            "Add such images, or take that split away: then one is cut from training."
        )


def takes(trainer: Trainer, recipe: Recipe) -> bool:
    """Whether a trainer can show images as a recipe asks.

    Activations can be averaged, which is manifold mixup. A box of them is no box of the picture.
    Only embeddings can be synthesised. A function of one's own may stop when it likes, so that
    nothing can change towards its end.
    """
    if recipe.synthesise is not None and not _on_embeddings(trainer):
        return False
    if trainer.function is not None:
        return is_endless(recipe)
    if recipe.mixing is None or trainer.backbone is None or trainer.tuned_blocks == "all":
        return True
    return pick("mixing", recipe.mixing, MIXINGS)[0].name == "mixup"


def _on_embeddings(trainer: Trainer) -> bool:
    return trainer.backbone is not None and trainer.tuned_blocks == 0


def check_words(*, equal: str, device: str = "cpu") -> None:
    """Raise `InputError` for settings that a run does not know, before any data is read."""
    check_equal(equal)
    get_device(device)


def aim(data: Splits, objective: ObjectiveLike) -> Objective:
    """Return an objective for the classes of a data set, whose rarer one of two is positive."""
    return get_objective(objective).on(data.classes, data.rarest)


def _check_measures(
    labels: NDArray[np.int64], recipe: Recipe, trainer: Trainer, classes: int
) -> None:
    """Raise `InputError` for a loss or mixing that is none, or a `defer` that defers nothing."""
    get_loss(recipe.loss, labels, classes, trainer.label_smoothing, defer=recipe.defer)
    if recipe.mixing is not None:
        get_mixing(recipe.mixing, labels, seed=0)
    if not _on_embeddings(trainer):
        check_on_pixels(recipe)
    if trainer.function is not None:
        check_endless(recipe)
    rule = "no techniques where embeddings are synthesised"
    plain_copies = recipe.synthesise is None or not recipe.techniques
    require(plain_copies, rule, synthesise=recipe.synthesise, techniques=recipe.techniques)
    require(
        takes(trainer, recipe),
        "no mixing but mixup on the cached activations of a frozen trunk",
        "Take mixup, the trainer finetune-all, or another recipe.",
        mixing=recipe.mixing,
        trainer=trainer.name,
    )
    _check_weight(recipe, trainer)
    entry, _ = pick("loss", recipe.loss, LOSSES)
    require(
        recipe.defer == 0 or deferred(recipe) or entry.weights != "never",
        "a loss with class weights, or balanced or square_root draws, where defer > 0",
        defer=recipe.defer,
        loss=recipe.loss,
        draws=recipe.draws,
    )


def _check_weight(recipe: Recipe, trainer: Trainer) -> None:
    """Raise `InputError` for a weight of generated images that nothing would obey."""
    if recipe.extra_weight == 1:
        return
    own = trainer.function is not None
    require(
        recipe.extra is not None and recipe.mixing is None and not recipe.synthesise and not own,
        "an extra folder, no mixing, nothing synthesised and no trainer of one's own where "
        "extra_weight < 1",
        "What is between two images has no weight of its own, and a function takes none.",
        extra_weight=recipe.extra_weight,
        extra=recipe.extra,
        mixing=recipe.mixing,
        synthesise=recipe.synthesise,
        trainer=trainer.name,
    )


def prepare(data: Splits, config: Config) -> Job:
    """Return a run before its first step."""
    started = perf_counter()
    recipe, trainer, train = config.recipe, config.trainer, data.train
    # Normalisation and budget are the trainer's: those of the data set without extra images.
    real = train.real
    model = _untrained(data, real, config)
    module, trunk = model.net, model.trunk
    feed = _feed(train, real.labels, config, trunk)
    presented = feed.presented
    if isinstance(presented, Presented):
        whiten(module, _some(model, real.array, config.device))
    elif isinstance(module, LinearProbe):
        module.fit_scale(presented.values[: len(train)])
    average, labels = _average(module, trainer), presented.roster.labels
    sampled = at_once(model.size, pixels=_SAMPLE_PIXELS, most=_SAMPLE)
    return Job(
        config=config,
        feed=feed,
        validation=data.validation if trunk is None else activations_of(data.validation, trunk),
        net=module,
        average=average,
        model=model if average is None else replace(model, net=average.module),
        # A module's attributes are untyped to torch.compile.
        forward=torch.compile(module) if trainer.compile else module,
        optimiser=get_optimiser(trainer, module),
        loss=get_loss(
            recipe.loss, labels, len(data.classes), trainer.label_smoothing, defer=recipe.defer
        ),
        sample=presented.batch(0, min(sampled, len(presented))),
        started=started,
    )


def _untrained(data: Splits, real: ImageSet, config: Config) -> Model:
    """Return the model that is trained, with new weights; `real` are its own training images."""
    trainer, classes = config.trainer, data.classes
    backbone = None if trainer.backbone is None else get_backbone(trainer.backbone)
    mean, std = channel_statistics(real.array) if backbone is None else backbone.statistics
    height, width = real.array.shape[1:3]
    size = (height, width)
    if backbone is None:
        weights = trainer.weights if config.net is None else None
        net = config.net or trainer.net
        module = build_net(net, len(mean), len(classes), size, config.seed, weights)
    else:
        with seeded(config.seed, CPU):
            module = backbone.tail(trainer.tuned_blocks, len(classes), size)
    return Model(
        net=module.to(config.device),
        net_name=trainer.backbone or (trainer.net if config.net is None else "custom"),
        classes=classes,
        size=size,
        mean=mean,
        std=std,
        decision=plain(len(classes)),
        positive=data.positive,
        flip=trainer.test_time_flip,
        backbone=None if backbone is None else backbone.name,
        tuned_blocks=trainer.tuned_blocks,
        fit=data.fit,
        range=data.range,
    )


def _feed(train: ImageSet, real: NDArray[np.int64], config: Config, trunk: Trunk | None) -> Feed:
    """Return the batches of the training set as the recipe presents it, on a trunk its activations.

    `real` are the labels of the data set's own images, by which the budget goes.
    """
    recipe, trainer, seed = config.recipe, config.trainer, config.seed

    def budget_of(presented: int) -> Budget:
        return budget(real, trainer, equal=config.equal, presented=presented)

    shown: Presented | CachedSet
    if trunk is None:
        shown = present(
            train.array, train.labels, train.ids, recipe, seed=seed, classes=train.classes,
            threads=1, budget_of=budget_of,
        )  # fmt: skip
        shown = replace(shown, flip=trainer.flip, shift=trainer.shift)
    else:
        shown = present_cached(train, recipe, trainer, trunk, seed=seed, budget_of=budget_of)
    mixing = None
    if recipe.mixing is not None:
        mixing = get_mixing(recipe.mixing, shown.roster.labels, seed=seed)
    return Feed(
        presented=shown,
        budget=budget_of(len(shown)),
        classes=len(train.classes),
        seed=seed,
        mixing=mixing,
        counts=_counts(train, shown.roster.source, recipe.extra_weight),
        resident=None if mixing else resident(shown, config.device),
    )


def _counts(
    train: ImageSet, source: NDArray[np.int64], weight: float
) -> NDArray[np.float32] | None:
    """How much each row counts: one that shows a generated image, or a copy of it, the weight."""
    if weight == 1 or train.generated is None:
        return None
    return np.where(train.generated[source], weight, 1).astype(np.float32)


def _some(model: Model, images: NDArray[np.uint8], device: torch.device) -> Iterator[torch.Tensor]:
    """Yield images from everywhere, as sets are often in the order of their classes, in blocks."""
    rows = np.arange(0, len(images), -(-len(images) // _WHITENED))
    step = at_once(images.shape[1:3], pixels=_PIXELS, most=_WHITENED)
    for start in range(0, len(rows), step):
        yield model.normalise(moved(images[rows[start : start + step]], device))


def _average(net: nn.Module, trainer: Trainer) -> AveragedModel | None:
    if trainer.ema is None:
        return None
    # Batch norm's statistics are averaged like the weights.
    return AveragedModel(net, multi_avg_fn=partial(_blend, trainer.ema), use_buffers=True)


def _blend(
    decay: float, averaged: list[torch.Tensor], current: list[torch.Tensor], steps: torch.Tensor
) -> None:
    """Move the averages towards the weights, faster at first: they forget how the net began."""
    done = int(steps)
    get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(averaged, current, steps)
