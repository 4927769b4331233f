"""Time and memory of an audit with near duplicates as the set grows.

    python benchmarks/near.py ARCHIVE [--counts 100000 300000] [--markdown FILE]

ARCHIVE is a .tar.gz of CIFAR-10's pictures, of which the first 10,000 are taken. An image of the
set is the mean of two of them, drawn by lot, the second one mirrored, so that there are enough
different ones; one in a thousand is an earlier image of the set made darker and flatter. The set is
a .npy, mapped into memory. Each size is audited by a process of its own on one core. RssAnon of
/proc/self/status, the memory that no file backs, is sampled all the while.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np

from equipoise.files import write_text

PICTURES = 10_000
PLANTED = 1000  # one image in so many is nearly another one
BLOCK = 10_000

RUN = """
import os, sys
from threading import Event, Thread
from time import perf_counter, process_time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
import equipoise as eq

def own():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

peak, over = [0.0], Event()

def watch():
    while not over.wait(0.02):
        peak[0] = max(peak[0], own())

images = np.load(sys.argv[1], mmap_mode="r")
labels = np.arange(len(images)) % 2
watcher = Thread(target=watch)
watcher.start()
start, busy = perf_counter(), process_time()
data = eq.load((images, labels), cut=False)
loaded = process_time() - busy
found = eq.audit(data, near=True)
busy, start = process_time() - busy, perf_counter() - start
over.set()
watcher.join()
near = {name for one in found.near_duplicates for name in one.images}
planted = np.arange(999, len(images), 1000)
names = data.train.names[planted].tolist()
print(loaded, busy, start, peak[0], len(near), sum(name in near for name in names), len(planted))
"""


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 300_000])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = [
        "| images | loading, processor s | in all, processor s | s | peak of own memory, MiB "
        "| images in near duplicates | planted ones found |",
        "|---|---|---|---|---|---|---|",
    ]
    source = pictures(options.archive)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npy"
        for count in options.counts:
            write_set(path, source, count)
            command = [sys.executable, "-c", RUN, str(path)]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            loaded, busy, seconds, peak, near, found, planted = map(float, run.stdout.split())
            lines.append(
                f"| {count:,} | {loaded:.0f} | {busy:.0f} | {seconds:.0f} | {peak:.0f} "
                f"| {near:,.0f} | {found:,.0f} of {planted:,.0f} |"
            )
            print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(f"\n{text}")
    if options.markdown:
        write_text(options.markdown, text + "\n")


if __name__ == "__main__":
    main()
