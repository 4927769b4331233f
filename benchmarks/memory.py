"""A memory-mapped set from loading to training: the process's own memory as the set grows.

    python benchmarks/memory.py [--counts 2000 8000 32000] [--side 64] [--markdown FILE]

Each set, N×side×side×3 photographs' patches as a .npy, is loaded and trained on for some steps in a
process of its own, once as a map of its file and once held in memory.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from own_memory import apart, tell, watched
from patches import fill

STEPS = 10


class EnoughError(Exception):
    """What has been seen is enough."""


def write_set(path: Path, count: int, side: int) -> int:
    """Write patches of two photographs; return the size of the pixels."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, side, side, 3))
    fill(images)
    images.flush()
    return images.nbytes


def trained(path: Path, mapped: bool, recipe: str) -> float:
    """Peak of own memory of loading and some steps, in MiB."""

    def stop(told: Any) -> None:
        if told.step == STEPS:
            raise EnoughError

    with watched() as peak:
        images = np.load(path, mmap_mode="r" if mapped else None)
        labels = np.arange(len(images)) % 4 // 3
        data = eq.load((images, labels), size=images.shape[1])
        with suppress(EnoughError):
            eq.train(data, recipe, epochs=1, progress=stop, device="cpu")
    return peak[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 8000, 32000])
    parser.add_argument("--side", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--recipe", default="balanced")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()

    def rows() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "set.npy"
            for count in options.counts:
                size = write_set(path, count, options.side) / 2**20
                mapped, held = (apart(trained, path, way, options.recipe) for way in (True, False))
                yield f"| {count:,} | {size:.0f} | {mapped:.0f} | {held:.0f} |"

    head = "| images | pixels, MiB | peak of own memory, mapped, MiB | held in memory, MiB |"
    tell(head, rows(), options.markdown)


if __name__ == "__main__":
    main()
