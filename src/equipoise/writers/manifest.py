"""The manifest: one row an image written, enough to make it again."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise import __version__
from equipoise.engine import ENGINE_VERSION
from equipoise.files import atomic
from equipoise.images import Splits
from equipoise.keys import image_keys, words
from equipoise.readers.lineage import hexadecimal
from equipoise.writers.outputs import Outputs, Rows, blocks

__all__ = [
    "READING",
    "SCHEMA",
    "VERSION",
    "Namer",
    "clean",
    "output_ids",
    "reading",
    "write_manifest",
]

VERSION = f"{__version__}+engine.{ENGINE_VERSION}"

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("label", pa.int64()),
        ("class", pa.string()),
        ("source_id", pa.int64()),
        ("technique", pa.string()),
        ("parameters", pa.string()),
        ("seed", pa.uint64()),
        ("copy", pa.int32()),
        ("epoch", pa.int32()),
        ("source_digest", pa.string()),
        ("version", pa.string()),
        ("generated", pa.bool_()),
        ("group", pa.string()),
    ]
)
# How a data set was read, where that decides the pixels: the range of sixteen bits, LO:HI, and the
# size and fit of images that do not keep their own size, as in "64 squash".
READING = pa.schema([("range", pa.string()), ("sizing", pa.string())])

# Outputs' rows to their paths below the output folder.
Namer = Callable[[Rows], list[str]]


def write_manifest(outputs: Outputs, namer: Namer, path: Path) -> None:
    """Write the manifest, block by block, so that memory stays bounded.

    An original has technique 'original' and copy -1. What comes from a recipe's `extra` folder is
    `generated`, and so are the copies of it. A copy is of the `group` of its source.
    """
    said = [READING.field(name) for name, text in reading(outputs.data).items() if text]
    schema = pa.schema([*SCHEMA, *said])
    with atomic(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for rows in blocks(outputs):
            writer.write_table(_block(outputs, namer, rows, schema))


def _block(outputs: Outputs, namer: Namer, rows: Rows, schema: pa.Schema) -> pa.Table:
    count = len(rows)
    labels = outputs.labels(rows)
    technique = outputs.technique[rows]
    names = [*(t.name for t in outputs.techniques), "original", "duplicate"]  # -2 and -1 at the end
    parameters = [json.dumps(t.parameters, sort_keys=True) for t in outputs.techniques]
    read = {
        name: _words([text], np.zeros(count, int)) for name, text in reading(outputs.data).items()
    }
    columns = {
        "id": output_ids(outputs, rows),
        "path": namer(rows),
        "split": _words(list(outputs.data.parts), outputs.split[rows]),
        "label": labels,
        "class": _words([clean(name) for name in outputs.data.classes], labels),
        "source_id": outputs.source_ids(rows),
        "technique": _words(names, technique % len(names)),
        "parameters": _words([*parameters, "{}", "{}"], technique % len(names)),
        "seed": np.full(count, outputs.seed % 2**64, np.uint64),
        "copy": outputs.copy[rows],
        "epoch": np.zeros(count, np.int32),
        "source_digest": hexadecimal(outputs.digests(rows)),
        "version": _words([VERSION], np.zeros(count, int)),
        "generated": outputs.generated(rows),
        "group": [clean(group) for group in outputs.groups(rows)],
        **read,
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def reading(data: Splits) -> dict[str, str]:
    """Return the columns of `READING`, empty where there was nothing to do."""
    return {
        "range": "" if data.range is None else "{}:{}".format(*data.range),
        "sizing": "" if data.size is None else f"{data.size} {data.fit}",
    }


def clean(name: str) -> str:
    """Return a name as text that UTF-8 can hold: a stray byte of a file system is escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _words(values: list[str], numbers: NDArray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(values)).dictionary_decode()


def output_ids(outputs: Outputs, rows: Rows) -> NDArray[np.int64]:
    """Return an original's own id, and for a copy 63 bits drawn from its address."""
    ids = outputs.source_ids(rows).copy()
    keys = image_keys(outputs.seed, ids, np.maximum(outputs.copy[rows], 0))
    specs = [json.dumps(t.spec, sort_keys=True) for t in outputs.techniques]
    for number, spec in enumerate([*specs, "duplicate"]):
        mine = outputs.technique[rows] == (number if number < len(specs) else -1)
        pair = words(keys[mine], f"id of {spec}", 2).astype(np.int64)
        ids[mine] = (pair[:, 0] << 32 | pair[:, 1]) & (2**63 - 1)
    return ids
