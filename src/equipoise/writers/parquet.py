"""Parquet files with the Hugging Face image column, which `datasets.load_dataset` opens."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from equipoise.readers.manifests import COMMENT
from equipoise.writers import folder
from equipoise.writers.manifest import Namer, clean
from equipoise.writers.outputs import Outputs, Rows
from equipoise.writers.shards import Shard, Sink, cut_shards, place_in, write_shards
from equipoise.writers.working import Hands

__all__ = ["namer", "write"]


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their places: file and row in it."""
    return place_in(_shards(outputs), lambda _, row: str(row))


def _shards(outputs: Outputs) -> list[Shard]:
    order = range(len(outputs))
    return cut_shards(outputs, order, "data/{0}-{1:05d}-of-{2:05d}.parquet".format)


def write(
    outputs: Outputs, namer: Namer, out: Path, hands: Hands, progress: Callable[[int], None]
) -> None:
    """Write the columns `image` (the file and its name) and `label`, a file after the other."""
    schema = _schema(outputs)
    paths = folder.namer(outputs)

    @contextmanager
    def sink(path: Path) -> Iterator[Sink]:
        # Image files do not shrink, and no two are alike.
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:

            def put(rows: Rows, files: list[bytes]) -> None:
                names = [name.rpartition("/")[2] for name in paths(rows)]
                images = pa.StructArray.from_arrays(
                    [pa.array(files, pa.binary()), pa.array(names)], fields=list(_IMAGE)
                )
                labels = pa.array(outputs.labels(rows))
                writer.write_table(pa.Table.from_arrays([images, labels], schema=schema))

            yield put

    write_shards(outputs, _shards(outputs), out, hands, progress, sink)


_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _schema(outputs: Outputs) -> pa.Schema:
    classes = [clean(name) for name in outputs.data.classes]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": classes, "_type": "ClassLabel"},
    }
    about = json.dumps({"info": {"features": features}})
    described = {"huggingface": about, "equipoise": COMMENT}
    return pa.schema([("image", _IMAGE), ("label", pa.int64())], metadata=described)
