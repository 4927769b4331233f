"""Classifying image files that stand in folders."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from equipoise.errors import InputError, printable, reason
from equipoise.images import Broken, at_once, leave_out
from equipoise.parallel import ahead
from equipoise.readers.decoding import UndecodableError, decode, narrow
from equipoise.readers.depth import FULL, outside
from equipoise.readers.folder import read_regular, walk
from equipoise.readers.layout import is_image_name
from equipoise.training.decisions import Decision
from equipoise.training.model import Model, fit_image

__all__ = ["Predicted", "predict_files"]

# Files decoded before they are classified together, and their pixels at most: bounds the memory.
_TOGETHER, _PIXELS = 256, 2**24


@dataclass
class Predicted:
    """What a model says of image files.

    Attributes
    ----------
    rows : list of dict
        `path`, the decided `class`, the net's `probability` for it, and `probabilities`, those of
        all classes by name.
    left_out : list of Broken
        Files that cannot be read, shown or brought to the model's shape, and links that leave a
        folder.
    notes : list of str
        What else is to be known: files of other kinds, and how 16-bit ones were read.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _File(NamedTuple):
    """An image file: what it is called, and where it lies when links are followed."""

    name: str
    place: str


class _About(NamedTuple):
    """What is to be told of a file that is classified."""

    name: str
    wide: bool
    clipped: int  # values outside the model's range
    complaint: str


class _Read(NamedTuple):
    """An image in a model's shape."""

    pixels: NDArray[np.uint8]
    about: _About


def predict_files(
    model: Model,
    paths: Sequence[str | Path],
    *,
    decision: str = "tuned",
    progress: Callable[[int, int], None] | None = None,
) -> Predicted:
    """Classify image files.

    Parameters
    ----------
    model : Model
    paths : sequence of paths
        Image files, and folders to look through. Links are followed where they stay inside a
        folder, or are named themselves.
    decision : {'tuned', 'plain', 'adjusted'}
        See `Model.predict`.
    progress : callable, optional
        Called with the number of files looked at, and of all of them.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no image.
    """
    chosen = model.decided(decision)
    found = Predicted()
    every, looked_at = _files(paths, found), 0
    seen: list[_About] = []
    for images in _decoded(every, model):
        looked_at += len(images)
        found.left_out += [image for image in images if isinstance(image, Broken)]
        if whole := [image for image in images if isinstance(image, _Read)]:
            found.rows += _rows(model, chosen, whole)
            seen += [image.about for image in whole]
        if progress is not None:
            progress(looked_at, len(every))
    found.notes += _notes(model, seen)
    return found


def _files(paths: Sequence[str | Path], found: Predicted) -> list[_File]:
    """Return the files given, and those below the folders given in sorted order."""
    files: list[_File] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += _below(path, found)
        elif path.exists():
            files.append(_File(str(path), os.path.realpath(path)))
        else:
            raise InputError(f"{path} does not exist. Name image files or folders of them.")
    return files


def _below(folder: Path, found: Predicted) -> list[_File]:
    """Return the image files of a folder, putting down what is left out of it."""
    root = os.path.realpath(folder)
    listing = walk(root)
    images = sorted(name for name in listing.found if is_image_name(name))
    found.left_out += [Broken(str(folder / one.name), one.reason) for one in listing.broken]
    others = [str(folder / name) for name in listing.found if not is_image_name(name)]
    found.notes += [one.line for one in leave_out("files of other kinds", others)]
    if not images and not listing.refused:
        raise InputError(f"{folder} holds no image file.")
    return [
        _File(str(folder / name), os.path.join(root, listing.found[name]))  # noqa: PTH118
        for name in images
    ]


def _decoded(files: Sequence[_File], model: Model) -> Iterator[list[_Read | Broken]]:
    """Yield the files' images in a model's shape, on all cores and one part ahead."""
    with ThreadPoolExecutor() as pool:

        def decoded(part: Sequence[_File]) -> list[_Read | Broken]:
            return list(pool.map(lambda file: _read(file, model), part))

        step = at_once(model.size, pixels=_PIXELS, most=_TOGETHER)
        parts = (files[i : i + step] for i in range(0, len(files), step))
        yield from ahead(decoded, parts, 1)


def _read(file: _File, model: Model) -> _Read | Broken:
    bounds = model.range or FULL
    try:
        picture = decode(read_regular(file.place))
        pixels = fit_image(narrow(picture, bounds), (*model.size, model.channels), model.fit)
    except (OSError, UndecodableError, InputError) as error:
        return Broken(file.name, reason(error))
    stored = picture.pixels
    wide = stored.dtype == np.uint16
    clipped = outside(stored, bounds) if wide else 0
    return _Read(pixels, _About(file.name, wide, clipped, picture.complaint))


def _rows(model: Model, chosen: Decision, whole: Sequence[_Read]) -> Iterator[dict[str, Any]]:
    logits = model.logits(np.stack([image.pixels for image in whole]))
    shares = softmax(logits.astype(np.float64), axis=1).round(6).tolist()
    for image, k, row in zip(whole, chosen.apply(logits).tolist(), shares, strict=True):
        yield {
            "path": image.about.name,
            "class": model.classes[k],
            "probability": row[k],
            "probabilities": dict(zip(model.classes, row, strict=True)),
        }


def _notes(model: Model, seen: Sequence[_About]) -> Iterator[str]:
    if model.range is None and (wide := sum(one.wide for one in seen)):
        yield (
            f"16-bit images: {wide:,} of {len(seen):,}. The model was trained on 8-bit ones, so "
            f"{FULL[0]}…{FULL[1]} became 0…255"
        )
    if clipped := [one.clipped for one in seen if one.clipped]:
        low, high = model.range or FULL
        yield (
            f"16-bit images with values outside the model's range {low}…{high}: {len(clipped):,}; "
            f"{sum(clipped):,} values were clipped to it"
        )
    if faults := [one for one in seen if one.complaint]:
        yield (
            f"Files with faults that decoding passed over: {len(faults):,}, such as "
            f"{printable(faults[0].name)} ({faults[0].complaint})"
        )
