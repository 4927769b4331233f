"""Time and memory of an audit with near duplicates as the set grows.

    python benchmarks/near.py ARCHIVE [--counts 100000 300000 1000000] [--markdown FILE]

ARCHIVE is a .tar.gz of CIFAR-10's pictures, of which the first 10,000 are taken. An image of the
set is the mean of two of them, drawn by lot, the second one mirrored, so that there are enough
different ones; one in a thousand is an earlier image of the set made darker and flatter. The set is
a .npy, mapped into memory; a million are 3 GB. Each size is audited by a process of its own, all of
them on one core.
"""

import argparse
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import cv2
import numpy as np

import equipoise as eq
from own_memory import apart, tell, watched

PICTURES = 10_000
PLANTED = 1000  # one image in so many is nearly another one
BLOCK = 10_000


def pictures(archive: Path) -> np.ndarray:
    """The archive's first pictures."""
    found = []
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith((".jpg", ".png")):
                data = tar.extractfile(member).read()  # type: ignore[union-attr]
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                if image is not None and image.shape == (32, 32, 3):
                    found.append(image)
            if len(found) == PICTURES:
                break
    return np.stack(found)


def write_set(path: Path, source: np.ndarray, count: int) -> None:
    """Write the set block by block."""
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 32, 32, 3))
    for start in range(0, count, BLOCK):
        block = images[start : start + BLOCK]
        one, other = (source[random.integers(0, len(source), len(block))] for _ in range(2))
        block[:] = (one.astype(np.uint16) + other[:, :, ::-1]) // 2
        block[PLANTED - 1 :: PLANTED] = block[::PLANTED][: len(block) // PLANTED] // 4 * 3 + 20
    images.flush()


def audited(path: Path) -> str:
    """Load and audit a set; a row of the table."""
    images = np.load(path, mmap_mode="r")
    start, busy = perf_counter(), process_time()
    with watched() as peak:
        data = eq.load((images, np.arange(len(images)) % 2), cut=False)
        loaded = process_time() - busy
        found = eq.audit(data, near=True)
    busy, seconds = process_time() - busy, perf_counter() - start
    near = {name for one in found.near_duplicates or () for name in one.images}
    planted = data.train.names[PLANTED - 1 :: PLANTED].tolist()
    return (
        f"| {len(images):,} | {loaded:.0f} | {busy:.0f} | {seconds:.0f} | {peak[0]:.0f} "
        f"| {len(near):,} | {sum(name in near for name in planted):,} of {len(planted):,} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    source = pictures(options.archive)

    def rows() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            for count in options.counts:
                write_set(Path(folder) / "set.npy", source, count)
                yield apart(audited, Path(folder) / "set.npy")

    head = (
        "| images | loading, processor s | in all, processor s | s | peak of own memory, MiB "
        "| images in near duplicates | planted ones found |"
    )
    tell(head, rows(), options.markdown)


if __name__ == "__main__":
    main()
