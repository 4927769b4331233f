"""One .npz of arrays under MedMNIST's keys: ``train_images``, ``train_labels``, ``val_images``, …

Without validation and test the keys are ``images`` and ``labels``. ``classes`` holds the names.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from equipoise.errors import InputError
from equipoise.files import atomic
from equipoise.readers.manifests import COMMENT
from equipoise.writers.encoding import make
from equipoise.writers.manifest import Namer, clean
from equipoise.writers.outputs import Outputs, slices
from equipoise.writers.working import Hands

__all__ = ["FILE", "namer", "write"]

FILE = "data.npz"
_PREFIXES = ("train_", "val_", "test_")
_BLOCK_BYTES = 32 << 20
_LABELS = 1 << 16


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their places: file, array and position in it."""
    _check_shapes(outputs)
    starts = outputs.bounds

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
        archive.comment = COMMENT.encode()
        names = np.array([clean(name) for name in outputs.data.classes])
        _save(archive, "classes", names.dtype, names.shape, [names])
        for split, (first, last) in enumerate(pairwise(outputs.bounds)):
            if first == last:
                continue
            rows, prefix = range(first, last), _prefix(outputs, split)
            labels = (outputs.labels(np.asarray(some)) for some in slices(rows, _LABELS))
            _save(archive, f"{prefix}labels", np.int64, (len(rows),), labels)
            images = _blocks(outputs, rows, shape, hands.jobs, progress)
            _save(archive, f"{prefix}images", np.uint8, (len(rows), *shape), images)


def _prefix(outputs: Outputs, split: int) -> str:
    return _PREFIXES[split] if outputs.splits else ""


def _blocks(
    outputs: Outputs,
    span: range,
    shape: tuple[int, ...],
    jobs: int | None,
    progress: Callable[[int], None],
) -> Iterator[NDArray[np.uint8]]:
    size = max(1, _BLOCK_BYTES // int(np.prod(shape)))
    for some in slices(span, size):
        block = np.asarray(some)
        images = outputs.parts[outputs.split[block[0]]].images
        sources = [images[source] for source in outputs.source[block].tolist()]
        yield np.asarray(make(outputs, block, sources, threads=jobs))
        progress(len(block))


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


def _save(
    archive: ZipFile,
    name: str,
    dtype: DTypeLike,
    shape: tuple[int, ...],
    blocks: Iterable[NDArray],
) -> None:
    """Save one array, block by block."""
    descr = npy.dtype_to_descr(np.dtype(dtype))
    # Only pixels come near the 2 GiB from which on zip wants longer fields.
    with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=dtype is np.uint8) as file:
        head = {"descr": descr, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, head)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
