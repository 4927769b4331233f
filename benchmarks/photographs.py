"""Photographs: the default for them against what practitioners do, on two public sets.

FOLDER holds trashnet.tar.gz and magnetic-tiles.tar.gz. Every seed has a split of its own,
stratified and by whole groups, the same for all contestants; they take turns on one thread.
Seconds are CPU seconds of the process, from pictures of one size in memory to answers for the test
split, with no activation in the cache before.

    python benchmarks/photographs.py FOLDER --seeds 5 --page docs/results/photographs.md
        the trainer `finetune`; the same blocks of the same net tuned in plain torch; frozen
        features with scikit-learn's logistic regression; the net from scratch at 64 and 128 pixels
    python benchmarks/photographs.py FOLDER --only finetune finetune-crop finetune-pad --seeds 2
        some of the contestants: what defaults are chosen by
    python benchmarks/photographs.py FOLDER --trunk
        milliseconds a picture of the frozen trunk, here and in eager torch

Each run is a file in --out; the script goes on from what is there.
"""

import argparse
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

import equipoise as eq
from equipoise.backbones import BACKBONES
from equipoise.backbones.lite import LiteNet, LiteTail
from equipoise.files import write_text
from equipoise.images import ImageSet
from equipoise.readers.sizing import to_channels
from equipoise.recipes import get_recipe
from equipoise.studies.estimates import over_runs
from equipoise.training import budget, fit, get_trainer
from training import Clock, kept

SETS = {"tiles": "magnetic tiles", "trashnet": "TrashNet"}
FIGURES = {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "roc_auc": "ROC-AUC"}
RECIPE = "resample"  # each class drawn equally often, by all who draw
PATIENCE = 3  # epochs without a better one, of plain fine-tuning

Pixels = NDArray[np.uint8]
Answers = dict[str, tuple[NDArray, NDArray]]  # from a decision to labels and probabilities


@cache
def load(folder: Path, name: str, size: int, fit: str, seed: int) -> eq.Splits:
    """A set at one size, split anew for every seed."""
    if name == "trashnet":
        return eq.load(folder / "trashnet.tar.gz", size=size, fit=fit, seed=seed)
    with TemporaryDirectory() as place, tarfile.open(folder / "magnetic-tiles.tar.gz") as archive:
        archive.extractall(place, filter="data")
        return eq.load(Path(place) / "tiles" / "tiles.csv", size=size, fit=fit, seed=seed)


# The contestants


def ours(trainer: str, data: eq.Splits, seed: int) -> Answers:
    """A trainer of the package, from an empty cache."""
    with TemporaryDirectory() as place:
        os.environ["EQUIPOISE_CACHE"] = place
        run = fit(data, get_recipe(RECIPE), get_trainer(trainer), seed=seed, device="cpu")
        assert run.model is not None
        logits = run.model.logits(data.test.array)
    chances = softmax(logits.astype(np.float64), axis=1)
    return {way: (run.model.decided(way).apply(logits), chances) for way in ("tuned", "plain")}


class PerItem(Dataset[tuple[torch.Tensor, int]]):
    """Pictures one by one: mirrored at random in training, normalised."""

    def __init__(self, images: ImageSet, mirror: bool) -> None:
        self.images, self.mirror = images, mirror

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = to_channels(self.images.array[index], 3)
        if self.mirror and torch.rand(()) < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
        pixels = torch.from_numpy(picture).permute(2, 0, 1).float()
        return (pixels - 127) / 128, int(self.images.labels[index])


def plain(data: eq.Splits, seed: int) -> Answers:
    """The same backbone, blocks, rates and steps in eager torch; the best epoch is kept."""
    how = get_trainer("finetune")
    assert how.backbone is not None
    assert isinstance(how.tuned_blocks, int)
    torch.manual_seed(seed)
    frozen = BACKBONES[how.backbone or "lite0"].net()
    net = LiteTail(frozen, len(frozen.blocks) - how.tuned_blocks, len(data.classes))
    trunk = nn.Sequential(frozen.stem, *frozen.blocks[: -how.tuned_blocks])
    weight = torch.from_numpy(1 / data.train.counts[data.train.labels])
    sampler = WeightedRandomSampler(weight.tolist(), len(data.train))
    loader = DataLoader(PerItem(data.train, mirror=True), how.batch_size, sampler=sampler)
    rates = [how.learning_rate, how.learning_rate * how.head_rate]
    groups = [
        {"params": [*net.blocks.parameters(), *net.head.parameters()], "lr": rates[0]},
        {"params": net.classifier.parameters(), "lr": rates[1]},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=how.weight_decay)
    # Epochs of the set as it is: as many as make the steps that the trainer takes.
    epochs = ceil(budget(data.train.labels, how).steps / len(loader))
    schedule = OneCycleLR(optimiser, rates, epochs=epochs, steps_per_epoch=len(loader))
    best, kept_weights, since = -1.0, net.state_dict(), 0
    for _ in range(epochs):
        net.train()
        for pictures, labels in loader:
            with torch.no_grad():
                values = trunk(pictures)
            loss = F.cross_entropy(net(values), labels, label_smoothing=how.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        guesses = logits_of(trunk, net, data.validation).argmax(1)
        score = balanced_accuracy_score(data.validation.labels, guesses)
        since += 1
        if score > best:
            best, since = score, 0
            kept_weights = {name: value.clone() for name, value in net.state_dict().items()}
        if since == PATIENCE:
            break
    net.load_state_dict(kept_weights)
    chances = softmax(logits_of(trunk, net, data.test).astype(np.float64), axis=1)
    return {"plain": (chances.argmax(1), chances)}


def logits_of(trunk: nn.Module, net: nn.Module, images: ImageSet) -> NDArray[np.float32]:
    net.eval()
    with torch.inference_mode():
        loader = DataLoader(PerItem(images, mirror=False), 64)
        return torch.cat([net(trunk(pictures)) for pictures, _ in loader]).numpy()


def frozen(data: eq.Splits, seed: int) -> Answers:
    """Embeddings by eager torch, and a logistic regression of scikit-learn with class weights."""
    net = BACKBONES["lite0"].net()
    trunk = nn.Sequential(net.stem, *net.blocks, net.head, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    train, test = (logits_of(trunk, nn.Identity(), part) for part in (data.train, data.test))
    regression = LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    model = make_pipeline(StandardScaler(), regression).fit(train, data.train.labels)
    chances = model.predict_proba(test)
    return {"plain": (chances.argmax(1), chances)}


@dataclass(frozen=True)
class Contestant:
    """How pictures are brought to size, and what then answers."""

    words: str
    run: Callable[[eq.Splits, int], Answers] | str  # a trainer's name is one of ours
    size: int = 160
    fit: str = "squash"

    def answers(self, data: eq.Splits, seed: int) -> Answers:
        return ours(self.run, data, seed) if isinstance(self.run, str) else self.run(data, seed)


MAIN = {
    "finetune": Contestant("`finetune`", "finetune"),
    "plain": Contestant("plain fine-tuning in torch", plain),
    "frozen": Contestant("frozen features, LogisticRegression", frozen),
    "fast-64": Contestant("`fast`, 64 pixels, centre crop", "fast", 64, "crop"),
    "fast-128": Contestant("`fast`, 128 pixels, centre crop", "fast", 128, "crop"),
}
CONTESTANTS = {
    **MAIN,
    "probe": Contestant("`probe`", "probe"),
    "finetune-crop": Contestant("`finetune`, centre crop", "finetune", fit="crop"),
    "finetune-pad": Contestant("`finetune`, padded", "finetune", fit="pad"),
    "finetune-128": Contestant("`finetune`, 128 pixels", "finetune", 128),
    "finetune-224": Contestant("`finetune`, 224 pixels", "finetune", 224),
}


# The runs

Run = dict[str, Any]
Runs = dict[str, list[Run]]  # of a set, by contestant


def one_run(options: argparse.Namespace, name: str, who: str, seed: int) -> Run:
    contestant = CONTESTANTS[who]

    def make() -> Run:
        data = load(options.folder, name, contestant.size, contestant.fit, seed)
        clock = Clock()
        answers = contestant.answers(data, seed)
        cpu, wall = clock.read()
        figures = {way: figures_of(data.test, *found) for way, found in answers.items()}
        return {"cpu": cpu, "wall": wall, "test": figures}

    trainers = [contestant.run] if isinstance(contestant.run, str) else ["finetune"]
    setting = {
        "contestant": who,
        "seed": seed,
        "size": contestant.size,
        "fit": contestant.fit,
        "trainer": get_trainer(trainers[0]).model_dump(mode="json", exclude_defaults=True),
    }
    return kept(options.out / f"{name}-{who}-{seed}.json", setting, make)


def figures_of(test: ImageSet, guesses: NDArray, chances: NDArray) -> dict[str, float]:
    return {
        "balanced_accuracy": float(balanced_accuracy_score(test.labels, guesses)),
        "macro_f1": float(f1_score(test.labels, guesses, average="macro")),
        "roc_auc": float(roc_auc_score(test.labels, chances, multi_class="ovr")),
    }


def all_runs(options: argparse.Namespace) -> dict[str, Runs]:
    """Every contestant on every set, seed after seed, so in turn."""
    runs: dict[str, Runs] = {name: {who: [] for who in options.only} for name in options.sets}
    for seed in range(options.seeds):
        for name in options.sets:
            for who in options.only:
                runs[name][who].append(run := one_run(options, name, who, seed))
                way = next(iter(run["test"]))
                told = ", ".join(f"{f} {v:.3f}" for f, v in run["test"][way].items())
                print(f"{name}, seed {seed}, {who}: {told}; {run['cpu']:.0f} CPU s", flush=True)
            load.cache_clear()
    return runs


# The page


def interval(values: Sequence[float], bounds: tuple[float, float], sign: str = "") -> str:
    """The mean, and its interval over the seeds."""
    found = over_runs(values, [(seed, 0) for seed in range(len(values))], bounds)
    ends = "" if found.low is None else f" [{found.low:.1f}, {found.high:.1f}]"
    return f"{found.mean:{sign}.1f}{ends}"


def table(runs: Runs) -> Iterator[str]:
    """A line a contestant and decision."""
    yield f"| | decision | {' | '.join(f'{w}, %' for w in FIGURES.values())} | CPU seconds |"
    yield "|---|---|---|---|---|---|"
    for who, mine in runs.items():
        for way in mine[0]["test"]:
            cells = [
                interval([100 * run["test"][way][figure] for run in mine], (0, 100))
                for figure in FIGURES
            ]
            seconds = mean(run["cpu"] for run in mine)
            print_row = [CONTESTANTS[who].words, way, *cells, f"{seconds:.0f}"]
            yield f"| {' | '.join(print_row)} |"


def ahead(runs: Runs) -> Iterator[str]:
    """What the first contestant, with its tuned decision, is ahead of the others, in points."""
    first, *others = runs
    heads = [
        f"{CONTESTANTS[first].words}, tuned, less",
        *FIGURES.values(),
        "share of its CPU seconds",
    ]
    yield f"| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|"
    base = runs[first]
    for who in others:
        pairs = list(zip(base, runs[who], strict=True))
        cells = [
            interval([100 * (value(a, f) - value(b, f)) for a, b in pairs], (-100, 100), "+")
            for f in FIGURES
        ]
        share = mean(a["cpu"] for a, _ in pairs) / mean(b["cpu"] for _, b in pairs)
        yield f"| {CONTESTANTS[who].words} | {' | '.join(cells)} | {share:.2f} |"


def value(run: Run, figure: str) -> float:
    """A figure by a run's first decision: the tuned one where there is one."""
    return next(iter(run["test"].values()))[figure]


def tables(runs: dict[str, Runs]) -> str:
    parts = []
    for name, mine in runs.items():
        parts += [f"## {SETS[name][0].upper()}{SETS[name][1:]}", "\n".join(table(mine))]
        if len(mine) > 1:
            parts.append("\n".join(ahead(mine)))
    return "\n\n".join(parts)


PAGE = """# Photographs: a pretrained net beside what practitioners do

```sh
python benchmarks/photographs.py FOLDER{some} --page docs/results/photographs.md
```

Magnetic tiles (Huang, Qiu and Yuan, 2018): 1,344 grey pictures of six classes, 952 to 32 of each,
of more than a thousand sizes; pictures of one tile stay together. TrashNet (Yang and Thung,
2016): 2,527 photographs of six classes, 594 to 137 of each. Each seed has a split
of its own: a fifth is tested on, 15 % of the rest is validation. Means, with 95 % intervals over
the seeds.

All who fine-tune or draw draw each class equally often. "Plain fine-tuning" is the same backbone,
size, blocks, rates and steps in eager torch, with one picture at a time read, mirrored at random
and normalised; it keeps its best epoch on validation and ends after {patience} epochs without a
better one. Logistic regression has class weights. The tuned decision is chosen on validation for
balanced accuracy, the plain one is the likeliest class. Seconds are CPU seconds on one thread, from
pictures of one size in memory to answers for the test split, with an empty cache of activations.

{tables}
"""


# The trunk


def trunk(rounds: int = 7, pictures: int = 32) -> str:
    """Milliseconds a picture of the frozen trunk, on one thread."""
    how, backbone = get_trainer("finetune"), BACKBONES["lite0"]
    tuned = how.tuned_blocks
    assert isinstance(tuned, int)
    some = np.random.default_rng(0).integers(0, 256, (pictures, 160, 160, 3), dtype=np.uint8)
    net: LiteNet = backbone.net()
    eager = nn.Sequential(net.stem, *net.blocks[:-tuned])
    batch = torch.from_numpy(some).permute(0, 3, 1, 2).float().sub(127).div(128)
    runs: dict[str, Callable[[], Any]] = {
        "the trunk": lambda: backbone.trunk(tuned).run(some),
        "eager torch": lambda: eager(batch),
        "eager torch, channels last": lambda: eager(
            batch.contiguous(memory_format=torch.channels_last)
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for _ in range(rounds):
            for name, run in runs.items():
                clock = Clock()
                run()
                seconds[name].append(clock.read()[0])
    best = {name: median(times[1:]) / pictures for name, times in seconds.items()}
    first = best["the trunk"]
    lines = [f"| {n} | {1000 * s:.1f} | {s / first:.1f} × |" for n, s in best.items()]
    return "\n".join(["| | ms a picture | |", "|---|---|---|", *lines])


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(MAIN))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trunk", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/photographs"))
    parser.add_argument("--page", type=Path, help="where the page goes")
    return parser.parse_args()


def main() -> None:
    options = options_of()
    torch.set_num_threads(1)
    if options.trunk:
        print(trunk())
        return
    text = tables(all_runs(options))
    print(f"\n{text}")
    if options.page:
        sets = "" if options.sets == list(SETS) else f" --sets {' '.join(options.sets)}"
        only = "" if options.only == list(MAIN) else f" --only {' '.join(options.only)}"
        some = f"{sets}{only} --seeds {options.seeds}"
        page = PAGE.format(some=some, patience=PATIENCE, tables=text)
        write_text(options.page, page)


if __name__ == "__main__":
    main()
