"""Writing a balanced folder: equipoise against plain scripts and against the codecs alone.

Two sets: the archive's 4,800 cats and 1,200 dogs (32×32), and 500×375 JPEG files whose entropy is
about that of photographs: each is one picture of the archive enlarged, a second one enlarged half
as much laid over it, and a mosaic of 192 pictures at their own size laid over both.

Every contestant reads the same folder, copies the originals, and adds the same number of crops,
flips and noisy copies as PNG of compression level 1 and zlib's strategy for runs, as OpenCV
does by default. (Of PNG's filters Pillow tries all, OpenCV takes one: that stays.) Equipoise
decodes every original, the scripts decode those that they augment; the codecs alone decode every
original and encode the very copies that equipoise made, whose pixels are in memory. They take
turns, each into a new folder: nothing is deleted in between. Medians are printed, of the time that
passes and of the processor's time, which other work on the machine changes less.

Run: EQUIPOISE_TEST_DATA=../shared/data python benchmarks/upsample.py [--rounds 5] [--photos 200]
    [--sets 32×32 500×375]
"""

import argparse
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import albumentations
import cv2
import numpy as np
from PIL import Image

import equipoise as eq

CORES = len(os.sched_getaffinity(0))
TAKE = {"cat": 4800, "dog": 1200}


def unpack(folder: Path) -> None:
    """The archive's cats and dogs as a folder without splits."""
    archive = Path(os.environ.get("EQUIPOISE_TEST_DATA", "../shared/data"), "cifar10-images.tar.gz")
    with tarfile.open(archive) as tar:
        for member in tar:
            split, name, file = member.name.split("/")[-3:] if member.isfile() else ("", "", "")
            if split == "train" and name in TAKE and int(Path(file).stem) < TAKE[name]:
                path = folder / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]


def enlarge(small: Path, folder: Path, majority: int) -> None:
    """Photographs made of the archive's pictures, as the module's text says."""
    random = np.random.default_rng(0)
    pictures = [cv2.imread(str(path)) for path in sorted(small.rglob("*.jpg"))[:2000]]

    def one() -> np.ndarray:
        first, second = (pictures[i] for i in random.integers(0, len(pictures), 2))
        rows = [np.hstack([pictures[i] for i in random.integers(0, 2000, 16)]) for _ in range(12)]
        mosaic = np.vstack(rows)[:375, :500]
        tiles = np.tile(cv2.resize(second, (250, 188)), (2, 2, 1))[:375]
        large = cv2.resize(first, (500, 375), interpolation=cv2.INTER_CUBIC)
        both = cv2.addWeighted(large, 0.55, tiles, 0.25, 0)
        return cv2.addWeighted(both, 1, mosaic, 0.2, 0)

    for name, count in {"cat": majority, "dog": majority // 4}.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            path = folder / name / f"{number:04d}.jpg"
            cv2.imwrite(str(path), one(), [cv2.IMWRITE_JPEG_QUALITY, 90])


def equipoise(source: Path, out: Path) -> None:
    eq.upsample(str(source), out, jobs=CORES)


def equipoise_linked(source: Path, out: Path) -> None:
    """Originals as hard links, as `--link` makes them; the others copy them."""
    eq.upsample(str(source), out, jobs=CORES, link=True)


# What OpenCV writes by default: level 1, and zlib's strategy for runs (Z_RLE).
PNG: dict[str, Any] = {"compress_level": 1, "compress_type": 3}


def originals(source: Path, out: Path) -> None:
    for name in TAKE:
        shutil.copytree(source / name, out / name)


def plain_script(source: Path, out: Path) -> None:
    """What one writes with albumentations and Pillow."""
    compose = albumentations.Compose
    originals(source, out)
    for path in sorted((source / "dog").iterdir()):
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width = image.shape[:2]
        size = (int(height * 0.625), int(width * 0.625))
        for name, step in {
            "crop": compose(
                [albumentations.RandomCrop(*size), albumentations.Resize(height, width)]
            ),
            "flip": compose([albumentations.HorizontalFlip(p=1)]),
            "noise": compose([albumentations.SaltAndPepper(amount=(0.25, 0.25), p=1)]),
        }.items():
            made = Image.fromarray(step(image=image)["image"])
            made.save(out / "dog" / f"{path.stem}_{name}.png", **PNG)


def pillow_one_thread(source: Path, out: Path) -> None:
    """Augmentor's way: Pillow's own operations (it has no noise; it flips again)."""
    originals(source, out)
    random = np.random.default_rng(0)
    for path in sorted((source / "dog").iterdir()):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        w, h = int(width * 0.625), int(height * 0.625)
        x, y = random.integers(0, (width - w + 1, height - h + 1)).tolist()
        for name, made in {
            "crop": image.crop((x, y, x + w, y + h)).resize(image.size, Image.Resampling.BILINEAR),
            "flip": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            "upside": image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        }.items():
            made.save(out / "dog" / f"{path.stem}_{name}.png", **PNG)


def codecs_alone(source: Path, out: Path, copies: dict[str, np.ndarray]) -> None:
    """Decode every picture (to know that it is one), copy it, and encode and write the copies."""
    cv2.setNumThreads(1)

    def decode(path: Path) -> None:
        data = path.read_bytes()
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        (out / path.parent.name / path.name).write_bytes(data)

    def encode(name: str) -> None:
        (out / name).write_bytes(cv2.imencode(".png", copies[name])[1].tobytes())

    for name in TAKE:
        (out / name).mkdir(parents=True)
    with ThreadPoolExecutor(CORES) as pool:
        for work, items in ((decode, sorted(source.rglob("*.jpg"))), (encode, list(copies))):
            for _ in pool.map(work, items):
                pass


def made(out: Path) -> dict[str, np.ndarray]:
    """The pixels of the copies in a folder, by path."""
    paths = sorted(out.rglob("*.png"))
    return {f"{path.parent.name}/{path.name}": np.asarray(cv2.imread(str(path))) for path in paths}


CONTESTANTS: dict[str, Callable[[Path, Path], None]] = {
    "equipoise": equipoise,
    "equipoise, originals linked": equipoise_linked,
    "albumentations + Pillow, plain": plain_script,
    "Pillow, one thread": pillow_one_thread,
}


Figure = tuple[float, float]  # seconds that pass, and of the processor


def timed(contestant: Callable[[Path, Path], None], source: Path, out: Path) -> Figure:
    start, busy = perf_counter(), process_time()
    contestant(source, out)
    return perf_counter() - start, process_time() - busy


def compare(title: str, source: Path, top: Path, rounds: int) -> None:
    equipoise(source, top / f"{source.name}-made")
    alone = partial(codecs_alone, copies=made(top / f"{source.name}-made"))
    contestants: dict[str, Callable[[Path, Path], None]]
    contestants = {**CONTESTANTS, "OpenCV decode + encode + write": alone}
    times: dict[str, list[Figure]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for number, (name, contestant) in enumerate(contestants.items()):
            found = timed(contestant, source, top / f"{source.name}-{turn}-{number}")
            if turn:  # the first turn warms files and kernels
                times[name].append(found)
    outs = list(top.glob(f"{source.name}-0-*"))
    images = sum(1 for path in outs[0].rglob("*") if path.suffix in (".png", ".jpg"))
    ours, busy = (median(column) for column in zip(*times["equipoise"], strict=True))
    print(f"\n{title}: {images:,} images out, {CORES} cores, medians of {rounds}\n")
    print("| | s | images/s | × equipoise's | processor, s | × equipoise's |")
    print("|---|---|---|---|---|---|")
    for name, figures in times.items():
        wall, work = (median(column) for column in zip(*figures, strict=True))
        print(
            f"| {name} | {wall:.2f} | {images / wall:,.0f} | {wall / ours:.2f} | {work:.2f} "
            f"| {work / busy:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=200, help="large pictures of the majority")
    parser.add_argument("--sets", nargs="+", default=["32×32", "500×375"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        unpack(top / "small")
        enlarge(top / "small", top / "large", options.photos)
        size = np.mean([path.stat().st_size for path in (top / "large").rglob("*.jpg")])
        print(f"large JPEG files: {size / 1024:.0f} kB on average")
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        for title, name in (("32×32", "small"), ("500×375", "large")):
            if title in options.sets:
                compare(title, top / name, top, options.rounds)
        print(f"\nload of the machine after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
