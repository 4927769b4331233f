"""For a training loop of one's own: `batches` and `Augmented`."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import Dataset

from equipoise import engine
from equipoise.errors import InputError, require, whole_seed
from equipoise.recipes import Recipe, get_recipe
from equipoise.training.ahead import ahead
from equipoise.training.draws import Draws
from equipoise.training.given import (
    given_image,
    given_images,
    given_item,
    given_label,
    given_labels,
)
from equipoise.training.presenting import Presented, check_endless, draw_up, freshen, present

__all__ = ["Augmented", "Batches", "batches"]


class Batches:
    """Batches of a training set as a recipe presents it; see `batches`."""

    def __init__(self, presented: Presented, batch_size: int) -> None:
        require(_is_count(batch_size), "batch_size a whole number >= 1", batch_size=batch_size)
        self.batch_size = batch_size
        self.epoch = 0
        self._presented = presented

    def __len__(self) -> int:
        return -(-len(self._presented) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be that of `epoch`, counted from 0."""
        require(epoch >= 0, "epoch >= 0", epoch=epoch)
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images = len(self._presented)
        start = self.epoch * images
        self.epoch += 1
        spans = (
            (start + first, start + min(first + self.batch_size, images))
            for first in range(0, images, self.batch_size)
        )
        presented = self._presented
        for batch in ahead(lambda span: presented.batch(*span), spans, presented.ahead):
            # The permuted view is channels-last as it stands.
            yield torch.from_numpy(batch.images).permute(0, 3, 1, 2), torch.from_numpy(batch.labels)


def batches(
    images: Any,
    labels: ArrayLike,
    recipe: str | Path | Recipe = "article",
    batch_size: int = 64,
    seed: int = 0,
    *,
    ids: ArrayLike | None = None,
    classes: Sequence[str] | None = None,
) -> Batches:
    """Return an iterable of training batches as `recipe` presents the images.

    One iteration is one epoch: as many images as the recipe's set has, in the order of its draws,
    the last batch smaller where they do not divide. Every iteration is the next epoch, with a new
    order and new fresh augmentation; `set_epoch` chooses it. The next batches are made on another
    thread meanwhile.

    Parameters
    ----------
    images : (N, H, W, C) uint8 array, or any that `load` takes
        The training images; in memory or memory-mapped. Those of mixed sizes are brought to one.
    labels : (N,) or (N, 1), whole numbers or text
        Text becomes its place among `classes`, or among all there are, sorted.
    recipe : str, path or Recipe
        The recipe's loss is yours to use: `equipoise.training.get_loss`.
    batch_size : int
    seed : int
    ids : (N,) integers, optional
        Stable ids of the images; the row numbers by default.
    classes : sequence of str, optional
        Names of the labels, for a strategy that names classes.

    Yields
    ------
    images : (B, C, H, W) uint8 tensor in channels-last layout
    labels : (B,) int64 tensor
    """
    pixels = given_images(images)
    numbers, names = given_labels(labels, len(pixels), classes)
    each = np.arange(len(numbers)) if ids is None else np.asarray(ids)
    require(
        each.shape == (len(numbers),) and each.dtype.kind in "iu",
        "ids one whole number an image",
        images=len(numbers),
        ids=f"{each.dtype} of shape {each.shape}",
    )
    presented = present(
        pixels, numbers, each, get_recipe(recipe), seed=whole_seed(seed), classes=names
    )
    return Batches(presented, batch_size)


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 1


class Augmented(Dataset[tuple[Tensor, int]]):
    """A map-style dataset of the images of another as a recipe presents them.

    With natural draws item i is row i of the recipe's set: the originals first and in order, then
    the copies; shuffling is the loader's. With other draws item i is the i-th draw of the epoch,
    so that each class comes as often as it should however the loader orders them. An item is a
    function of (seed, index, epoch): any number of workers, forked or spawned, gives the same
    images. Call `set_epoch` before each epoch for new fresh augmentation and new draws; it reaches
    persistent workers too.

    Parameters
    ----------
    dataset : sized, indexable
        Of pairs of an image (one of Pillow's, an H×W×C or H×W uint8 array, a C×H×W uint8 tensor)
        and a label (a whole number, or text), or of mappings with the keys `image` and `label`.
    recipe : str, path or Recipe
    seed : int
    labels : (N,), optional
        By default the dataset's `targets` or `labels`, else read from its items, one by one. Text
        becomes its place among the classes: those given, or all that there are, sorted.
    classes : sequence of str, optional
        Names of the labels, for a strategy that names classes; the dataset's `classes` by default.

    Items
    -----
    image : C×H×W uint8 tensor
    label : int
    """

    def __init__(
        self,
        dataset: Any,
        recipe: str | Path | Recipe = "article",
        *,
        seed: int = 0,
        labels: ArrayLike | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        chosen = get_recipe(recipe)
        check_endless(chosen)
        _check_dataset(dataset)
        known = getattr(dataset, "classes", None) if classes is None else classes
        given = _labels_of(dataset) if labels is None else labels
        found, names = given_labels(given, len(dataset), known)
        self.dataset = dataset
        self.classes = names
        self.seed = seed = whole_seed(seed)
        self.roster = draw_up(found, np.arange(len(found)), chosen, seed=seed, classes=names)
        natural = chosen.draws == "natural"
        self._draws = None if natural else Draws(self.roster.labels, chosen.draws, seed=seed)
        # In shared memory, so that workers that live on see the next epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """The epoch that items are of, counted from 0."""
        return int(self._epoch)

    @property
    def targets(self) -> list[int]:
        """The label of each row of the recipe's set."""
        return self.roster.labels.tolist()

    def set_epoch(self, epoch: int) -> None:
        """Let items be those of `epoch`, counted from 0."""
        require(epoch >= 0, "epoch >= 0", epoch=epoch)
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.roster)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row, number = self._draw(index % len(self))
        roster, one = self.roster, slice(row, row + 1)
        source = int(roster.source[row])
        image, label = given_item(self.dataset[source], source)
        pixels = given_image(image, source)[None]
        if roster.fresh:
            rows, passes = np.array([row]), np.array([number])
            pixels = freshen(pixels, roster, rows, passes, seed=self.seed, threads=1)
        else:
            pixels = engine.augment_each(
                pixels, roster.techniques, roster.technique[one], seed=self.seed,
                ids=roster.ids[one], copy=roster.copy[one], threads=1,
            )  # fmt: skip
        return torch.from_numpy(pixels[0]).permute(2, 0, 1).contiguous(), (
            int(roster.labels[row]) if label is None else given_label(label, source, self.classes)
        )

    def _draw(self, index: int) -> tuple[int, int]:
        """The row of an item, and how often its image had been drawn before."""
        if self._draws is None:
            return index, self.epoch
        position = self.epoch * len(self) + index
        rows, passes = self._draws(position, position + 1)
        return int(rows[0]), int(passes[0])


def _check_dataset(dataset: Any) -> None:
    by_number = isinstance(dataset, Sized) and hasattr(dataset, "__getitem__")
    if not by_number or isinstance(dataset, str | Mapping):
        raise InputError(
            "A dataset with a length, whose items can be asked for by number, is needed, but got a "
            f"{type(dataset).__name__}."
        )


def _labels_of(dataset: Any) -> Any:
    for name in ("targets", "labels"):
        found = getattr(dataset, name, None)
        if isinstance(found, Sized) and len(found) == len(dataset):
            return found
    labels = [given_item(dataset[i], i)[1] for i in range(len(dataset))]
    if any(label is None for label in labels):
        raise InputError("The dataset's items have no labels: give them as labels=[…].")
    return labels
