"""A memory-mapped set from loading to training: the process's own memory as the set grows.

    python benchmarks/memory.py [--counts 2000 8000 32000] [--markdown FILE]

Each set, N×64×64×3 photographs' patches as a .npy, is loaded and trained on for some steps in a
process of its own, once as a map of its file and once held in memory. RssAnon of
/proc/self/status, the memory that no file backs, is sampled all the while; its peak is shown.
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
import numpy as np
import equipoise as eq

class Enough(Exception):
    pass

def own():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

def stop(told):
    if told.step == 10:
        raise Enough

peak, over = [0.0], Event()

def watch():
    while not over.wait(0.02):
        peak[0] = max(peak[0], own())

watcher = Thread(target=watch)
watcher.start()
try:
    images = np.load(sys.argv[1], mmap_mode=sys.argv[2] if sys.argv[2] != "held" else None)
    data = eq.load((images, np.arange(len(images)) % 4 // 3))
    eq.train(data, sys.argv[3], epochs=1, progress=stop, device="cpu")
except Enough:
    pass
finally:
    over.set()
    watcher.join()
print(peak[0])
"""


def write_set(path: Path, count: int) -> int:
    """Write patches of two photographs, block by block; return the size of the pixels."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 64, 64, 3))
    for image in images:
        photo = photos[random.integers(2)]
        top, left = (random.integers(side - 63) for side in photo.shape[:2])
        image[:] = photo[top : top + 64, left : left + 64]
    images.flush()
    return images.nbytes


def peak(path: Path, way: str, recipe: str) -> float:
    """Peak RssAnon of a run in MiB."""
    command = [sys.executable, "-c", RUN, str(path), way, recipe]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 8000, 32000])
    parser.add_argument("--recipe", default="balanced")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = ["| images | pixels, MiB | mapped, MiB | in memory, MiB |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            path = Path(folder) / "set.npy"
            size = write_set(path, count) / 2**20
            mapped, held = (peak(path, way, options.recipe) for way in ("r", "held"))
            lines.append(f"| {count:,} | {size:.0f} | {mapped:.0f} | {held:.0f} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(f"\n{text}")
    if options.markdown:
        write_text(options.markdown, text + "\n")


if __name__ == "__main__":
    main()
