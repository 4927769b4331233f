"""Classifying image files that stand in folders."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from equipoise.errors import InputError
from equipoise.images import Broken, at_once
from equipoise.readers.decoding import UndecodableError, decode
from equipoise.readers.folder import read_regular
from equipoise.readers.layout import is_image_name
from equipoise.training.ahead import ahead
from equipoise.training.model import Model, fit_image

__all__ = ["image_files", "predict_files"]

# Files decoded before they are classified together, and their pixels at most: bounds the memory.
_TOGETHER, _PIXELS = 256, 2**24


def image_files(paths: Sequence[str | Path]) -> list[Path]:
    """Return the files given, and the image files below the folders given, in sorted order.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no image.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.is_file() and is_image_name(str(p)))
            if not below:
                raise InputError(f"{path} holds no image file.")
            files.extend(below)
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path} does not exist. Name image files or folders of them.")
    return files


def predict_files(
    model: Model,
    paths: Sequence[str | Path],
    *,
    decision: str = "tuned",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[Broken]]:
    """Classify image files.

    Parameters
    ----------
    model : Model
    paths : sequence of paths
        Image files, and folders to look through.
    decision : {'tuned', 'plain', 'adjusted'}
        See `Model.predict`.
    progress : callable, optional
        Called with the number of files looked at, and of all of them.

    Returns
    -------
    rows : list of dict
        `path`, the decided `class`, and the net's `probability` for it.
    broken : list of Broken
        Files that cannot be read or shown, left out of the rows.
    """
    chosen = model.decided(decision)
    rows: list[dict[str, Any]] = []
    broken: list[Broken] = []
    every, looked_at = image_files(paths), 0
    for files, pictures in _decoded(every, model):
        looked_at += len(files)
        broken.extend(p for p in pictures if isinstance(p, Broken))
        whole = [(f, p) for f, p in zip(files, pictures, strict=True) if isinstance(p, np.ndarray)]
        if whole:
            logits = model.logits(np.stack([pixels for _, pixels in whole]))
            shares = softmax(logits.astype(np.float64), axis=1)
            rows.extend(
                {
                    "path": str(file),
                    "class": model.classes[k],
                    "probability": round(float(row[k]), 6),
                }
                for (file, _), k, row in zip(whole, chosen.apply(logits), shares, strict=True)
            )
        if progress is not None:
            progress(looked_at, len(every))
    return rows, broken


def _decoded(
    files: Sequence[Path], model: Model
) -> Iterator[tuple[Sequence[Path], list[NDArray[np.uint8] | Broken]]]:
    """Yield files and their images in a model's shape, on all cores and one part ahead."""
    with ThreadPoolExecutor() as pool:

        def decoded(
            part: Sequence[Path],
        ) -> tuple[Sequence[Path], list[NDArray[np.uint8] | Broken]]:
            return part, list(pool.map(lambda path: _pixels(path, model), part))

        step = at_once(model.size, pixels=_PIXELS, most=_TOGETHER)
        parts = (files[i : i + step] for i in range(0, len(files), step))
        yield from ahead(decoded, parts, 1)


def _pixels(path: Path, model: Model) -> NDArray[np.uint8] | Broken:
    try:
        pixels = decode(read_regular(str(path))).pixels
    except (OSError, UndecodableError) as error:
        return Broken(str(path), str(error))
    return fit_image(pixels, (*model.size, model.channels), model.fit)
