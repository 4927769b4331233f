"""From outputs to the bytes of image files."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from equipoise.engine import augment_each
from equipoise.errors import InputError
from equipoise.images import ImageSet
from equipoise.readers.depth import FULL, to_sixteen
from equipoise.writers.outputs import Coding, Outputs, Rows

__all__ = ["encode", "encoded", "make"]

_BATCH_BYTES = 4 << 20  # of pixels that one thread augments at a time


def encode(outputs: Outputs, rows: Rows) -> Iterator[tuple[int, bytes]]:
    """Give each output with the file that it becomes: originals and duplicates first."""
    copies = outputs.technique[rows] >= 0
    parts = outputs.parts
    for row in rows[~copies].tolist():
        yield row, _file(parts[outputs.split[row]], int(outputs.source[row]))
    for batch, sources in _batches(outputs, rows[copies]):
        for row, image in zip(
            batch.tolist(), make(outputs, batch, sources, threads=1), strict=True
        ):
            yield row, encoded(_as_source(outputs, row, image), outputs.coding)


def _batches(outputs: Outputs, rows: Rows) -> Iterator[tuple[Rows, list[NDArray[np.uint8]]]]:
    """Rows with the pixels of their sources, as many at a time as memory allows."""
    parts = outputs.parts
    batch: list[int] = []
    sources: list[NDArray[np.uint8]] = []
    size, held = 0, -1
    for row, source in zip(rows.tolist(), outputs.source[rows].tolist(), strict=True):
        if source != held:
            image = parts[outputs.split[row]].images[source]
            held = source
        batch.append(row)
        sources.append(image)
        size += image.nbytes
        if size >= _BATCH_BYTES:
            yield np.array(batch), sources
            batch, sources, size = [], [], 0
    if batch:
        yield np.array(batch), sources


def make(
    outputs: Outputs, rows: Rows, sources: list[NDArray[np.uint8]], threads: int | None = None
) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
    """Return the pixels of the outputs at `rows`, given those of their sources.

    One array where all have one shape, otherwise a list.
    """
    uniform = len({image.shape for image in sources}) == 1
    images = np.stack(sources) if uniform else sources
    return augment_each(
        images,
        outputs.techniques,
        np.maximum(outputs.technique[rows], -1),
        seed=outputs.seed,
        ids=outputs.source_ids(rows),
        copy=np.maximum(outputs.copy[rows], 0),
        threads=threads,
    )


def _as_source(outputs: Outputs, row: int, image: NDArray[np.uint8]) -> Any:
    """Return a copy in sixteen bits where its source has them: a data set has one scale."""
    images = outputs.parts[outputs.split[row]].images
    is_wide = getattr(images, "is_wide", None)
    if is_wide is None or not is_wide(int(outputs.source[row])):
        return image
    return to_sixteen(image, outputs.data.range or FULL)


def _file(part: ImageSet, row: int) -> bytes:
    """Return an image as a file: its own, where it came from one, otherwise a PNG."""
    stored = getattr(part.images, "encoded", None)
    return stored(row) if stored else encoded(part.images[row], Coding())


def encoded(image: NDArray[Any], coding: Coding) -> bytes:
    """Encode an (H, W, C) image of eight bits, in a PNG also of sixteen.

    Raises
    ------
    InputError
        For sixteen bits or transparency in a coding without them, or more pixels a side than it can
        hold.
    """
    if image.dtype == np.uint16 and coding.name != "png":
        raise InputError(f"{coding.name} has no sixteen bits, which an image has: take png copies.")
    if image.shape[2] == 4 and coding.name == "jpeg":
        raise InputError("JPEG has no transparency, which an image has: take webp or png copies.")
    if image.shape[2] > 1:
        way = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        image = np.asarray(cv2.cvtColor(image, way))
    done, data = cv2.imencode(coding.ending, image, _options(coding))
    if not done:
        height, width = image.shape[:2]
        raise InputError(f"{coding.name} cannot hold {width}×{height} pixels: take png copies.")
    return data.tobytes()


def _options(coding: Coding) -> list[int]:
    if coding.name == "jpeg":
        return [cv2.IMWRITE_JPEG_QUALITY, coding.quality]
    return [cv2.IMWRITE_WEBP_QUALITY, coding.quality] if coding.name == "webp" else []
