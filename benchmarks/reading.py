"""Reading many small files: equipoise against a plain loop over OpenCV, both with the listing.

    python benchmarks/reading.py ARCHIVE [--count 100000] [--rounds 5]

ARCHIVE is CIFAR-10 as an archive of class folders. Its 60,000 JPEG files, and as many of them
mirrored and encoded anew as are still needed, are written to a folder of class folders.

Contestants take turns on as many threads as there are cores, one chunk of paths a thread at a time:
the loop lists the folder, sorts and calls `cv2.imread`; `load` without cutting splits, which also
tells what each file is, its digest and what is wrong with it; and `load` as it is, which cuts the
splits and puts all pixels into one array. Files are in the system's cache. Medians, of the time
that passes and of the processor's time.
"""

import argparse
import os
import tarfile
import tempfile
from collections.abc import Callable
from glob import glob
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np

import equipoise as eq

CORES = len(os.sched_getaffinity(0))


def unpack(archive: Path, top: Path, count: int) -> None:
    """So many files in class folders: those of the archive, then mirrored ones."""
    mirrored = max(0, count - 60_000)
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.isfile() or count <= 0:
                continue
            split, name, file = member.name.split("/")[-3:]
            folder = top / name
            folder.mkdir(parents=True, exist_ok=True)
            data = tar.extractfile(member).read()  # type: ignore[union-attr]
            (folder / f"{split}-{file}").write_bytes(data)
            count -= 1
            if mirrored > 0:
                picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
                way = [cv2.IMWRITE_JPEG_QUALITY, 75]
                cv2.imwrite(str(folder / f"{split}-mirrored-{file}"), picture[:, ::-1], way)
                count, mirrored = count - 1, mirrored - 1


def opencv_loop(folder: str) -> object:
    paths = sorted(glob(f"{folder}/*/*.jpg"))  # noqa: PTH207  # strings, as imread takes them
    with ThreadPool(CORES) as pool:
        return pool.map(cv2.imread, paths)


def load_whole(folder: str) -> object:
    return eq.load(folder, cut=False)


def load_cut(folder: str) -> object:
    return eq.load(folder)


CONTESTANTS: dict[str, Callable[[str], object]] = {
    "OpenCV loop": opencv_loop,
    "eq.load(folder, cut=False)": load_whole,
    "eq.load(folder)": load_cut,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        unpack(options.archive, Path(folder), options.count)
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}\n")
        for turn in range(options.rounds + 1):
            for name, contestant in CONTESTANTS.items():
                start, busy = perf_counter(), process_time()
                found = contestant(folder)
                figure = perf_counter() - start, process_time() - busy
                del found
                if turn:  # the first turn warms files and kernels
                    times[name].append(figure)
    print(f"{options.count:,} files, {CORES} threads, medians of {options.rounds}\n")
    print("| | s | files/s | × the loop's | processor, s | × the loop's |")
    print("|---|---|---|---|---|---|")
    plain, busy = (median(column) for column in zip(*times["OpenCV loop"], strict=True))
    for name, figures in times.items():
        wall, work = (median(column) for column in zip(*figures, strict=True))
        print(
            f"| {name} | {wall:.2f} | {options.count / wall:,.0f} | {wall / plain:.2f} "
            f"| {work:.2f} | {work / busy:.2f} |"
        )
    print(f"\nload of the machine after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
