"""The trainer against the article's own, on the article's task: 4,800 cats and 1,200 dogs.

The reference is `article_reference.py`, the article's recipe as a tutorial writes it. Contestants
take turns on one thread each. Seconds are CPU seconds of the whole process, threads that
make batches included; the wall's stand beside them. DATA is CIFAR-10, or `cifar10`.

    python benchmarks/training.py DATA speed
        the same net, the same batches, as many steps, no evaluation: steps a second; and the share
        of the core's measured matrix-product peak that a step reaches
    python benchmarks/training.py DATA until --trainer fast --recipe balanced --seeds 5
        seconds until the mean of two successive evaluations of balanced accuracy on the validation
        split reaches --target, as a share of the reference's 10 epochs
    python benchmarks/training.py DATA within --trainer fast strong --recipe balanced --seeds 5
        balanced accuracy and both recalls on the test split beside the seconds, and the curves of
        accuracy over seconds as curves.csv and curves.svg

In the last two the reference takes its turn at every seed, too; both keep a file a run in --out and
go on from what is there. --markdown writes the table.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

import article_reference as reference
import equipoise as eq
from equipoise.files import atomic, read_json, write_json, write_text
from equipoise.recipes import get_recipe
from equipoise.studies.estimates import over_runs
from equipoise.training import Progress, Trainer, batches, build_net, fit, get_trainer

CLASSES, TAKE = ("cat", "dog"), {"cat": 4800, "dog": 1200}
EPOCHS = 10  # of the reference
SHARE = 0.15  # of training images that are kept for validation


class EnoughError(Exception):
    """Ends a run from within its progress."""


@dataclass
class Clock:
    """CPU and wall seconds since it was made."""

    def __post_init__(self) -> None:
        self.start = (process_time(), perf_counter())

    def read(self) -> tuple[float, float]:
        return process_time() - self.start[0], perf_counter() - self.start[1]


def load(source: str, whole: bool = False, share: float = SHARE) -> eq.Splits:
    """The article's task; `whole` leaves all 6,000 images to training, as the article does."""
    return eq.load(
        source, classes=CLASSES, take=TAKE, size=32, cut=not whole, validation_fraction=share
    )


# Steps a second


def our_steps(data: eq.Splits, steps: int) -> Callable[[], tuple[float, float]]:
    """CPU and wall seconds a step of `fit`, from the end of the first one on."""
    recipe, trainer = get_recipe("article"), get_trainer("article", epochs=1)

    def turn() -> tuple[float, float]:
        times: list[tuple[float, float]] = []
        clock = Clock()

        def note(progress: Progress) -> None:
            times.append(clock.read())
            if progress.step > steps:
                raise EnoughError

        with suppress(EnoughError):
            fit(data, recipe, trainer, seed=0, progress=note, device="cpu")
        return (times[-1][0] - times[0][0]) / steps, (times[-1][1] - times[0][1]) / steps

    return turn


def their_steps(data: eq.Splits, steps: int) -> Callable[[], tuple[float, float]]:
    """The reference's loop over the images that `fit` is shown, in the same order."""
    train = data.train
    shown = batches(train.array, train.labels, "article", 64, seed=0, ids=train.ids)
    items = [
        (image, int(label))
        for images, labels in islice(shown, steps)
        for image, label in zip(images.permute(0, 2, 3, 1).numpy(), labels, strict=True)
    ]

    def turn() -> tuple[float, float]:
        torch.manual_seed(0)
        net = reference.ConvNet()
        loader = DataLoader(reference.PerItem(items), batch_size=64)
        optimiser = torch.optim.Adam(net.parameters(), 1e-3)
        clock = Clock()
        reference.train_steps(net, loader, optimiser)
        cpu, wall = clock.read()
        return cpu / steps, wall / steps

    return turn


def peak(size: int = 1024, tries: int = 12) -> float:
    """The fastest of some products of two square float32 matrices, in operations a second."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    times = []
    for _ in range(tries):
        clock = Clock()
        torch.mm(a, b)
        times.append(clock.read()[0])
    return 2 * size**3 / min(times)


def operations(batch: int = 64) -> int:
    """Floating-point operations of the net's convolutions in a step, forward and backward."""
    net = build_net("article", 3, 2, (32, 32), seed=0)
    images = torch.rand(batch, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(net(images), torch.zeros(batch, dtype=torch.int64)).backward()
    return counter.get_total_flops()


def speed(data: eq.Splits, rounds: int, steps: int) -> str:
    """Rounds of both in turn, and their medians; the first round warms up."""
    contestants = {"equipoise": our_steps(data, steps), "reference": their_steps(data, steps)}
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    peaks = []
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            seconds = contestant()
            if turn:
                rows[name].append(seconds)
                print(f"round {turn} {name}: {1 / seconds[0]:.2f} steps a CPU second", flush=True)
        peaks.append(peak())
    lines = [
        "| | steps a CPU second | images a CPU second | steps a second | |",
        "|---|---|---|---|---|",
    ]
    cpu = {name: median(c for c, _ in times) for name, times in rows.items()}
    for name, times in rows.items():
        rate, wall = 1 / cpu[name], 1 / median(w for _, w in times)
        ratio = cpu["reference"] / cpu[name]
        lines.append(f"| {name} | {rate:.2f} | {64 * rate:.0f} | {wall:.2f} | {ratio:.2f} × |")
    work, best = operations(), max(peaks)
    share = work / cpu["equipoise"] / best
    ratios = [theirs[0] / ours[0] for theirs, ours in zip(*reversed(rows.values()), strict=True)]
    lines.append(
        f"\nRatios of the {rounds} rounds: {', '.join(f'{r:.2f}' for r in ratios)}. A step is "
        f"{work / 1e9:.2f} GFLOP; matrix products reach {best / 1e9:.1f} GFLOP/s on this core, a "
        f"step {share:.0%} of that."
    )
    return "\n".join(lines)


# Whole runs


def kept(path: Path, setting: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A run's file, made where it is absent or of another setting."""
    if path.exists() and (found := read_json(path))["setting"] == setting:
        return found
    made = {"setting": setting, **make()}
    write_json(path, made)
    return made


def reference_run(source: str, out: Path, seed: int) -> dict[str, Any]:
    """The reference's 10 epochs, evaluated on the test split as the article does."""

    def make() -> dict[str, Any]:
        data = load(source, whole=True)
        clock, curve = Clock(), []

        def note(figures: reference.Figures) -> None:
            curve.append([*clock.read(), figures.balanced_accuracy])

        items = reference.upsampled(list(data.train.array), data.train.labels.tolist(), seed)
        held = list(zip(data.test.array, data.test.labels.tolist(), strict=True))
        figures = reference.train(items, held, EPOCHS, seed, told=note)
        cpu, wall, accuracy = curve[-1]
        test = {"balanced_accuracy": accuracy, "per_class_recall": figures.recalls}
        return {"curve": curve, "cpu": cpu, "wall": wall, "test": {"plain": test}}

    return kept(out / f"reference-{seed}.json", {"epochs": EPOCHS, "seed": seed}, make)


def our_run(
    data: eq.Splits,
    trainer: Trainer,
    recipe: eq.Recipe,
    options: argparse.Namespace,
    target: float | None,
    seed: int,
) -> dict[str, Any]:
    """A run, to its end or until it has reached `target`."""
    device, share = options.device, options.validation

    def make() -> dict[str, Any]:
        clock, curve = Clock(), []

        def note(progress: Progress) -> None:
            if progress.row is None:
                return
            curve.append([*clock.read(), progress.row["validation_balanced_accuracy"]])
            if target is not None and reached(curve, target) is not None:
                raise EnoughError

        try:
            run = fit(data, recipe, trainer, seed=seed, progress=note, device=device)
        except EnoughError:
            return {"curve": curve}
        cpu, wall = clock.read()
        test = {name: run.metrics["test"][name] for name in ("plain", "tuned")}
        return {"curve": curve, "cpu": cpu, "wall": wall, "test": test}

    setting = {
        "trainer": trainer.model_dump(mode="json", exclude_defaults=True),
        "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
        "seed": seed,
        "target": target,
        **({} if device == "cpu" else {"device": device}),
        **({} if share == SHARE else {"validation": share}),
    }
    ending = "" if target is None else f"-until-{target:g}"
    ending += "" if share == SHARE else f"-validation-{share:g}"
    return kept(options.out / f"{trainer.name}-{recipe.name}-{seed}{ending}.json", setting, make)


def reached(curve: Sequence[Sequence[float]], target: float, clock: int = 0) -> float | None:
    """Seconds until the mean of two successive evaluations is at the target; clock 1 is wall."""
    for before, now in pairwise(curve):
        if (before[2] + now[2]) / 2 >= target:
            return now[clock]
    return None


def warm(data: eq.Splits, trainer: Trainer, recipe: eq.Recipe, device: str) -> None:
    """Three steps, so that no run pays for loading kernels."""

    def stop(progress: Progress) -> None:
        if progress.step >= 3:
            raise EnoughError

    with suppress(EnoughError):
        fit(data, recipe, trainer, seed=0, progress=stop, device=device)


Runs = dict[str, list[dict[str, Any]]]


def runs_of(options: argparse.Namespace, target: float | None) -> Runs:
    """The reference and every trainer with every recipe, seed after seed, so in turn."""
    data = load(options.data, share=options.validation)
    makes: dict[str, Callable[[int], dict[str, Any]]] = {}
    if options.reference is None:
        makes["reference"] = partial(reference_run, options.data, options.out)
    for name in options.trainer:
        trainer = get_trainer(name, epochs=options.epochs)
        for recipe in map(get_recipe, options.recipe):
            warm(data, trainer, recipe, options.device)
            makes[f"{trainer.name}, {recipe.name}"] = partial(
                our_run, data, trainer, recipe, options, target
            )
    runs: Runs = {name: [] for name in makes}
    for seed in range(options.seeds):
        for name, make in makes.items():
            runs[name].append(run := make(seed))
            cpu, _, score = run["curve"][-1]
            print(f"{name}, seed {seed}: {cpu:.0f} CPU s, at the end {score:.3f}", flush=True)
    return runs


def taken(options: argparse.Namespace, runs: Runs) -> list[float]:
    """The seconds of the reference's 10 epochs, of each seed."""
    if options.reference is not None:
        return [options.reference] * options.seeds
    return [run["cpu"] for run in runs["reference"]]


def until(options: argparse.Namespace) -> str:
    runs = runs_of(options, options.target)
    whole = mean(taken(options, runs))
    lines = [
        f"| trainer, recipe | seeds | seconds to {options.target:.0%} "
        f"| of the reference's {whole:.0f} |",
        "|---|---|---|---|",
    ]
    for name, mine in runs.items():
        if name == "reference":
            continue
        clock = int(options.device == "cuda")
        times = [reached(run["curve"], options.target, clock) for run in mine]
        if None in times:
            lines.append(f"| {name} | {len(mine)} | not reached by {times.count(None)} | – |")
            continue
        got = [t for t in times if t is not None]
        each = ", ".join(f"{t:.0f}" for t in got)
        lines.append(
            f"| {name} | {len(got)} | {mean(got):.0f} ({each}) | {mean(got) / whole:.3f} |"
        )
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation in percent."""
    half = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{half}"


def within(options: argparse.Namespace) -> str:
    runs = runs_of(options, None)
    whole = taken(options, runs)
    lines = [
        "| trainer, recipe | seeds | decision | balanced accuracy | recall, cats | recall, dogs "
        "| ROC-AUC | seconds | of the reference's, and of each seed |",
        "|" + "---|" * 9,
        *(line for name, mine in runs.items() for line in rows(name, mine, whole, options.device)),
    ]
    curves = {
        name + ", on the test split" * (name == "reference"): [run["curve"] for run in mine]
        for name, mine in runs.items()
    }
    write_text(options.out / "curves.csv", "\n".join(table(curves)) + "\n")
    plot(curves, options.out / "curves.svg")
    return "\n".join([*lines, *differences(runs)])


def rows(
    name: str, runs: Sequence[dict[str, Any]], whole: list[float], device: str
) -> Iterator[str]:
    """A contestant's lines of the table, one a decision."""
    seconds = [run["wall" if device == "cuda" else "cpu"] for run in runs]
    each = ", ".join(f"{ours / theirs:.2f}" for ours, theirs in zip(seconds, whole, strict=True))
    ratio = "1" if name == "reference" else f"{mean(seconds) / mean(whole):.2f} ({each})"
    for decision in runs[0]["test"]:
        tests = [run["test"][decision] for run in runs]
        recalls = [[test["per_class_recall"][k] for test in tests] for k in (0, 1)]
        ranked = [test["roc_auc"] for test in tests if "roc_auc" in test]
        cells = [
            name, str(len(runs)), decision, spread([t["balanced_accuracy"] for t in tests]),
            *map(spread, recalls), spread(ranked) if ranked else "", f"{mean(seconds):.0f}", ratio,
        ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"


def differences(runs: Runs) -> Iterator[str]:
    """The lines of a table of what each is ahead of the first trainer, seed by seed, in points."""
    (first, base), *others = [item for item in runs.items() if item[0] != "reference"]
    if not others or len(base) < 2:
        return
    yield f"\n| ahead of {first} | tuned balanced accuracy | ROC-AUC |\n|---|---|---|"
    for name, mine in others:
        cells = [name]
        for metric in ("balanced_accuracy", "roc_auc"):
            values = [[100 * run["test"]["tuned"][metric] for run in of] for of in (mine, base)]
            apart = np.array(values[0]) - np.array(values[1])
            keys = [(seed, 0) for seed in range(len(apart))]
            found = over_runs(apart.tolist(), keys, (-np.inf, np.inf))
            cells.append(f"{found.mean:+.1f} [{found.low:.1f}, {found.high:.1f}]")
        yield "| " + " | ".join(cells) + " |"


Curves = dict[str, list[list[list[float]]]]


def table(curves: Curves) -> Iterator[str]:
    yield "contestant,seed,epoch,cpu_seconds,wall_seconds,balanced_accuracy"
    for name, mine in curves.items():
        for seed, curve in enumerate(mine):
            for epoch, (cpu, wall, score) in enumerate(curve, 1):
                yield f'"{name}",{seed},{epoch},{cpu:.2f},{wall:.2f},{score:.4f}'


def plot(curves: Curves, path: Path) -> None:
    """The mean over seeds of balanced accuracy on validation over that of CPU seconds."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for (name, mine), style in zip(curves.items(), ("--", "-", "-.", ":") * 8, strict=False):
        x, _, y = np.mean([curve[: min(map(len, mine))] for curve in mine], axis=0).T
        axes.plot(x, 100 * y, style, label=name, linewidth=1.5)
    axes.set_xlabel("CPU seconds of one core")
    axes.set_ylabel("balanced accuracy on validation, %")
    axes.grid(color="0.9")
    axes.legend()
    with atomic(path) as part:
        figure.savefig(part, format="svg")


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("mode", choices=("speed", "until", "within"))
    parser.add_argument("--rounds", type=int, default=5, help="of speed")
    parser.add_argument("--steps", type=int, default=40, help="in a round of speed, 126 at most")
    parser.add_argument("--trainer", nargs="+", default=["article"], help="names or YAML files")
    parser.add_argument("--recipe", nargs="+", default=["balanced"], help="names or YAML files")
    parser.add_argument("--device", default="cpu", help="of until and within; cuda: wall seconds")
    parser.add_argument("--epochs", type=int, help="in the trainers' place")
    parser.add_argument("--validation", type=float, default=SHARE, help="share kept to tune on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--target", type=float, default=0.72, help="of until")
    parser.add_argument("--reference", type=float, help="CPU seconds of its 10 epochs, if known")
    parser.add_argument("--out", type=Path, default=Path("runs/training"))
    parser.add_argument("--core", type=int, help="keep to this core")
    parser.add_argument("--markdown", type=Path, help="where the table goes, too")
    return parser.parse_args()


def main() -> None:
    options = options_of()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    torch.set_num_threads(1)
    if options.mode == "speed":
        text = speed(load(options.data), options.rounds, options.steps)
    else:
        text = until(options) if options.mode == "until" else within(options)
    print(f"\n{text}")
    if options.markdown:
        write_text(options.markdown, text + "\n")


if __name__ == "__main__":
    main()
