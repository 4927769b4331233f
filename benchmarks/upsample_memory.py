"""The process's own memory while `upsample` writes few copies and many.

    python benchmarks/upsample_memory.py [--counts 10000 300000] [--sources 2000] [--markdown FILE]

The sources are patches of two photographs, 16×16 pixels, one in twenty of the rare class, to which
so many copies (crop, flip, noise) are added, written as Parquet. Each run is a process of its own.
RssAnon of /proc/self/status, the memory that no file backs, is sampled all the while; its peak is
shown, and the processor's time.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_image

from equipoise.files import write_text

RUN = """
import sys
from threading import Event, Thread
from time import perf_counter, process_time
import numpy as np
import equipoise as eq

def own():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

peak, over = [0.0], Event()

def watch():
    while not over.wait(0.02):
        peak[0] = max(peak[0], own())

images = np.load(sys.argv[1])
labels = np.arange(len(images)) % 20 // 19
data = eq.load((images, labels), cut=False)
eq.upsample(data, None, dry_run=True)  # imports and compiles what the work needs
start, busy, before = perf_counter(), process_time(), own()
watcher = Thread(target=watch)
watcher.start()
copies = int(sys.argv[3])
more = {"1": int(labels.sum()) + copies}
found = eq.upsample(data, sys.argv[2], strategy=more, format=sys.argv[4])
over.set()
watcher.join()
assert found.copies == copies
print(before, peak[0], process_time() - busy, perf_counter() - start)
"""


def write_set(path: Path, count: int) -> None:
    """Write patches of two photographs."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    random = np.random.default_rng(0)
    images = np.empty((count, 16, 16, 3), np.uint8)
    for image in images:
        photo = photos[random.integers(2)]
        top, left = (random.integers(side - 15) for side in photo.shape[:2])
        image[:] = photo[top : top + 16, left : left + 16]
    np.save(path, images)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 300_000])
    parser.add_argument("--sources", type=int, default=2000)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = [
        "| copies | own memory before, MiB | peak, MiB | more, MiB | processor, s | s |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npy"
        write_set(path, options.sources)
        for count in options.counts:
            out = Path(folder) / str(count)
            command = [sys.executable, "-c", RUN, str(path), str(out), str(count), options.format]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            before, peak, busy, seconds = map(float, run.stdout.split())
            lines.append(
                f"| {count:,} | {before:.0f} | {peak:.0f} | {peak - before:.0f} | {busy:.0f} "
                f"| {seconds:.0f} |"
            )
            print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(f"\n{text}")
    if options.markdown:
        write_text(options.markdown, text + "\n")


if __name__ == "__main__":
    main()
