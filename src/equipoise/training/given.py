"""What a training loop of one's own gives, taken as `load` takes it: images, labels, and items."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equipoise.errors import InputError, printable, unknown
from equipoise.readers import read
from equipoise.readers.arrays import as_image, as_images, as_labels
from equipoise.readers.columns import usual
from equipoise.readers.table import sorted_classes
from equipoise.selection import SMALL, Selection

__all__ = ["given_image", "given_images", "given_item", "given_label", "given_labels"]

_ITEM = "an item is (image, label), or a mapping with the keys image and label"
_IMAGE_KEYS = ("image", "img", "images", "pixel_values")


def given_images(images: Any) -> NDArray[np.uint8]:
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


def given_labels(
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


def given_item(item: Any, index: int) -> tuple[Any, Any]:
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


def given_image(image: Any, index: int) -> NDArray[np.uint8]:
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


def given_label(label: Any, index: int, classes: Sequence[str] | None) -> int:
    """Return an item's label as a number: text by its place among the classes."""
    where = f"Item {index} of the dataset"
    array = np.asarray(label).reshape(-1)
    name = as_labels(array, 1, where)[0]
    return int(array[0]) if array.dtype.kind in "iubf" else _place(str(name), classes or ())


def _place(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise unknown("class", name, classes)
    return classes.index(name)
