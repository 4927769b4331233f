"""WebDataset shards: tar files of ``KEY.png`` (or the original's ending) and ``KEY.cls``.

The images of a split are shuffled over its shards, as streamed training needs them; the manifest
tells which key is which image.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from equipoise import keys
from equipoise.mapped import empty
from equipoise.readers.manifests import COMMENT
from equipoise.writers import folder
from equipoise.writers.manifest import Namer, output_ids
from equipoise.writers.outputs import Outputs, Rows, blocks
from equipoise.writers.shards import Shard, Sink, cut_shards, place_in, write_shards
from equipoise.writers.working import Hands

__all__ = ["namer", "write"]


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their places: shard and key."""
    order = _shuffled(outputs)
    places = empty(len(order), np.intp)
    for rows in blocks(outputs):
        places[order[rows]] = rows
    return place_in(_shards(outputs, order), _key, places)


def _key(shard: str, position: int) -> str:
    return f"{shard.removesuffix('.tar')}-{position:06d}"


def _shuffled(outputs: Outputs) -> Rows:
    """The outputs of each split in an order drawn from their ids, a split after the other."""
    order, draws = empty(len(outputs), np.intp), empty(len(outputs), np.uint64)
    for rows in blocks(outputs):
        draws[rows] = keys.order_draws(outputs.seed, output_ids(outputs, rows), "shards")
    for start, end in pairwise(outputs.bounds):
        order[start:end] = start + np.argsort(draws[start:end], kind="stable")
    return order


def _shards(outputs: Outputs, order: Rows) -> list[Shard]:
    return cut_shards(outputs, order, "{0}-{1:06d}.tar".format)


def write(
    outputs: Outputs, namer: Namer, out: Path, hands: Hands, progress: Callable[[int], None]
) -> None:
    """Write a shard after the other."""
    paths = folder.namer(outputs)

    @contextmanager
    def sink(path: Path) -> Iterator[Sink]:
        about = {"comment": COMMENT}
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers=about) as archive:

            def add(name: str, data: bytes) -> None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))

            def put(rows: Rows, files: list[bytes]) -> None:
                labels = outputs.labels(rows).tolist()
                columns = zip(namer(rows), paths(rows), labels, files, strict=True)
                for place, name, label, data in columns:
                    key, ending = place.partition("#")[2], name.rpartition(".")[2].lower()
                    add(f"{key}.{ending}", data)
                    add(f"{key}.cls", str(label).encode())

            yield put

    shards = _shards(outputs, _shuffled(outputs))
    write_shards(outputs, shards, out, hands, progress, sink)
