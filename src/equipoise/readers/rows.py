"""The rows of Parquet files, fetched one by one in bounded memory.

A file is read block by block: a row group, or a part of one where it is large. The last blocks are
kept, so that threads that go through neighbouring rows read each block once.
"""

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from equipoise.errors import reason
from equipoise.readers.columns import open_parquet
from equipoise.readers.decoding import too_large
from equipoise.readers.table import Stamp, stamp
from equipoise.selection import MOST_BYTES

__all__ = ["Block", "Rows", "blocks_of"]

_BLOCK = 32 << 20  # bytes of images read at a time
_KEPT = 256 << 20  # bytes of blocks that are kept
_CURSORS = 4  # places in large row groups that are kept, to go on from


class Block(NamedTuple):
    """So many rows of a row group, from one on; `size` is the block length of that group."""

    file: int
    group: int
    first: int
    rows: int
    size: int


@dataclass(frozen=True)
class Rows:
    """The image column of some files: row number to bytes.

    Attributes
    ----------
    paths : tuple of str
    stamps : tuple
        What each file was when it was listed; one that has changed is an error.
    column : str
        The leaf that holds the bytes, such as ``image.bytes``.
    starts : tuple of int
        The first row of each block, ascending.
    blocks : tuple of Block
    most_bytes : int
        Of one image.
    """

    paths: tuple[str, ...]
    stamps: tuple[Stamp, ...]
    column: str
    starts: tuple[int, ...]
    blocks: tuple[Block, ...]
    most_bytes: int = MOST_BYTES

    def __call__(self, row: int) -> bytes:
        """Return the image file at a row; OSError where it cannot be read."""
        number = bisect_right(self.starts, row) - 1
        try:
            value = _block(self, self.blocks[number])[row - self.starts[number]]
        except (pa.ArrowException, ValueError, IndexError, MemoryError, StopIteration) as error:
            raise OSError(f"damaged row group ({reason(error)})") from None
        if not value.is_valid:
            raise OSError("no image bytes in the table")
        if refusal := too_large(value.as_buffer().size, self.most_bytes):
            raise OSError(refusal)
        return value.as_py()


def blocks_of(file: pq.ParquetFile, number: int, column: str) -> Iterator[Block]:
    """Cut each row group of a file, number `number` of its set, into blocks of like size."""
    for group in range(file.metadata.num_row_groups):
        about = file.metadata.row_group(group)
        leaves = (about.column(i) for i in range(about.num_columns))
        size = sum(one.total_uncompressed_size for one in leaves if one.path_in_schema == column)
        rows = max(1, about.num_rows // max(1, -(-size // _BLOCK)))
        for first in range(0, about.num_rows, rows):
            yield Block(number, group, first, min(rows, about.num_rows - first), rows)


class _Cursor(NamedTuple):
    """A place in a row group: the batches that follow, and the row that is next."""

    batches: Iterator[pa.RecordBatch]
    row: int


_lock = RLock()
_kept: OrderedDict[tuple, pa.Array] = OrderedDict()
_cursors: OrderedDict[tuple, _Cursor] = OrderedDict()


def _forget() -> None:
    """Start anew in a forked process, which could inherit the lock held or a reader half-way."""
    global _lock
    _lock = RLock()
    _kept.clear()
    _cursors.clear()


os.register_at_fork(after_in_child=_forget)


def _block(rows: Rows, block: Block) -> pa.Array:
    """Return a block's column: kept, or read from where a cursor stands, or from the start."""
    group = (rows.paths[block.file], rows.stamps[block.file], rows.column, block.group, block.size)
    key = (*group, block.first)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        cursor = _cursors.pop(group, None)
        if cursor is None or cursor.row > block.first:
            cursor = _Cursor(_batches(rows, block), 0)
        while True:
            batch = next(cursor.batches)
            cursor = _Cursor(cursor.batches, cursor.row + batch.num_rows)
            if cursor.row > block.first:
                break
        if batch.num_rows != block.rows or cursor.row != block.first + block.rows:
            raise ValueError("rows are missing")
        _cursors[group] = cursor
        while len(_cursors) > _CURSORS:
            _cursors.popitem(last=False)
        found = _kept[key] = _leaf(batch.column(0))
        while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > _KEPT:
            _kept.popitem(last=False)
        return found


def _batches(rows: Rows, block: Block) -> Iterator[pa.RecordBatch]:
    path = rows.paths[block.file]
    if stamp(path) != rows.stamps[block.file]:
        raise OSError("the file has changed since it was loaded")
    return open_parquet(path).iter_batches(
        block.size, row_groups=[block.group], columns=[rows.column], use_threads=False
    )


def _leaf(column: pa.Array) -> pa.Array:
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
