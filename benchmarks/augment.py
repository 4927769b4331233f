"""The engine against its peers: microseconds an image, one technique at a time.

Contestants alternate within one run, on the same images, with the same number of threads:
equipoise; albumentations 2.0.8 (`Compose` of one, image by image); kornia 0.9.0 (batches of 256
floats, made before the clock starts); a bare loop of OpenCV calls; and the copy of the batch as the
floor. equipoise, the loop and the copy write into an array that is there already. Medians.

    python benchmarks/augment.py ARCHIVE --out docs/results

ARCHIVE is CIFAR-10 as an archive of class folders. Its images are enlarged for 64×64 and 224×224.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import equipoise as eq
from equipoise.files import atomic, write_text

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
warnings.filterwarnings("ignore")

Images = NDArray[np.uint8]
Call = Callable[[Images], object]

# Images in a measurement, and rounds: few enough for the slow ones, many enough for the fast ones.
COUNTS = {32: 4096, 64: 1024, 224: 256}
ROUNDS = {32: 7, 64: 7, 224: 5}
CHAINED = 48 << 20  # bytes of images in a chain: more than caches hold
CHAINS: tuple[tuple[str, ...], ...] = (
    ("flip", "brightness", "posterize", "erase"),
    ("flip", "brightness", "blur", "noise"),
    ("crop", "flip", "contrast", "noise"),
)
MARK = "<!-- below: written by hand -->"
CONTESTANTS = ("equipoise", "albumentations", "kornia", "OpenCV loop", "copy")

# What the targets are, at 32×32 on one thread: technique to (× albumentations, × OpenCV's loop).
POINTWISE = (
    *("brightness", "contrast", "saturation", "hue", "gamma", "grayscale", "posterize"),
    *("solarize", "autocontrast", "gaussian_noise", "erase"),
)
WARPS = ("crop", "rotate", "translate", "shear", "zoom", "rotate90")
AT_32 = {
    **dict.fromkeys(POINTWISE, 20.0),
    **dict.fromkeys(WARPS, 7.0),
    "noise": 50.0,
    "blur": 50.0,
    "flip": 10.0,
    "jpeg": 1.0,
}


@dataclass(frozen=True)
class Row:
    """Microseconds an image of each contestant that has the technique."""

    technique: str
    size: int
    threads: int
    times: dict[str, float]

    def against(self, peer: str) -> float:
        return self.times[peer] / self.times["equipoise"] if peer in self.times else float("nan")


def albumentations(size: int) -> dict[str, Any]:
    import albumentations as A

    border = cv2.BORDER_REFLECT_101
    return {
        "crop": A.RandomResizedCrop((size, size), scale=(0.39, 0.39), ratio=(1, 1), p=1),
        "flip": A.HorizontalFlip(p=1),
        "vertical_flip": A.VerticalFlip(p=1),
        "rotate": A.Rotate(15, border_mode=border, p=1),
        "translate": A.Affine(translate_percent=(-0.1, 0.1), border_mode=border, p=1),
        "shear": A.Affine(shear=(-10, 10), border_mode=border, p=1),
        "zoom": A.Affine(scale=(0.8, 1.2), border_mode=border, p=1),
        "rotate90": A.RandomRotate90(p=1),
        "brightness": A.RandomBrightnessContrast((-0.2, 0.2), (0, 0), p=1),
        "contrast": A.RandomBrightnessContrast((0, 0), (-0.3, 0.3), p=1),
        "saturation": A.ColorJitter((1, 1), (1, 1), (0.5, 1.5), (0, 0), p=1),
        "hue": A.HueSaturationValue(20, 0, 0, p=1),
        "gamma": A.RandomGamma(p=1),
        "grayscale": A.ToGray(p=1),
        "posterize": A.Posterize(4, p=1),
        "solarize": A.Solarize(p=1),
        "autocontrast": A.AutoContrast(p=1),
        "noise": A.SaltAndPepper((0.25, 0.25), (0.6, 0.6), p=1),
        "gaussian_noise": A.GaussNoise((0.05, 0.05), p=1),
        "blur": A.GaussianBlur((5, 5), (1.1, 1.1), p=1),
        "motion_blur": A.MotionBlur((7, 7), p=1),
        "sharpen": A.Sharpen(p=1),
        "jpeg": A.ImageCompression(quality_range=(50, 50), p=1),
        "downscale": A.Downscale((0.5, 0.5), p=1),
        "erase": A.CoarseDropout((1, 1), (0.4, 0.4), (0.4, 0.4), fill=128, p=1),
    }


def kornia(size: int) -> dict[str, Any]:
    import kornia.augmentation as K

    return {
        "crop": K.RandomResizedCrop((size, size), scale=(0.39, 0.39), ratio=(1.0, 1.0), p=1),
        "flip": K.RandomHorizontalFlip(p=1),
        "vertical_flip": K.RandomVerticalFlip(p=1),
        "rotate": K.RandomRotation(15.0, p=1),
        "translate": K.RandomAffine(0.0, translate=(0.1, 0.1), p=1),
        "shear": K.RandomAffine(0.0, shear=10.0, p=1),
        "zoom": K.RandomAffine(0.0, scale=(0.8, 1.2), p=1),
        "rotate90": K.RandomRotation90((1, 3), p=1),
        "brightness": K.RandomBrightness((0.8, 1.2), p=1),
        "contrast": K.RandomContrast((0.7, 1.3), p=1),
        "saturation": K.RandomSaturation((0.5, 1.5), p=1),
        "hue": K.RandomHue((-0.05, 0.05), p=1),
        "gamma": K.RandomGamma((0.7, 1.4), p=1),
        "grayscale": K.RandomGrayscale(p=1),
        "posterize": K.RandomPosterize(4, p=1),
        "solarize": K.RandomSolarize(p=1),
        "autocontrast": K.RandomAutoContrast(p=1),
        "noise": K.RandomSaltAndPepperNoise((0.25, 0.25), (0.6, 0.6), p=1),
        "gaussian_noise": K.RandomGaussianNoise(0.0, 0.05, p=1),
        "blur": K.RandomGaussianBlur((5, 5), (1.1, 1.1), p=1),
        "motion_blur": K.RandomMotionBlur(7, 180.0, 0.0, p=1),
        "sharpen": K.RandomSharpness(0.5, p=1),
        "jpeg": K.RandomJPEG((50.0, 50.0), p=1),
        "erase": K.RandomErasing((0.16, 0.16), (1.0, 1.0), value=0.5, p=1),
    }


def opencv(size: int) -> dict[str, Callable[[Any, Any], object]]:
    """One call or two an image, parameters fixed: what a loop without any framework costs."""
    window, middle, shape = round(0.625 * size), (size / 2, size / 2), (size, size)
    table = np.arange(255, -1, -1, dtype=np.uint8)
    line = np.eye(7, dtype=np.float32) / 7
    sharp = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)
    low = (size // 2, size // 2)

    def warp(*rows: list[float]) -> Callable[[Any, Any], object]:
        matrix, border = np.array(rows), cv2.BORDER_REFLECT_101
        return lambda x, o: cv2.warpAffine(x, matrix, shape, o, borderMode=border)

    def look_up(x: Any, o: Any) -> object:
        return cv2.LUT(x, table, o)

    def jpeg(x: Any, o: Any) -> object:
        blue_first = cv2.cvtColor(x, cv2.COLOR_RGB2BGR)
        code = cv2.imencode(".jpg", blue_first, (cv2.IMWRITE_JPEG_QUALITY, 50))[1]
        read: Any = cv2.imdecode(code, cv2.IMREAD_COLOR)
        return cv2.cvtColor(read, cv2.COLOR_BGR2RGB, o)

    return {
        "crop": lambda x, o: cv2.resize(x[2 : 2 + window, 3 : 3 + window], shape, o),
        "flip": lambda x, o: cv2.flip(x, 1, o),
        "vertical_flip": lambda x, o: cv2.flip(x, 0, o),
        "rotate": warp(*cv2.getRotationMatrix2D(middle, 10, 1).tolist()),
        "translate": warp([1, 0, 2.3], [0, 1, 1.7]),
        "shear": warp([1, 0.1, 0], [0.05, 1, 0]),
        "zoom": warp(*cv2.getRotationMatrix2D(middle, 0, 1.1).tolist()),
        "rotate90": lambda x, o: cv2.rotate(x, cv2.ROTATE_90_CLOCKWISE, o),
        "brightness": lambda x, o: cv2.convertScaleAbs(x, o, 1, 20),
        "contrast": lambda x, o: cv2.convertScaleAbs(x, o, 1.2, -0.2 * sum(cv2.mean(x)) / 3),
        "gamma": look_up,
        "posterize": look_up,
        "solarize": look_up,
        "grayscale": lambda x, o: cv2.cvtColor(
            cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB, o
        ),
        "blur": lambda x, o: cv2.GaussianBlur(x, (5, 5), 0, o),
        "motion_blur": lambda x, o: cv2.filter2D(x, -1, line, o),
        "sharpen": lambda x, o: cv2.filter2D(x, -1, sharp, o),
        "jpeg": jpeg,
        "downscale": lambda x, o: cv2.resize(
            cv2.resize(x, low, interpolation=cv2.INTER_AREA), shape, o
        ),
    }


def contestants(technique: str, size: int, threads: int, images: Images) -> dict[str, Call]:
    """Everyone who has the technique: a function of the images each."""
    import torch
    from albumentations import Compose

    ids = np.arange(len(images))
    out = np.empty_like(images)
    calls: dict[str, Call] = {
        "equipoise": lambda x: eq.augment(x, technique, seed=0, ids=ids, threads=threads, out=out)
    }
    if (single := albumentations(size).get(technique)) is not None:
        pipeline = Compose([single])
        calls["albumentations"] = lambda x: [pipeline(image=image)["image"] for image in x]
    if (module := kornia(size).get(technique)) is not None:
        floats = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255).contiguous()
        calls["kornia"] = lambda x: [module(part) for part in floats.split(256)]
    if (call := opencv(size).get(technique)) is not None:
        calls["OpenCV loop"] = lambda x: [call(*pair) for pair in zip(x, out, strict=True)]
    calls["copy"] = lambda x: np.copyto(out, x)
    return calls


def measure(technique: str, size: int, threads: int, images: Images) -> Row:
    """Let the contestants take turns; the first turn of each warms it up and does not count."""
    calls = contestants(technique, size, threads, images)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(ROUNDS[size] + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = perf_counter()
            calls[name](images)
            if turn:
                seconds[name].append(perf_counter() - start)
    times = {name: median(of) / len(images) * 1e6 for name, of in seconds.items()}
    return Row(technique, size, threads, times)


def resized(images: Images, size: int) -> Images:
    return np.stack(
        [cv2.resize(i, (size, size), interpolation=cv2.INTER_CUBIC) for i in images[: COUNTS[size]]]
    )


def chain(images: Images, names: tuple[str, ...]) -> float:
    """The share of the time of four techniques one after the other that their chain takes."""
    images = np.tile(images, (-(-CHAINED // images.nbytes), 1, 1, 1))
    ids = np.arange(len(images))
    out = np.empty((2, *images.shape), np.uint8)
    together, apart = [], []
    for turn in range(8):
        start = perf_counter()
        spec = {"chain": {"techniques": names}}
        eq.augment(images, spec, seed=0, ids=ids, threads=1, out=out[0])
        middle = perf_counter()
        shown = images
        for k, name in enumerate(names):
            to = out[k % 2]
            shown = eq.augment(shown, name, seed=0, ids=ids, place=k + 1, threads=1, out=to)
        if turn:
            together.append(middle - start)
            apart.append(perf_counter() - middle)
    return median(together) / median(apart)


def rows_of(images: Images, cores: int) -> Iterator[Row]:
    import torch

    for threads in dict.fromkeys((1, cores)):
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
        for size in COUNTS:
            batch = resized(images, size)
            for technique in albumentations(size):
                yield measure(technique, size, threads, batch)
                print(technique, size, threads, flush=True)


def table(rows: list[Row]) -> str:
    lines = [
        "| technique | " + " | ".join(f"{name}, µs" for name in CONTESTANTS) + " | "
        "× albumentations | × kornia | × OpenCV loop |",
        "|" + "---|" * (len(CONTESTANTS) + 4),
    ]
    for row in rows:
        cells = [f"{row.times[name]:.2f}" if name in row.times else "–" for name in CONTESTANTS]
        ratios = [row.against(p) for p in ("albumentations", "kornia", "OpenCV loop")]
        cells += ["–" if np.isnan(r) else f"{r:.1f}" for r in ratios]
        lines.append(f"| {row.technique} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def missed(rows: list[Row]) -> Iterator[str]:
    """The targets that this run did not reach, on one thread."""
    for row in (row for row in rows if row.threads == 1):
        floors = {"albumentations": 1.0, "kornia": 1.0, "OpenCV loop": 0.0}
        if row.size == 32:
            floors = {
                "albumentations": AT_32.get(row.technique, 1.0),
                "kornia": 1.0 if row.technique == "jpeg" else 5.0,
                "OpenCV loop": 5.0 if row.technique == "blur" else 0.0,
            }
        if row.size == 224:
            floors["OpenCV loop"] = 5.0 if row.technique == "blur" else 1.0
            floors["albumentations"] = 20.0 if row.technique == "noise" else 1.0
        for peer, floor in floors.items():
            if row.against(peer) < floor:
                yield (
                    f"- {row.technique} at {row.size}×{row.size}: {row.against(peer):.1f}× "
                    f"{peer}, wanted {floor:.0f}×"
                )
        if row.technique == "flip" and row.size == 32 and row.against("copy") < 0.25:
            yield f"- flip at 32×32: {1 / row.against('copy'):.1f} copies, wanted 4"


def plot(rows: list[Row], path: Path) -> None:
    figure = Figure(figsize=(8, 9), layout="constrained")
    axes = figure.subplots()
    here = [row for row in rows if row.size == 32 and row.threads == 1][::-1]
    marks = {"albumentations": "o", "kornia": "s", "OpenCV loop": "^"}
    for peer, mark in marks.items():
        axes.plot([r.against(peer) for r in here], range(len(here)), mark, label=peer)
    axes.set_yticks(range(len(here)), [row.technique for row in here])
    axes.set_xscale("log")
    axes.axvline(1, color="0.6", linewidth=1)
    axes.set_xlabel("times as fast as …, 32×32, one thread")
    axes.legend()
    with atomic(path) as part:
        figure.savefig(part, format="svg")


def scaling(rows: list[Row], cores: int) -> str:
    """How many times as fast the engine is on all cores, technique by size."""
    times = {(r.technique, r.size, r.threads): r.times["equipoise"] for r in rows}
    lines = ["| technique | " + " | ".join(f"{s}×{s}" for s in COUNTS) + " |"]
    lines.append("|" + "---|" * (len(COUNTS) + 1))
    for name in dict.fromkeys(row.technique for row in rows):
        gains = [times[name, size, 1] / times[name, size, cores] for size in COUNTS]
        lines.append(f"| {name} | " + " | ".join(f"{gain:.2f}" for gain in gains) + " |")
    return "\n".join(lines)


def page(
    rows: list[Row], chains: dict[tuple[tuple[str, ...], int], float], cores: int, load: float
) -> list[str]:
    counts = ", ".join(f"{n} of {size}×{size}" for size, n in COUNTS.items())
    parts = [
        "# The speed of the engine",
        f"Microseconds an image: medians over rounds in which the contestants took turns, on "
        f"CIFAR-10 images in colour ({counts}, the larger ones enlarged). Ratios above 1: "
        f"equipoise is faster. OpenCV {cv2.__version__}, {cores} cores; the machine was shared "
        f"(a mean load of {load:.1f} during the run), so compare contestants within a row.",
        "```sh\npython benchmarks/augment.py cifar10-images.tar.gz --out docs/results\n```",
        "equipoise, the OpenCV loop and the copy write into an array that is there already; the "
        "loop's parameters are fixed. kornia gets batches of 256 as floats, which are made before "
        "the clock starts.",
        "![Ratios at 32×32](augment.svg)",
    ]
    for threads in dict.fromkeys((1, cores)):
        for size in COUNTS:
            some = [row for row in rows if (row.size, row.threads) == (size, threads)]
            parts.append(f"## {size}×{size}, {threads} thread{'s' * (threads > 1)}")
            parts.append(table(some))
    if cores > 1:
        parts.append(f"## {cores} threads against one\n\nTimes as fast.")
        parts.append(scaling(rows, cores))
    parts.append("## A chain of four")
    parts.append(
        "What a chain costs of the four one after the other, on one thread, for images of 48 MB."
    )
    lines = ["| chain | " + " | ".join(f"{s}×{s}" for s in COUNTS) + " |"]
    lines.append("|" + "---|" * (len(COUNTS) + 1))
    for names in CHAINS:
        shares = " | ".join(f"{chains[names, size]:.2f}" for size in COUNTS)
        lines.append(f"| {', '.join(names)} | {shares} |")
    parts.append("\n".join(lines))
    parts.append("## Targets that were missed")
    parts.append("\n".join(missed(rows)) or "None.")
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine against its peers.")
    parser.add_argument("archive")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    most = max(COUNTS.values())
    data = eq.load(options.archive, classes=["cat", "dog"], take={"cat": most, "dog": most})
    images = data.train.array[:most]
    cores = len(os.sched_getaffinity(0))
    loads: list[float] = []
    rows = []
    for row in rows_of(images, cores):
        rows.append(row)
        loads.append(os.getloadavg()[0])
    chains = {(c, size): chain(resized(images, size), c) for c in CHAINS for size in COUNTS}
    target = options.out / "augment.md"
    # What is written below the mark stays.
    notes = target.read_text("utf-8").partition(MARK)[2] if target.exists() else "\n"
    text = "\n\n".join(page(rows, chains, cores, float(np.mean(loads))))
    write_text(target, f"{text}\n\n{MARK}{notes}")
    plot(rows, options.out / "augment.svg")


if __name__ == "__main__":
    main()
