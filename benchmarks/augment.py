"""The engine against its peers: microseconds an image, one technique at a time.

Contestants alternate within one run, on the same images, with one thread and with all: equipoise;
albumentations 2.0.8 (`Compose` of one, image by image); kornia 0.9.0 (batches of floats, made
before the clock starts); a bare loop of OpenCV calls; and the copy of the batch as the floor.
equipoise, the loop and the copy are measured both ways: into an array that has been used before,
and with a new result each time, which is what albumentations and kornia always make.

    python benchmarks/augment.py ARCHIVE --out docs/results

ARCHIVE is CIFAR-10 as an archive of class folders. Its images are enlarged for 64×64 and 224×224.
The run takes some ten minutes and wants the machine for itself: with other programs at work it
refuses to start (`--busy` goes on, and the page then says so). `--only` and `--sizes` measure a
few techniques and print them, for work on a kernel.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import equipoise as eq
from equipoise.files import atomic, write_text

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"  # torch's idle threads take no time from the next one
warnings.filterwarnings("ignore")

Images = NDArray[np.uint8]
Call = Callable[[], object]

# Images in a measurement: few enough for the slow ones, many enough for the fast ones.
COUNTS = {32: 4096, 64: 1024, 224: 256}
SLOW_COUNTS = {32: 1024, 64: 512, 224: 64}
ROUNDS, SLOW_ROUNDS = 11, {"albumentations": 4, "kornia": 2}
CHAINED = 48 << 20  # bytes of images in a chain: more than caches hold
CHAINS: tuple[tuple[str, ...], ...] = (
    ("flip", "brightness", "posterize", "erase"),
    ("flip", "brightness", "blur", "noise"),
    ("crop", "flip", "contrast", "noise"),
)
MARK = "<!-- below: written by hand -->"

# Of equipoise, the loop and the copy: the result's memory has been used before, or is new.
BOTH = ("equipoise", "OpenCV loop", "copy")
NEW = ", new"
CONTESTANTS = (*BOTH, *(name + NEW for name in BOTH), "albumentations", "kornia")

# The load above which nothing is published, and the share of the machine's time that other programs
# may take during a row before it is marked.
MOST_LOAD, MOST_OTHERS = 0.5, 0.05

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
    """Microseconds an image of each contestant that has the technique.

    `others` is the share of all cores' time that other programs took meanwhile.
    """

    technique: str
    size: int
    threads: int
    times: dict[str, float]
    others: float

    def against(self, peer: str) -> float:
        """How many times as fast equipoise is, its memory being as new as the peer's."""
        own = "equipoise" + (NEW if peer not in BOTH else "")
        return self.times[peer] / self.times[own] if peer in self.times else float("nan")


class Others:
    """What share of the machine other programs take, from the making of this on."""

    def __init__(self) -> None:
        self.began, self.used, self.own = perf_counter(), _used(), _own()

    def share(self) -> float:
        used = _used() - self.used - (_own() - self.own)
        return max(0.0, used / (perf_counter() - self.began) / (os.cpu_count() or 1))


def _used() -> float:
    """Seconds that all cores together were busy since the machine's start, or stolen by a host."""
    fields = Path("/proc/stat").read_text("utf-8").splitlines()[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    return sum(os.times()[:4])


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


def contestants(technique: str, images: Images, threads: int) -> dict[str, Call]:
    """Everyone who has the technique: a function to be timed each."""
    from albumentations import Compose

    size = images.shape[1]
    ids, out = np.arange(len(images)), np.ones_like(images)

    def ours(to: Images | None) -> object:
        return eq.augment(images, technique, seed=0, ids=ids, threads=threads, out=to)

    calls: dict[str, Call] = {"equipoise": lambda: ours(out), "equipoise" + NEW: lambda: ours(None)}
    if (single := albumentations(size).get(technique)) is not None:
        pipeline = Compose([single])
        few = images[: SLOW_COUNTS[size]]
        calls["albumentations"] = lambda: [pipeline(image=image)["image"] for image in few]
    if (module := kornia(size).get(technique)) is not None:
        floats = as_floats(images[: SLOW_COUNTS[size]])
        calls["kornia"] = lambda: [module(part) for part in floats.split(256)]
    if (call := opencv(size).get(technique)) is not None:
        calls["OpenCV loop"] = lambda: [call(*pair) for pair in zip(images, out, strict=True)]
        calls["OpenCV loop" + NEW] = lambda: [call(image, None) for image in images]
    calls["copy"], calls["copy" + NEW] = lambda: np.copyto(out, images), images.copy
    return calls


def as_floats(images: Images) -> Any:
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255).contiguous()


def measure(technique: str, images: Images, cores: int) -> list[Row]:
    """Let the contestants take turns; the first turn of each warms it up and does not count."""
    import torch

    size, others = images.shape[1], Others()
    turns = {threads: contestants(technique, images, threads) for threads in {1, cores}}
    seconds: dict[tuple[int, str], list[float]] = {}
    for turn in range(ROUNDS + 1):
        for threads, calls in turns.items():
            cv2.setNumThreads(threads)
            torch.set_num_threads(threads)
            names = [name for name in calls if turn <= SLOW_ROUNDS.get(name, ROUNDS)]
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                start = perf_counter()
                calls[name]()
                if turn:
                    seconds.setdefault((threads, name), []).append(perf_counter() - start)
    share = others.share()
    counts = {name: SLOW_COUNTS[size] for name in SLOW_ROUNDS}

    def time(threads: int, name: str) -> float:
        return lower(seconds[threads, name]) / counts.get(name, len(images)) * 1e6

    return [
        Row(technique, size, threads, {name: time(threads, name) for name in calls}, share)
        for threads, calls in turns.items()
    ]


def lower(seconds: list[float]) -> float:
    """The lower quartile: what disturbs a measurement only ever makes it longer."""
    return float(np.quantile(seconds, 0.25))


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
    return lower(together) / lower(apart)


def rows_of(images: Images, cores: int, only: Sequence[str], sizes: Sequence[int]) -> Iterator[Row]:
    for size in sizes:
        batch = resized(images, size)
        for technique in albumentations(size):
            if only and technique not in only:
                continue
            for row in measure(technique, batch, cores):
                print(*line(row), flush=True)
                yield row


def line(row: Row) -> list[str]:
    """What stands in a table of a row: times, then ratios."""
    name = row.technique + (" *" if row.others > MOST_OTHERS else "")
    times = [f"{row.times[c]:.2f}" if c in row.times else "–" for c in CONTESTANTS]
    ratios = [row.against(p) for p in ("albumentations", "kornia", "OpenCV loop" + NEW)]
    ratios.append(row.against("OpenCV loop"))
    return [name, *times, *("–" if np.isnan(r) else f"{r:.1f}" for r in ratios)]


def table(rows: list[Row]) -> str:
    peers = ("× albumentations", "× kornia", "× loop, new", "× loop")
    lines = [
        "| technique | " + " | ".join((*CONTESTANTS, *peers)) + " |",
        "|" + "---|" * (len(CONTESTANTS) + 5),
    ]
    lines += ["| " + " | ".join(line(row)) + " |" for row in rows]
    return "\n".join(lines)


def floors(row: Row) -> dict[str, float]:
    """How many times as fast as its peers the engine is to be on one thread, at least."""
    found = {"albumentations": 1.0, "kornia": 1.0}
    if row.size == 32:
        found["albumentations"] = AT_32.get(row.technique, 1.0)
        found["kornia"] = 1.0 if row.technique == "jpeg" else 5.0
    if row.size == 224:
        found["albumentations"] = 20.0 if row.technique == "noise" else 1.0
        found["OpenCV loop" + NEW] = 1.0
    if row.size != 64:
        found["OpenCV loop"] = 5.0 if row.technique == "blur" else float(row.size == 224)
    return found


def missed(rows: list[Row], chains: dict[tuple[tuple[str, ...], int], float]) -> Iterator[str]:
    """The targets that this run did not reach."""
    for row in (row for row in rows if row.threads == 1):
        for peer, floor in floors(row).items():
            if row.against(peer) < floor:
                yield (
                    f"- {row.technique} at {row.size}×{row.size}: {row.against(peer):.2f}× "
                    f"{peer}, wanted {floor:.0f}×"
                )
        if row.technique == "flip" and row.size == 32 and row.against("copy") < 0.25:
            yield f"- flip at 32×32: {1 / row.against('copy'):.1f} copies, wanted 4"
    for (name, size), gain in gains(rows, "equipoise").items():
        if gain < 1.7:
            yield f"- {name} at {size}×{size}: all threads {gain:.2f} times one, wanted 1.7"
    for (names, size), share in chains.items():
        if share > 0.8:
            yield f"- the chain {', '.join(names)} at {size}×{size}: {share:.2f}, wanted 0.8"


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


def gains(rows: list[Row], contestant: str) -> dict[tuple[str, int], float]:
    """How many times as fast a contestant is on all cores as on one, by technique and size."""
    one = {(r.technique, r.size): r.times[contestant] for r in rows if r.threads == 1}
    more = {(r.technique, r.size): r.times[contestant] for r in rows if r.threads > 1}
    return {key: one[key] / time for key, time in more.items()}


def scaling(rows: list[Row]) -> str:
    reused, new = gains(rows, "equipoise"), gains(rows, "equipoise" + NEW)
    sizes = [f"{s}×{s}" for s in COUNTS]
    lines = ["| technique | " + " | ".join((*sizes, *(s + NEW for s in sizes))) + " |"]
    lines.append("|" + "---|" * (2 * len(COUNTS) + 1))
    for name in dict.fromkeys(row.technique for row in rows):
        cells = [f"{of[name, size]:.2f}" for of in (reused, new) for size in COUNTS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(
    rows: list[Row], chains: dict[tuple[tuple[str, ...], int], float], cores: int, alone: str
) -> list[str]:
    counts = ", ".join(f"{n} of {size}×{size}" for size, n in COUNTS.items())
    parts = [
        "# The speed of the engine",
        f"Microseconds an image: lower quartiles of {ROUNDS} rounds in which the contestants took "
        f"turns (albumentations {SLOW_ROUNDS['albumentations']}, kornia {SLOW_ROUNDS['kornia']}, "
        f"both on fewer images), on CIFAR-10 images in colour ({counts}, the larger ones enlarged)."
        f" Ratios above 1: equipoise is faster. OpenCV {cv2.__version__}, {cores} cores. {alone}",
        "```sh\npython benchmarks/augment.py cifar10-images.tar.gz --out docs/results\n```",
        "equipoise, the OpenCV loop and the copy are measured twice: into an array that has been "
        "used before, and, under *new*, with a new result each time. albumentations and kornia "
        "always make new ones and are compared with that. The loop's parameters are fixed. kornia "
        "gets batches of up to 256 as floats, which are made before the clock starts.",
        "![Ratios at 32×32](augment.svg)",
    ]
    for threads in dict.fromkeys((1, cores)):
        for size in COUNTS:
            some = [row for row in rows if (row.size, row.threads) == (size, threads)]
            parts.append(f"## {size}×{size}, {threads} thread{'s' * (threads > 1)}")
            parts.append(table(some))
    if cores > 1:
        parts.append(f"## {cores} threads against one")
        parts.append("How many times as fast: into memory used before, then with new results.")
        parts.append(scaling(rows))
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
    parts.append("\n".join(missed(rows, chains)) or "None.")
    return parts


def how_alone(load: float, others: float) -> str:
    """What the page says of the other programs on the machine."""
    busy = load > MOST_LOAD
    return (
        f"{'**The machine was busy with other things.** ' if busy else ''}The load before the run "
        f"was {load:.2f}; during it other programs took {others:.1%} of the cores' time (rows "
        f"with more than {MOST_OTHERS:.0%} are marked *)."
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The engine against its peers.")
    parser.add_argument("archive")
    parser.add_argument("--out", type=Path, help="the folder of the page")
    parser.add_argument("--busy", action="store_true", help="go on though the machine is busy")
    parser.add_argument("--only", default="", help="techniques, such as flip,blur; no page")
    parser.add_argument("--sizes", default="", help="sizes, such as 32,224; no page")
    given = parser.parse_args()
    given.only = [name for name in given.only.split(",") if name]
    given.sizes = [int(size) for size in given.sizes.split(",") if size]
    return given


def main() -> None:
    given, load = options(), os.getloadavg()[0]
    if load > MOST_LOAD and not given.busy:
        sys.exit(f"The load is {load:.2f}, above {MOST_LOAD}: wait, or go on with --busy.")
    most, cores, others = max(COUNTS.values()), len(os.sched_getaffinity(0)), Others()
    data = eq.load(given.archive, classes=["cat", "dog"], take={"cat": most, "dog": most})
    images = data.train.array[:most]
    rows = list(rows_of(images, cores, given.only, given.sizes or list(COUNTS)))
    chains = {}
    for size in given.sizes or COUNTS:
        for names in CHAINS if not given.only else ():
            chains[names, size] = chain(resized(images, size), names)
            print(*names, size, f"{chains[names, size]:.2f}", flush=True)
    if given.out is None or given.only or given.sizes:
        return
    target = given.out / "augment.md"
    # What is written below the mark stays.
    notes = target.read_text("utf-8").partition(MARK)[2] if target.exists() else "\n"
    text = "\n\n".join(page(rows, chains, cores, how_alone(load, others.share())))
    write_text(target, f"{text}\n\n{MARK}{notes}")
    plot(rows, given.out / "augment.svg")


if __name__ == "__main__":
    main()
