"""NumPy archives: MedMNIST's keys (`train_images`, `train_labels`, …), or `images` and `labels`.

Keras' keys (`x_train`, `y_train`, …) are read too, and the splits may have any of their names.

Numbers are the class names, unless a key `classes` names them. Nothing is ever unpickled.
"""

import struct
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from os import SEEK_CUR
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, reason
from equipoise.images import leave_out
from equipoise.mapped import concatenated
from equipoise.readers.arrays import as_images, as_labels, check_fits
from equipoise.readers.manifests import COMMENT
from equipoise.readers.split_names import split_named
from equipoise.readers.table import Table, place_in, positions, sorted_classes
from equipoise.selection import Selection
from equipoise.shrinking import guard

__all__ = ["read_npz"]

_MOST_HEADER = 2**16  # bytes
_MAPPED = 2**28  # bytes; larger arrays stay in their file where they lie uncompressed
_ORDER = ("train", "validation", "evaluation", "test")
_PAIRS = (("images", "labels"), ("x", "y"))
_PLAIN = {"images": "train"}  # the split of a key that names none


class _Part(NamedTuple):
    """A split, and the keys of its images and labels."""

    split: str
    images: str
    labels: str


def read_npz(path: Path, selection: Selection = Selection()) -> Table:
    """Read an .npz; its rows are numbered through training, validation and test."""
    try:
        with ZipFile(path) as archive:
            keys = {Path(name).stem: name for name in archive.namelist() if name.endswith(".npy")}
            parts = _parts(path, keys)
            arrays = {key: _array(archive, keys[key], path) for part in parts for key in part[1:]}
            named = _array(archive, keys["classes"], path) if "classes" in keys else None
            upsampled = str(path) if archive.comment == COMMENT.encode() else ""
    except InputError:
        raise
    except Exception as error:  # a broken file may raise anything in the parsers beneath
        raise InputError(f"{path}: damaged, or no .npz ({reason(error)}).") from None
    used = {"classes", *(key for part in parts for key in part[1:])}
    unused = leave_out("arrays that are not images with labels", set(keys) - used)
    return replace(_table(path, parts, arrays, named), left_out=unused, upsampled=upsampled)


def _parts(path: Path, keys: Collection[str]) -> list[_Part]:
    """Return the splits with the keys of their images and labels, training first."""
    found = []
    own = {key.lower(): key for key in keys}
    for key in own:
        words = key.split("_")
        for images, labels in _PAIRS:
            # Of train_images and images_train alike the rest is the split.
            rest = "_".join(word for word in words if word != images)
            other = own.get("_".join(labels if word == images else word for word in words))
            split = split_named(rest) if rest else _PLAIN.get(images)
            if images in words and split and other:
                found.append(_Part(split, own[key], other))
    if any(part.split == "train" and part.images != "images" for part in found):
        found = [part for part in found if part.images != "images"]
    if not any(part.split == "train" for part in found):
        raise _no_keys(path, list(keys))
    return sorted(found, key=lambda part: (_ORDER.index(part.split), part.images))


def _array(archive: ZipFile, member: str, path: Path) -> NDArray[Any]:
    """Read one array, checking its header before memory is set aside for it."""
    where = f"{path}: {Path(member).stem}"
    with archive.open(member) as file:
        start = file.read(12)
    if start[6:7] != b"\1" and int.from_bytes(start[8:], "little") > _MOST_HEADER:
        raise InputError(f"{where}: its header is too long for an array's.")
    with archive.open(member) as file:
        shape, _, dtype = _header(file)
    if dtype.hasobject:
        raise InputError(f"{where} holds Python objects, which could run code; save plain arrays.")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size > archive.getinfo(member).file_size:
        raise InputError(f"{where}: its header promises more than the file holds.")
    if size >= _MAPPED and (mapped := _map(archive, member, path)) is not None:
        return mapped
    check_fits(size, where)
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of an array: its shape, whether it is in Fortran order, and its type."""
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _map(archive: ZipFile, member: str, path: Path) -> NDArray[Any] | None:
    """Return a member that lies in the file uncompressed and in C order as a map of it."""
    found = archive.getinfo(member)
    if found.compress_type != ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(found.header_offset)
        header = file.read(30)
        # The local header's own lengths of name and extra field: its copy elsewhere may differ.
        file.seek(sum(struct.unpack("<HH", header[26:30])), SEEK_CUR)
        shape, fortran, dtype = _header(file)
        place = file.tell()
    if fortran:
        return None
    guard(path)
    return np.memmap(path, dtype, "r", place, shape)


def _table(
    path: Path,
    parts: list[_Part],
    arrays: dict[str, NDArray[Any]],
    named: NDArray[Any] | None,
) -> Table:
    images, labels, names, splits, starts = [], [], [], [], [0]
    for part in parts:
        pixels = as_images(arrays.pop(part.images), f"{path}: {part.images}")
        images.append(pixels)
        key = part.labels
        labels.append(as_labels(arrays.pop(key), len(pixels), f"{path}: {key}"))
        names += [f"{part.images}/{row:05d}" for row in range(len(pixels))]
        splits += [part.split] * len(pixels)
        starts.append(len(names))
    label = np.concatenate(labels).tolist()
    classes = sorted_classes(label)
    if named is not None:
        _check_names(classes, named, path)
        classes = tuple(map(str, range(len(named))))
    return Table(
        names=np.array(names),
        labels=positions(label, classes),
        classes=classes if named is None else tuple(named.tolist()),
        splits=np.array(splits),
        ids=np.arange(len(names), dtype=np.int64),
        pixels=_joined(images, path),
        place=partial(place_in, [f"{path.name}#{part.images}/" for part in parts], starts),
    )


def _joined(images: list[Any], path: Path) -> NDArray[Any]:
    if len({(part.shape[1:], part.dtype) for part in images}) > 1:
        there = ", ".join(f"{part.dtype} {part.shape}" for part in images)
        raise InputError(
            f"{path}: the images of all splits must have one shape and type, but got {there}."
        )
    return concatenated(images)


def _check_names(classes: tuple[str, ...], named: NDArray[Any], path: Path) -> None:
    """Refuse a key `classes` that does not name the numbers 0, 1, …"""
    wrong = named.ndim != 1 or named.dtype.kind != "U" or len(set(named.tolist())) != len(named)
    if wrong or any(not name.isdigit() or int(name) >= len(named) for name in classes):
        raise InputError(f"{path}: classes must name each of the labels 0, 1, … once, as text.")


def _no_keys(path: Path, keys: list[str]) -> InputError:
    return InputError(
        f"{path}: expected the keys images and labels, or train_images and train_labels (and "
        f"val_…, test_…), but there is: {', '.join(sorted(keys)) or 'nothing'}."
    )
