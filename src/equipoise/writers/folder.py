"""An image folder: ``[split/]class/image``, originals as the files they are, copies encoded."""

import os
from collections.abc import Callable, Iterator
from os import link, replace
from pathlib import Path

import numpy as np

from equipoise.images import ImageSet
from equipoise.writers.encoding import encode
from equipoise.writers.manifest import Namer
from equipoise.writers.naming import class_folders, copy_name, looks_like_split, stems, suffix
from equipoise.writers.outputs import Outputs, Rows, blocks, slices, typical_bytes
from equipoise.writers.working import Hands

__all__ = ["PARTS", "namer", "write"]

# Outputs and bytes of pixels of a task: enough to make a thread's turn worth while, and so little
# that all threads end together.
_TASK, _TASK_BYTES = 128, 4 << 20
_AFAR = 8  # times as much for a process elsewhere
_SORTED = 1 << 18  # outputs put in the order of their sources at a time
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
PARTS = ".parts"  # what is being written; a finished file moves from here to its place


def namer(outputs: Outputs) -> Namer:
    """Return the function from outputs to their paths below the folder."""
    folders = class_folders(outputs.data.classes)
    deep = outputs.splits or any(map(looks_like_split, folders))
    tops = [f"{split}/" if deep else "" for split in outputs.data.parts]
    heads = [
        [
            f"{top}{folders[label]}/{stem}"
            for label, stem in zip(part.labels, stems(part), strict=True)
        ]
        for top, part in zip(tops, outputs.parts, strict=True)
    ]
    endings = [_endings(part) for part in outputs.parts]
    words = [*(technique.name for technique in outputs.techniques), "duplicate"]

    def path(split: int, source: int, technique: int, copy: int) -> str:
        name = heads[split][source]
        if copy >= 0:
            name = copy_name(name, words[technique], copy)
        return name + (outputs.coding.ending if technique >= 0 else endings[split][source])

    def paths(rows: Rows) -> list[str]:
        columns = (outputs.split, outputs.source, outputs.technique, outputs.copy)
        return list(map(path, *(column[rows].tolist() for column in columns)))

    return paths


def _endings(part: ImageSet) -> list[str]:
    """How the files of the originals end, as they are written."""
    if hasattr(part.images, "encoded"):
        return [suffix(name) for name in part.names.tolist()]
    return [".png"] * len(part)


def write(
    outputs: Outputs, namer: Namer, out: Path, hands: Hands, progress: Callable[[int], None]
) -> None:
    """Write every image that is not there yet.

    Reading, augmenting and writing overlap over the hands; what each holds is bounded.
    """
    fresh = not any(path.is_dir() for path in out.iterdir())
    (out / PARTS).mkdir()
    place = str(out.resolve())

    def work(rows: Rows) -> int:
        return _write_some(outputs, namer, place, rows, fresh)

    size = max(1, min(_TASK, _TASK_BYTES // typical_bytes(outputs)))
    tasks = _tasks(outputs, size * _AFAR if hands.afar else size)
    for count in hands.spread(work, tasks, outputs):
        progress(count)
    (out / PARTS).rmdir()


def _tasks(outputs: Outputs, size: int) -> Iterator[Rows]:
    """Cut the outputs into tasks, source by source: a picture is decoded once for its copies."""
    for rows in blocks(outputs, _SORTED):
        order = np.lexsort((outputs.source[rows], outputs.split[rows]))
        yield from slices(rows[order], size)


def _write_some(outputs: Outputs, namer: Namer, out: str, rows: Rows, fresh: bool) -> int:
    """Write the images at `rows` that are not there; return how many rows that settles."""
    paths = dict(zip(rows.tolist(), namer(rows), strict=True))
    if not fresh:
        paths = {row: path for row, path in paths.items() if not _is_there(f"{out}/{path}")}
    for folder in {path.rpartition("/")[0] for path in paths.values()}:
        Path(out, folder).mkdir(parents=True, exist_ok=True)
    linked = _link_some(outputs, out, paths) if outputs.coding.link else set()
    for row, data in encode(outputs, np.array([r for r in paths if r not in linked], np.intp)):
        _put(f"{out}/{PARTS}/{row}", f"{out}/{paths[row]}", data)
    return len(rows)


def _is_there(path: str) -> bool:
    """Whether a file is there, and not empty as a disk that failed may leave it."""
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116
    except OSError:
        return False


def _link_some(outputs: Outputs, out: str, paths: dict[int, str]) -> set[int]:
    """Link what is a file already, and return the rows of it; the rest is left to be copied."""
    linked = set()
    for row, path in paths.items():
        images = outputs.parts[outputs.split[row]].images
        file = images.path(int(outputs.source[row])) if hasattr(images, "path") else None
        if file is None or outputs.technique[row] >= 0:
            continue
        try:
            link(file, f"{out}/{PARTS}/{row}", follow_symlinks=False)
        except OSError:  # another file system, one without links, or a file that is gone
            continue
        replace(f"{out}/{PARTS}/{row}", f"{out}/{path}")  # noqa: PTH105
        linked.add(row)
    return linked


def _put(part: str, path: str, data: bytes) -> None:
    # Plain strings and calls: of small images a buffered file costs more than the encoding.
    file = os.open(part, _NEW, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)
    replace(part, path)  # noqa: PTH105
