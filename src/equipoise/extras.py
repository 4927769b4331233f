"""A recipe's `extra` folder: images of rare classes from elsewhere, which join training alone.

They are a generative model's, say, or found on the web. They are brought to the size of the data
set as `load` does it, and stay marked: as `generated` in the manifest, the summary and the report.
An image that is also in validation or test, or nearly so, is refused: the test would no longer be
one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.auditing.near import find_near
from equipoise.errors import InputError, printable, require, unknown
from equipoise.images import ImageSet, Splits
from equipoise.mapped import concatenated
from equipoise.readers.belonging import lineage_of
from equipoise.readers.decoded import Decoded, Unread, decode_table, listed
from equipoise.readers.lineage import hexadecimal
from equipoise.readers.loading import image_set, unread
from equipoise.readers.opening import open_table
from equipoise.readers.sizing import Sizing, to_channels
from equipoise.readers.table import Table, path_ids
from equipoise.recipes import Recipe
from equipoise.selection import MOST_PIXELS, Selection

__all__ = [
    "Joined",
    "Leak",
    "check_extra",
    "extra_images",
    "generated_counts",
    "leaks",
    "with_extra",
]

# Smaller pictures hold too little to tell one that is nearly the same from one that is alike.
_SMALLEST = 16


@dataclass(frozen=True)
class Joined(Sequence[NDArray[np.uint8]]):
    """Images of several sequences as one, none of them decoded before it is asked for.

    Attributes
    ----------
    parts : tuple of sequences of (H, W, C) uint8 images
    part, row : (N,) int64
        Where each image is.
    """

    parts: tuple[Any, ...]
    part: NDArray[np.int64]
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.pick(np.arange(len(self))[index])
        return self.parts[self.part[index]][int(self.row[index])]

    def pick(self, rows: NDArray[np.intp]) -> "Joined":
        """Return the images at `rows`, in that order."""
        return replace(self, part=self.part[rows], row=self.row[rows])

    def is_wide(self, index: int) -> bool:
        """Return whether an image's file has sixteen bits a channel."""
        images = self.parts[self.part[index]]
        return hasattr(images, "is_wide") and images.is_wide(int(self.row[index]))

    def encoded(self, index: int) -> bytes:
        """Return an image's file: its own, where it came from one as it is, otherwise a PNG."""
        images, row = self.parts[self.part[index]], int(self.row[index])
        if hasattr(images, "encoded"):
            return images.encoded(row)
        file = BytesIO()
        pixels = np.asarray(images[row])
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
        return file.getvalue()


def with_extra(data: Splits, recipe: Recipe | None) -> Splits:
    """Return the splits with the images of the recipe's `extra` folder after those of training.

    Without one, or where they have joined already, the splits are returned as they are.

    Raises
    ------
    InputError
        If the folder cannot be read, has a class that the data set lacks, or images that cannot be
        brought to the size and channels of the data set's.
    """
    if recipe is None or recipe.extra is None or data.train.generated is not None:
        return data
    table = _table(recipe.extra, data.classes)
    shape = _shape(data)
    if isinstance(data.train.images, Unread):
        decoded = listed(table)
        images = decoded.images
    else:
        decoded = _decode(table, shape, data, recipe.extra)
        images = _in_channels(decoded.images, shape, recipe.extra)
    kept = table.pick(decoded.rows)
    names = [f"generated/{PurePosixPath(name).with_suffix('.png')}" for name in kept.names.tolist()]
    place = np.array([data.classes.index(name) for name in table.classes])
    _check_copies(data, table, decoded, recipe.extra)
    more = ImageSet(
        images=images,
        labels=place[kept.labels].astype(np.int64),
        classes=data.classes,
        ids=path_ids(f"generated/{name}" for name in kept.names.tolist()),
        names=np.array(names),
        digests=decoded.digests,
    )
    lost = (*unread((*table.broken, *decoded.broken)), *table.left_out)
    left_out = (replace(one, reason=f"{one.reason} in {recipe.extra}") for one in lost)
    return replace(
        data,
        train=_joined(data.train, more),
        left_out=(*data.left_out, *left_out),
        notes=(*data.notes, *(f"{recipe.extra}: {note}" for note in decoded.notes)),
        range=data.range or decoded.range,
    )


def extra_images(data: Splits, recipe: Recipe) -> ImageSet | None:
    """Return the images of the recipe's `extra` folder alone, or None without one."""
    train = with_extra(data, recipe).train
    return None if train.generated is None else train.select(train.generated)


def _table(folder: str, classes: tuple[str, ...]) -> Table:
    try:
        table = open_table(folder, Selection())
    except InputError as error:
        raise InputError(f"extra: {error}") from None
    there = np.unique(table.labels)  # an empty folder is no class
    table = replace(
        table,
        classes=tuple(table.classes[label] for label in there),
        labels=np.searchsorted(there, table.labels),
    )
    for name in table.classes:
        if name not in classes:
            raise InputError(f"extra: {folder}: {unknown('class', printable(name), classes)}")
    if other := sorted(set(table.splits.tolist()) - {"train"}):
        raise InputError(
            f"extra: {folder} has a {other[0]} split, but its images join training alone. "
            "Name a folder of class folders."
        )
    return table


def _shape(data: Splits) -> tuple[int, ...] | None:
    """The shape that all images have, or None where they are mixed."""
    images = data.train.images
    if isinstance(images, np.ndarray):
        return images.shape[1:]
    return images[0].shape if len(data.sizes) == len(data.modes) == 1 else None


def _decode(table: Table, shape: tuple[int, ...] | None, data: Splits, folder: str) -> Decoded:
    square = shape is not None and shape[0] == shape[1]
    sizing = Sizing(shape[0] if shape is not None and square else None, data.fit)
    found = decode_table(
        table, sizing=sizing, whole=True, most_pixels=MOST_PIXELS, bounds=data.range
    )
    require(len(found.rows) > 0, "readable images in extra", extra=folder)
    if shape is not None and not square:
        fits = {image.shape[:2] for image in found.images} == {shape[:2]}
        require(
            fits,
            f"images of {shape[1]}×{shape[0]} in extra, as in the data set",
            "Only to square images are others brought.",
            extra=folder,
        )
    return found


def _check_copies(data: Splits, table: Table, decoded: Decoded, folder: str) -> None:
    """Refuse copies of validation and test images, as a manifest in the folder names them."""
    found = lineage_of(extra := image_set(table, decoded), table)
    if found is None:
        return
    for split in ("validation", "test"):
        part = data.parts[split]
        names = dict(zip(hexadecimal(part.digests).tolist(), part.names.tolist(), strict=True))
        rows = np.flatnonzero(np.isin(found.pictures, list(names)))
        if len(rows):
            first = int(rows[0])
            one, theirs = extra.names[first], names[str(found.pictures[first])]
            raise _leak(folder, one, theirs, split, len(rows), "is a copy of")


def _in_channels(images: Any, shape: tuple[int, ...] | None, folder: str) -> Any:
    if shape is None:
        return [np.asarray(image) for image in images]
    array = np.stack([np.asarray(image) for image in images])
    require(
        array.shape[3] == shape[2] or (array.shape[3], shape[2]) in ((1, 3), (4, 3)),
        "images in extra with the channels of the data set's",
        channels=array.shape[3],
        wanted=shape[2],
        extra=folder,
    )
    return to_channels(array, shape[2])


def _joined(train: ImageSet, more: ImageSet) -> ImageSet:
    first, second = train.images, more.images
    sizes = (len(first), len(second))
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        images: Any = concatenated([first, second])
    else:
        rows = np.concatenate([np.arange(size) for size in sizes])
        images = Joined((first, second), np.repeat([0, 1], sizes), rows)
    groups = train.groups
    return ImageSet(
        images=images,
        labels=np.concatenate([train.labels, more.labels]),
        classes=train.classes,
        ids=np.concatenate([train.ids, more.ids]),
        names=np.concatenate([train.names, more.names]),
        digests=np.concatenate([train.digests, more.digests]),
        groups=None if groups is None else np.concatenate([groups, more.names]),
        generated=np.repeat([False, True], sizes),
        copies=None if train.copies is None else np.append(train.copies, np.zeros(len(more), bool)),
    )


@dataclass(frozen=True)
class Leak:
    """An image that is, or is nearly, one of validation or test: its name there, and the split."""

    theirs: str
    split: str
    nearly: bool


def leaks(extra: ImageSet, data: Splits) -> dict[str, Leak]:
    """Return the images, by name, that are in validation or test, exactly or nearly.

    Pictures below 16 pixels are compared exactly alone.
    """
    found: dict[str, Leak] = {}
    others = {name: part for name, part in data.parts.items() if name != "train" and len(part)}
    for split, part in others.items():
        there = dict(zip(part.digests.tolist(), part.names.tolist(), strict=True))
        for name, one in zip(extra.names.tolist(), extra.digests.tolist(), strict=True):
            if one in there:
                found.setdefault(name, Leak(there[one], split, nearly=False))
    if not others or not len(extra) or min(extra.images[0].shape[:2]) < _SMALLEST:
        return found
    for group in find_near(replace(data, train=extra)).near:
        theirs = next((k for k, split in enumerate(group.splits) if split != "train"), None)
        if theirs is not None:
            one = Leak(group.images[theirs], group.splits[theirs], nearly=True)
            for name, split in zip(group.images, group.splits, strict=True):
                if split == "train":
                    found.setdefault(name, one)
    return found


def check_extra(data: Splits, recipe: Recipe) -> None:
    """Raise `InputError` where an extra image is in validation or test, exactly or nearly.

    `data` is what `with_extra` returned. Pictures below 16 pixels are compared exactly alone.
    """
    if data.train.generated is None:
        return
    found = leaks(data.train.select(data.train.generated), data)
    for name, one in found.items():
        verb = "is nearly" if one.nearly else "is"
        raise _leak(recipe.extra or "", name, one.theirs, one.split, len(found), verb)


def _leak(folder: str, mine: str, theirs: str, split: str, count: int, verb: str) -> InputError:
    more = f" (and so with {count - 1} more)" if count > 1 else ""
    return InputError(
        f"extra: {printable(mine)} {verb} {printable(theirs)} of the {split} split{more}, and what "
        f"is tested must not be trained on. Take such images out of {folder}."
    )


def generated_counts(data: Splits) -> dict[str, int]:
    """Return how many extra images of each class there are; empty without any."""
    if data.train.generated is None:
        return {}
    counts = data.train.select(data.train.generated).counts.tolist()
    return {name: count for name, count in zip(data.classes, counts, strict=True) if count}
