"""Writing a balanced folder: equipoise against plain scripts and against the codecs alone.

Three sets: CIFAR-10's 4,800 cats and 1,200 dogs (32×32); 2,000 of TrashNet's 2,527 photographs in
six classes, as the archive has them (213×160); and the same enlarged to 500×375, as JPEG of quality
90.

Every contestant reads the same folder, copies the originals, and adds the same crops, flips and
noisy copies of the same pictures as PNG of compression level 1 and zlib's strategy for runs, as
OpenCV does by default. (Of PNG's filters Pillow tries all, OpenCV takes one: that stays.) Equipoise
decodes every original, the scripts decode those that they augment; the codecs alone decode every
original and encode the very copies that equipoise made, whose pixels are in memory. They take
turns, each into a new folder: nothing is deleted in between. Medians are printed, of the time that
passes and of the processor's time, which other work on the machine changes less; and the codecs'
rate that equipoise reaches, with its range over the turns.

Run: EQUIPOISE_TEST_DATA=../shared/data python benchmarks/upsample.py [--rounds 3]
    [--sets CIFAR-10 TrashNet TrashNet-500×375]
"""

import argparse
import os
import shutil
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
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
PHOTOGRAPHS = 2000
FLIPS = {
    "flip": Image.Transpose.FLIP_LEFT_RIGHT,
    "noise": Image.Transpose.FLIP_TOP_BOTTOM,  # Pillow has no noise
}


def members(name: str) -> Iterator[tuple[str, bytes]]:
    """Paths and files of one of the archives."""
    with tarfile.open(Path(os.environ.get("EQUIPOISE_TEST_DATA", "../shared/data"), name)) as tar:
        for member in tar:
            if member.isfile():
                yield member.name, tar.extractfile(member).read()  # type: ignore[union-attr]


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def small(folder: Path) -> None:
    """CIFAR-10's cats and dogs, as a folder without splits."""
    for member, data in members("cifar10-images.tar.gz"):
        split, name, file = member.split("/")[-3:]
        if split == "train" and name in TAKE and int(Path(file).stem) < TAKE[name]:
            put(folder / name / file, data)


def photographs(folder: Path, size: tuple[int, int] | None = None) -> None:
    """Photographs of TrashNet, all classes thinned out alike; enlarged where a size is given."""
    found = sorted(members("trashnet.tar.gz"))
    for place in np.linspace(0, len(found) - 1, PHOTOGRAPHS).astype(int).tolist():
        member, data = found[place]
        if size is not None:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            large = cv2.resize(np.asarray(picture), size, interpolation=cv2.INTER_CUBIC)
            data = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        put(folder.joinpath(*member.split("/")[-2:]), data)


SETS: dict[str, Callable[[Path], None]] = {
    "CIFAR-10": small,
    "TrashNet": photographs,
    "TrashNet-500×375": partial(photographs, size=(500, 375)),
}

Copies = dict[str, np.ndarray]  # path below the folder to pixels, as equipoise made them


def equipoise(source: Path, out: Path, copies: Copies) -> None:
    eq.upsample(str(source), out, jobs=CORES)


def equipoise_linked(source: Path, out: Path, copies: Copies) -> None:
    """Originals as hard links, as `--link` makes them; the others copy them."""
    eq.upsample(str(source), out, jobs=CORES, link=True)


# What OpenCV writes by default: level 1, and zlib's strategy for runs (Z_RLE).
PNG: dict[str, Any] = {"compress_level": 1, "compress_type": 3}


def originals(
    source: Path, out: Path, copies: Copies
) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """Copy the originals; give each picture that has copies, with their techniques and places."""
    for folder in source.iterdir():
        shutil.copytree(folder, out / folder.name)
    wanted = defaultdict(list)
    for path in copies:
        stem, technique, _ = path.split("__")
        wanted[source / f"{stem}.jpg"].append((technique, path))
    yield from wanted.items()


def plain_script(source: Path, out: Path, copies: Copies) -> None:
    """What one writes with albumentations and Pillow."""
    compose = albumentations.Compose
    for path, wanted in originals(source, out, copies):
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width = image.shape[:2]
        size = (int(height * 0.625), int(width * 0.625))
        steps = {
            "crop": compose(
                [albumentations.RandomCrop(*size), albumentations.Resize(height, width)]
            ),
            "flip": compose([albumentations.HorizontalFlip(p=1)]),
            "noise": compose([albumentations.SaltAndPepper(amount=(0.25, 0.25), p=1)]),
        }
        for technique, name in wanted:
            Image.fromarray(steps[technique](image=image)["image"]).save(out / name, **PNG)


def pillow_one_thread(source: Path, out: Path, copies: Copies) -> None:
    """Augmentor's way: Pillow's own operations (it has no noise; it flips upside down)."""
    random = np.random.default_rng(0)
    for path, wanted in originals(source, out, copies):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        w, h = int(width * 0.625), int(height * 0.625)
        for technique, name in wanted:
            x, y = random.integers(0, (width - w + 1, height - h + 1)).tolist()
            if technique == "crop":
                made = image.crop((x, y, x + w, y + h))
                made = made.resize(image.size, Image.Resampling.BILINEAR)
            else:
                made = image.transpose(FLIPS[technique])
            made.save(out / name, **PNG)


def codecs_alone(source: Path, out: Path, copies: Copies) -> None:
    """Decode every picture (to know that it is one), copy it, and encode and write the copies."""
    cv2.setNumThreads(1)

    def decode(path: Path) -> None:
        data = path.read_bytes()
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        (out / path.parent.name / path.name).write_bytes(data)

    def encode(name: str) -> None:
        (out / name).write_bytes(cv2.imencode(".png", copies[name])[1].tobytes())

    for folder in source.iterdir():
        (out / folder.name).mkdir(parents=True)
    with ThreadPoolExecutor(CORES) as pool:
        for work, items in ((decode, sorted(source.rglob("*.jpg"))), (encode, list(copies))):
            for _ in pool.map(work, items):
                pass


def made(out: Path) -> Copies:
    """The pixels of the copies in a folder, by path."""
    paths = sorted(out.rglob("*.png"))
    return {f"{path.parent.name}/{path.name}": np.asarray(cv2.imread(str(path))) for path in paths}


Contestant = Callable[[Path, Path, Copies], None]
CODECS = "OpenCV decode + encode + write"
CONTESTANTS: dict[str, Contestant] = {
    "equipoise": equipoise,
    "equipoise, originals linked": equipoise_linked,
    "albumentations + Pillow, plain": plain_script,
    "Pillow, one thread": pillow_one_thread,
    CODECS: codecs_alone,
}


Figure = tuple[float, float]  # seconds that pass, and of the processor


def timed(contestant: Contestant, source: Path, out: Path, copies: Copies) -> Figure:
    start, busy = perf_counter(), process_time()
    contestant(source, out, copies)
    return perf_counter() - start, process_time() - busy


def compare(title: str, source: Path, top: Path, rounds: int) -> None:
    equipoise(source, top / f"{source.name}-made", {})
    copies = made(top / f"{source.name}-made")
    times: dict[str, list[Figure]] = {name: [] for name in CONTESTANTS}
    for turn in range(rounds + 1):
        for number, (name, contestant) in enumerate(CONTESTANTS.items()):
            found = timed(contestant, source, top / f"{source.name}-{turn}-{number}", copies)
            if turn:  # the first turn warms files and kernels
                times[name].append(found)
    files = list(source.rglob("*.jpg"))
    images = len(files) + len(copies)
    size = sum(path.stat().st_size for path in files) / len(files) / 1024
    ours, busy = (median(column) for column in zip(*times["equipoise"], strict=True))
    print(f"\n**{title}**: {len(files):,} JPEG files of {size:.1f} kB on average in,")
    print(f"{images:,} images out, {CORES} cores, medians of {rounds}\n")
    print("| | s | images/s | × equipoise's | processor, s | × equipoise's |")
    print("|---|---|---|---|---|---|")
    for name, figures in times.items():
        wall, work = (median(column) for column in zip(*figures, strict=True))
        print(
            f"| {name} | {wall:.2f} | {images / wall:,.0f} | {wall / ours:.2f} | {work:.2f} "
            f"| {work / busy:.2f} |",
            flush=True,
        )
    shares = [
        codecs[0] / own[0] for codecs, own in zip(times[CODECS], times["equipoise"], strict=True)
    ]
    print(
        f"\nOf the codecs' rate equipoise reaches {median(shares):.0%} "
        f"({min(shares):.0%} to {max(shares):.0%} over the turns)."
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        for name in options.sets:
            SETS[name](Path(folder, name))
            compare(name, Path(folder, name), Path(folder), options.rounds)
        print(f"\nload of the machine after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
