"""Data sets of a few large files: how images fall to them, and writing them one after another."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from equipoise.files import atomic
from equipoise.writers.encoding import encode
from equipoise.writers.manifest import Namer
from equipoise.writers.outputs import Outputs, Rows, slices, typical_bytes
from equipoise.writers.working import Hands, in_order, threads

__all__ = ["Shard", "cut_shards", "place_in", "write_shards"]

_SHARD_BYTES = 256 << 20  # of pixels; encoded they take a part of it
_GROUP_BYTES = 8 << 20  # of pixels that a thread encodes at a time
_LONGEST_GROUP = 256

# Takes rows and their files, in order.
Sink = Callable[[Rows, list[bytes]], None]


@dataclass(frozen=True)
class Shard:
    """One file of a data set: its path below the output folder and the outputs in it."""

    path: str
    rows: Rows | range


def cut_shards(
    outputs: Outputs, order: Rows | range, pattern: Callable[[str, int, int], str]
) -> list[Shard]:
    """Cut each split into shards of about equal size.

    Parameters
    ----------
    outputs : Outputs
    order : (M,) int, or range(M)
        The outputs in the order in which shards take them, a split after the other.
    pattern : callable
        (split, number, count) to a shard's path.
    """
    most = max(1, _SHARD_BYTES // typical_bytes(outputs))
    shards = []
    for split, (start, end) in zip(outputs.data.parts, pairwise(outputs.bounds), strict=True):
        count = -(-(end - start) // most)
        # As even as can be: the first ones take one more.
        size, more = divmod(end - start, count or 1)
        cuts = [start + i * size + min(i, more) for i in range(count + 1)]
        shards += [
            Shard(pattern(split, i, count), order[low:high])
            for i, (low, high) in enumerate(pairwise(cuts))
        ]
    return shards


def place_in(
    shards: list[Shard], word: Callable[[str, int], str], places: Rows | None = None
) -> Namer:
    """Return the function from outputs to ``PATH#WORD``; the word is of a path and position.

    `places` tells where each output stands in the order of the shards, if that is another.
    """
    starts = np.cumsum([0, *(len(one.rows) for one in shards)])

    def namer(rows: Rows) -> list[str]:
        place = rows if places is None else places[rows]
        number = np.searchsorted(starts, place, side="right") - 1
        pairs = zip(number.tolist(), (place - starts[number]).tolist(), strict=True)
        named = ((shards[number].path, position) for number, position in pairs)
        return [f"{path}#{word(path, position)}" for path, position in named]

    return namer


def write_shards(
    outputs: Outputs,
    shards: list[Shard],
    out: Path,
    hands: Hands,
    progress: Callable[[int], None],
    sink: Callable[[Path], AbstractContextManager[Sink]],
) -> None:
    """Write every shard that is not there yet, each whole or not at all.

    Here one after another, by all threads; afar each by one process.
    """
    missing = [shard for shard in shards if not (out / shard.path).exists()]
    progress(sum(len(shard.rows) for shard in shards) - sum(len(one.rows) for one in missing))
    if not hands.afar:
        for shard in missing:
            for count in _write_shard(outputs, shard, out, threads(outputs, hands.jobs), sink):
                progress(count)
        return
    place = out.resolve()

    def work(shard: Shard) -> int:
        return sum(_write_shard(outputs, shard, place, 1, sink))

    for count in hands.spread(work, missing, outputs):
        progress(count)


def _write_shard(
    outputs: Outputs,
    shard: Shard,
    out: Path,
    jobs: int,
    sink: Callable[[Path], AbstractContextManager[Sink]],
) -> Iterator[int]:
    """Write a shard; give how many images were done, time and again."""
    size = max(1, min(_GROUP_BYTES // typical_bytes(outputs), _LONGEST_GROUP))

    def work(rows: Rows) -> tuple[Rows, list[bytes]]:
        files = dict(encode(outputs, rows))
        return rows, [files[row] for row in rows.tolist()]

    with atomic(out / shard.path) as part, sink(part) as put:
        for rows, files in in_order(work, slices(np.asarray(shard.rows), size), jobs):
            put(rows, files)
            yield len(rows)
