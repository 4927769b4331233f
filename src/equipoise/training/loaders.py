"""For a training loop of one's own: `batches` and `Augmented`.

What is given is taken as `load` takes it: images, labels, and the items of a dataset.
"""

from collections.abc import Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Dataset

from equipoise import engine
from equipoise.errors import InputError, printable, require, unknown, whole_seed
from equipoise.parallel import ahead
from equipoise.readers import read
from equipoise.readers.arrays import as_image, as_images, as_labels
from equipoise.readers.columns import usual
from equipoise.readers.table import sorted_classes
from equipoise.recipes import Recipe, get_recipe
from equipoise.selection import SMALL, Selection
from equipoise.training.draws import Draws
from equipoise.training.presenting import Presented, check_endless, draw_up, freshen, present

__all__ = ["Augmented", "Batches", "batches"]

_ITEM = "an item is (image, label), or a mapping with the keys image and label"
_IMAGE_KEYS = ("image", "img", "images", "pixel_values")


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
    pixels = _given_images(images)
    numbers, names = _given_labels(labels, len(pixels), classes)
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
        found, names = _given_labels(given, len(dataset), known)
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
        image, label = _given_item(self.dataset[source], source)
        pixels = _given_image(image, source)[None]
        if roster.fresh:
            rows, passes = np.array([row]), np.array([number])
            pixels = freshen(pixels, roster, rows, passes, seed=self.seed, threads=1)
        else:
            pixels = engine.augment_each(
                pixels, roster.techniques, roster.technique[one], seed=self.seed,
                ids=roster.ids[one], copy=roster.copy[one], threads=1,
            )  # fmt: skip
        return torch.from_numpy(pixels[0]).permute(2, 0, 1).contiguous(), (
            int(roster.labels[row]) if label is None else _given_label(label, source, self.classes)
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
    labels = [_given_item(dataset[i], i)[1] for i in range(len(dataset))]
    if any(label is None for label in labels):
        raise InputError("The dataset's items have no labels: give them as labels=[…].")
    return labels


def _given_images(images: Any) -> NDArray[np.uint8]:
    """Return (N, H, W, C) images as they are; mixed ones are brought to one size, as `load` does.

    Raises
    ------
    InputError
        For what is no images, in one line.
    """
    if isinstance(images, str) or images is None or not np.size(getattr(images, "shape", (1,))):
        raise InputError(f"images must be an array or a list of images, but got {images!r}.")
    pixels = as_images(images, "images")
    if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8:
        return pixels
    mixed = not isinstance(pixels, np.ndarray)
    chosen = Selection(cut=False, size=SMALL if mixed else None)
    return read((pixels, np.zeros(len(pixels), int)), chosen).train.array


def _given_labels(
    labels: Any, count: int, classes: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Return labels as numbers, and the names of the classes where there are any.

    Numbers stay what they are. Text becomes its place among the classes: those given, or all that
    there are, sorted.
    """
    names, array = as_labels(labels, count, "labels"), np.asarray(labels)
    known = tuple(classes) if classes is not None and len(classes) else None
    if array.dtype.kind in "iubf":
        return array.reshape(-1).astype(np.int64), known
    known = known or sorted_classes(names.tolist())
    return np.array([_place(name, known) for name in names.tolist()], np.int64), known


def _given_item(item: Any, index: int) -> tuple[Any, Any]:
    """Return the image and the label of an item of a dataset; None for a label it lacks.

    Raises
    ------
    InputError
        For an item that is neither a pair nor a mapping with usual keys.
    """
    if isinstance(item, Mapping):
        keys = [str(key) for key in item]
        image = next((key for key in _IMAGE_KEYS if key in keys), None)
        if image is None:
            raise InputError(f"Item {index} of the dataset: {_ITEM}, but its keys are {keys}.")
        return item[image], item.get(usual("label", keys))
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        kind = printable(repr(item)) if isinstance(item, str) else f"a {type(item).__name__}"
        raise InputError(f"Item {index} of the dataset: {_ITEM}, but got {kind}.")
    return item[0], item[1]


def _given_image(image: Any, index: int) -> NDArray[np.uint8]:
    """Return an item's image as a contiguous (H, W, C) uint8 array of its own."""
    where = f"Item {index} of the dataset"
    if isinstance(image, (str, bytes)) or image is None:
        raise InputError(f"{where}: {_ITEM}, but got {printable(repr(image))} for the image.")
    image = image.permute(1, 2, 0).numpy() if isinstance(image, Tensor) else image
    if np.dtype(getattr(image, "dtype", np.uint8)).kind == "f":
        raise InputError(f"{where} holds {image.dtype}. Augment before any conversion to float.")
    array = as_image(image, where)
    if array.dtype != np.uint8:
        raise InputError(f"{where} has sixteen bits; bring its values to 0 … 255 before.")
    return np.ascontiguousarray(array)


def _given_label(label: Any, index: int, classes: Sequence[str] | None) -> int:
    """Return an item's label as a number: text by its place among the classes."""
    where = f"Item {index} of the dataset"
    array = np.asarray(label).reshape(-1)
    name = as_labels(array, 1, where)[0]
    return int(array[0]) if array.dtype.kind in "iubf" else _place(str(name), classes or ())


def _place(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise unknown("class", name, classes)
    return classes.index(name)
