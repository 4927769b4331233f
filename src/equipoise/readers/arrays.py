"""Arrays of images and labels, checked: from Python, and what other readers find in files."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.errors import InputError, reason
from equipoise.mapped import file_of
from equipoise.readers.decoding import Pixels, UndecodableError, shown
from equipoise.readers.table import Table, positions, sorted_classes
from equipoise.shrinking import guard

__all__ = ["as_image", "as_images", "as_labels", "check_fits", "positions", "read_arrays"]

_RULE = "pixels must be whole numbers 0 … 255"
_REMEDY = "Scale them and convert with astype('uint8'), or 'uint16' for sixteen bits."


def read_arrays(images: Any, labels: Any) -> Table:
    """Return the table of images and labels given from Python.

    Parameters
    ----------
    images : (N, H, W, C) or (N, H, W) integers 0 … 255, or a sequence of (H, W, C) or (H, W)
        C is 1, 3 or 4. uint16 is read as sixteen bits, and an image may be one of Pillow's.
    labels : (N,)
        Whole numbers or text.
    """
    if (file := file_of(images)) is not None:
        guard(file)
    pixels = as_images(images, "images")
    names = as_labels(labels, len(pixels), "labels").tolist()
    classes = sorted_classes(names)
    rows = np.arange(len(pixels))
    return Table(
        names=np.array([f"images/{row:05d}" for row in rows]),
        labels=positions(names, classes),
        classes=classes,
        splits=np.full(len(rows), "train"),
        ids=rows.astype(np.int64),
        pixels=pixels,
    )


def as_images(images: Any, name: str) -> Pixels | list[Pixels]:
    """Return images as one (N, H, W, C) array, or as a list of (H, W, C) where they are mixed.

    Raises
    ------
    InputError
        For floating point, values outside 0 … 255 (in uint16: 65535), objects, or another shape.
    """
    if isinstance(images, (list, tuple)) or getattr(images, "dtype", None) == np.dtype(object):
        found = [as_image(image, f"{name}[{i}]") for i, image in enumerate(images)]
        alike = len({(image.shape, image.dtype) for image in found}) == 1
        return np.stack(found) if alike else found
    array = _one_dtype(np.asarray(images), name)
    return _shape(array, array.ndim == 3, name, 4)


def as_image(image: Any, name: str) -> Pixels:
    """Return an image, an array or one of Pillow's, as (H, W, C)."""
    if isinstance(image, Image.Image):
        try:
            return shown(image).pixels
        except (OSError, UndecodableError) as error:
            raise InputError(f"{name}: {reason(error)}.") from None
    array = _one_dtype(np.asarray(image), name)
    return _shape(array, array.ndim == 2, name, 3)


def as_labels(labels: Any, count: int, name: str) -> NDArray[np.str_]:
    """Return one class name an image from numbers or text of shape (N,) or (N, 1).

    Raises
    ------
    InputError
        For several labels an image, another length, missing or fractional numbers.
    """
    found = np.asarray(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim == 2:
        raise InputError(
            f"{name}: one class an image is needed, but there are {found.shape[1]} columns. "
            "Multi-label data is not supported; one-hot labels become numbers by argmax(axis=1)."
        )
    if found.shape != (count,):
        raise InputError(
            f"{name}: as many labels as images must hold, but got {count:,} images and labels of "
            f"shape {found.shape}."
        )
    if found.dtype == object:
        if not all(isinstance(one, (str, int)) for one in found):
            raise InputError(f"{name}: labels must be whole numbers or text, not Python objects.")
        return np.array([str(one) for one in found])
    if found.dtype.kind == "f":
        if not np.array_equal(found, np.round(found)) or not np.isfinite(found).all():
            raise InputError(f"{name}: labels must be whole numbers or text, but some are not.")
        found = found.astype(np.int64)
    if found.dtype.kind not in "iubU":
        raise InputError(f"{name}: labels must be whole numbers or text, but got {found.dtype}.")
    return found.astype(np.str_)


def check_fits(size: int, name: str) -> None:
    """Refuse an array that this machine's memory cannot hold, before it is read."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise InputError(
            f"{name}: {size / 2**30:,.1f} GiB do not fit this machine's {memory / 2**30:,.1f} GiB "
            "of memory. Give an image folder or archive instead: they are read piece by piece."
        )


def _one_dtype(array: NDArray[Any], name: str) -> Pixels:
    """Return an array of whole numbers as uint8, or as uint16 where it is that."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return array.astype(np.uint16, copy=False)
    if array.dtype.kind not in "iu":
        wrong = " with NaN" if array.dtype.kind == "f" and np.isnan(array).any() else ""
        raise InputError(f"{name}: {_RULE}, but got {array.dtype}{wrong}. {_REMEDY}")
    if array.size and (array.min() < 0 or array.max() > 255):
        there = f"{array.min()} … {array.max()} of {array.dtype}"
        raise InputError(f"{name}: {_RULE}, but got {there}. {_REMEDY}")
    return array.astype(np.uint8)


def _shape(array: Pixels, grey: bool, name: str, axes: int) -> Pixels:
    """Add the channel axis of grey images and check the shape."""
    shaped = array[..., None] if grey else array
    letters = "NHWC"[-axes:]
    if shaped.ndim != axes or shaped.shape[-1] not in (1, 3, 4) or min(shaped.shape[-3:-1]) < 2:
        first = shaped.ndim == axes and shaped.shape[-3] in (1, 3, 4)
        hint = " Move the channels last." if first else ""
        raise InputError(
            f"{name}: shape ({', '.join(letters)}) with C = 1, 3 or 4 and H, W of at least 2 must "
            f"hold, but got {array.shape}.{hint}"
        )
    return shaped
