"""WebDataset shards: tar files of ``KEY.png`` (or the original's ending) and ``KEY.cls``.

The images of a split are shuffled over its shards, as streamed training needs them; the manifest
tells which key is which image.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from equipoise import keys
from equipoise.writers import folder
from equipoise.writers.manifest import Namer, output_ids
from equipoise.writers.outputs import Outputs, Rows
from equipoise.writers.shards import Shard, Sink, cut_shards, place_in, write_shards
from equipoise.writers.working import Hands

__all__ = ["namer", "write"]


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their places: shard and key."""
    return place_in(_shards(outputs), _key)


def _key(shard: str, position: int) -> str:
    return f"{shard.removesuffix('.tar')}-{position:06d}"


def _shards(outputs: Outputs) -> list[Shard]:
    order = keys.order(outputs.seed, output_ids(outputs, np.arange(len(outputs))), "shards")
    return cut_shards(outputs, order, "{0}-{1:06d}.tar".format)


def write(
    outputs: Outputs, namer: Namer, out: Path, hands: Hands, progress: Callable[[int], None]
) -> None:
    """Write a shard after the other."""
    paths = folder.namer(outputs)

    @contextmanager
    def sink(path: Path) -> Iterator[Sink]:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:

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

    write_shards(outputs, _shards(outputs), out, hands, progress, sink)
