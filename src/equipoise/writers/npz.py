"""One .npz of arrays under MedMNIST's keys: ``train_images``, ``train_labels``, ``val_images``, …

Without validation and test the keys are ``images`` and ``labels``. ``classes`` holds the names.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.files import atomic
from equipoise.writers.encoding import make
from equipoise.writers.manifest import Namer, clean
from equipoise.writers.outputs import Outputs, Rows, slices
from equipoise.writers.working import Hands

__all__ = ["FILE", "namer", "write"]

FILE = "data.npz"
_PREFIXES = ("train_", "val_", "test_")
_BLOCK_BYTES = 32 << 20


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their places: file, array and position in it."""
    _check_shapes(outputs)
    starts = np.searchsorted(outputs.split, [0, 1, 2])

    def path(row: int) -> str:
        split = int(outputs.split[row])
        return f"{FILE}#{_prefix(outputs, split)}images/{row - starts[split]}"

    return lambda rows: [path(row) for row in rows.tolist()]


def write(
    outputs: Outputs, namer: Namer, out: Path, hands: Hands, progress: Callable[[int], None]
) -> None:
    """Write the file in one go, block by block; a whole one that is there already stays."""
    path = out / FILE
    if path.exists():
        progress(len(outputs))
        return
    shape = outputs.data.train.images[0].shape
    with atomic(path) as part, ZipFile(part, "w") as archive:
        _save(archive, "classes", np.array([clean(name) for name in outputs.data.classes]))
        for split in range(3):
            rows = np.flatnonzero(outputs.split == split)
            if not len(rows):
                continue
            prefix = _prefix(outputs, split)
            _save(archive, f"{prefix}labels", outputs.labels(rows))
            with archive.open(ZipInfo(f"{prefix}images.npy"), "w", force_zip64=True) as file:
                _header(file, np.dtype(np.uint8), (len(rows), *shape))
                for images in _blocks(outputs, rows, shape, hands.jobs):
                    file.write(np.ascontiguousarray(images).data)
                    progress(len(images))


def _prefix(outputs: Outputs, split: int) -> str:
    return _PREFIXES[split] if outputs.splits else ""


def _blocks(
    outputs: Outputs, rows: Rows, shape: tuple[int, ...], jobs: int | None
) -> Iterator[NDArray[np.uint8]]:
    size = max(1, _BLOCK_BYTES // int(np.prod(shape)))
    for block in slices(rows, size):
        images = outputs.parts[outputs.split[block[0]]].images
        sources = [images[source] for source in outputs.source[block].tolist()]
        yield np.asarray(make(outputs, block, sources, threads=jobs))


def _check_shapes(outputs: Outputs) -> None:
    shapes: set[tuple[int, ...]] = set()
    for part in outputs.parts:
        whole = isinstance(part.images, np.ndarray)
        for image in part.images[:1] if whole else part.images:
            shapes.add(image.shape)
            if len(shapes) > 1:
                raise InputError(
                    "format='npz' needs images of one size and kind, but got "
                    f"{' and '.join(map(str, sorted(shapes)))}. Load them with size=N, or write "
                    "a folder."
                )


def _save(archive: ZipFile, name: str, array: NDArray) -> None:
    with archive.open(ZipInfo(f"{name}.npy"), "w") as file:
        npy.write_array(file, array, allow_pickle=False)


def _header(file, dtype: np.dtype, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    descr = npy.dtype_to_descr(dtype)
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
