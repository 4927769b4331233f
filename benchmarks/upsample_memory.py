"""The process's own memory while `upsample` writes few copies and many.

    python benchmarks/upsample_memory.py [--counts 10000 1000000] [--sources 2000]
        [--format parquet] [--markdown FILE]

The sources are patches of two photographs, 16×16 pixels, one in twenty of the rare class, to which
so many copies (crop, flip, noise) are added. Each run is a process of its own, which has imported
and compiled all that the work needs before its memory is looked at.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

import equipoise as eq
from own_memory import apart, own, tell, watched
from patches import fill


def write_set(path: Path, count: int) -> None:
    """Write patches of two photographs."""
    images = np.empty((count, 16, 16, 3), np.uint8)
    fill(images)
    np.save(path, images)


def upsampled(path: Path, out: Path, copies: int, format: str) -> str:
    """Add so many copies; a row of the table."""
    images = np.load(path)
    labels = np.arange(len(images)) % 20 // 19
    data = eq.load((images, labels), cut=False)
    eq.upsample(data, out / "few", format=format)
    before, start, busy = own(), perf_counter(), process_time()
    with watched() as peak:
        more = {"1": int(labels.sum()) + copies}
        found = eq.upsample(data, out / "many", strategy=more, format=format)
    busy, seconds = process_time() - busy, perf_counter() - start
    assert found.copies == copies
    return (
        f"| {copies:,} | {before:.0f} | {peak[0]:.0f} | {peak[0] - before:.0f} | {busy:.0f} "
        f"| {seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--sources", type=int, default=2000)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()

    def rows() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "set.npy"
            write_set(path, options.sources)
            for count in options.counts:
                yield apart(upsampled, path, Path(folder) / str(count), count, options.format)

    head = "| copies | own memory before, MiB | peak, MiB | more, MiB | processor, s | s |"
    tell(head, rows(), options.markdown)


if __name__ == "__main__":
    main()
