"""Photographs: what the settings of fine-tuning, and the decisions after it, are chosen by.

FOLDER holds trashnet.tar.gz and magnetic-tiles.tar.gz. Of the split of seed 0 the test images are
left alone; all others are held out in turn, whole groups together, by nets on the cached
activations of the frozen blocks. Figures are those of the plain decision on all that was held out.

    python benchmarks/photograph_settings.py FOLDER tiles steps=400 rate=0.002 blocks=1
        one setting: a line of the table
    python benchmarks/photograph_settings.py FOLDER tiles --decisions
        logistic regressions in the place of nets; their tuned decisions, each chosen on a small
        part of what was held out and judged on the rest, many times
"""

import argparse
import tarfile
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

import equipoise as eq
from equipoise.backbones import BACKBONES, LinearProbe, activations
from equipoise.readers.sizing import to_channels
from equipoise.training import SCHEDULES, adjust, tune
from equipoise.training.draws import Draws

SETS = {
    "tiles": ("magnetic-tiles.tar.gz", "tiles/tiles.csv"),
    "trashnet": ("trashnet.tar.gz", "trashnet"),
}
HELD_OUT, REPEATS = 0.15, 30  # of decisions: the share that they are tuned on, and how often

Values = NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """What is varied."""

    blocks: int = 1
    steps: int = 400
    batch: int = 16
    rate: float = 2e-3
    head_rate: float = 1.0  # times the rate
    head: str = "zero"  # or random
    draws: str = "balanced"
    decay: float = 0.01
    smoothing: float = 0.05
    flip: bool = True
    grouped: bool = True  # whether groups stay whole
    folds: int = 5
    only: int = 99  # so many of the folds


@dataclass(frozen=True)
class Pictures:
    """All but the test images."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]

    def values(self, blocks: int, mirrored: bool = False) -> Values:
        images = self.images[:, :, ::-1] if mirrored else self.images
        return activations(
            lambda a, b: to_channels(np.ascontiguousarray(images[a:b]), 3),
            len(images),
            BACKBONES["lite0"].trunk(blocks),
        )


def load(folder: Path, name: str) -> Pictures:
    archive, inside = SETS[name]
    with TemporaryDirectory() as place, tarfile.open(folder / archive) as packed:
        packed.extractall(place, filter="data")
        data = eq.load(Path(place) / inside, size=160, seed=0)
        parts = (data.train, data.validation)
        groups = [p.names if p.groups is None else p.groups for p in parts]
        images = np.concatenate([part.array for part in parts])
        return Pictures(images, np.concatenate([p.labels for p in parts]), np.concatenate(groups))


def fitted(how: Setting, views: list[Values], labels: NDArray, seed: int) -> torch.nn.Module:
    """A net trained on the activations of pictures and, with two views, of their mirror images."""
    torch.manual_seed(seed)
    net = BACKBONES["lite0"].tail(how.blocks, int(labels.max()) + 1)
    if isinstance(net, LinearProbe):
        net.fit_scale(views[0])
    if how.head == "random":
        assert isinstance(net.classifier, torch.nn.Linear)
        net.classifier.reset_parameters()
    net.train()
    named = list(net.named_parameters())
    groups = [
        {"params": [p for n, p in named if n.startswith("classifier") == head], "times": times}
        for head, times in ((False, 1.0), (True, how.head_rate))
    ]
    groups = [group for group in groups if group["params"]]
    optimiser = torch.optim.AdamW(groups, how.rate, weight_decay=how.decay, fused=True)
    draws, rng = Draws(labels, how.draws, seed=seed), np.random.default_rng(seed)
    for step in range(how.steps):
        rate = how.rate * SCHEDULES["one_cycle"]((step + 0.5) / how.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["times"]
        rows, _ = draws(step * how.batch, (step + 1) * how.batch)
        shown = views[0][rows]
        if len(views) > 1:
            mirror = (rng.random(len(rows)) < 0.5).reshape(-1, *[1] * (shown.ndim - 1))
            shown = np.where(mirror, views[1][rows], shown)
        logits = net(torch.from_numpy(shown).float())
        loss = F.cross_entropy(
            logits, torch.from_numpy(labels[rows]), label_smoothing=how.smoothing
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


def logits_of(net: torch.nn.Module, values: Values) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [values[i : i + 64] for i in range(0, len(values), 64)]
        return np.concatenate([net(torch.from_numpy(part).float()).numpy() for part in parts])


def line(pictures: Pictures, how: Setting) -> str:
    kind = StratifiedGroupKFold if how.grouped else StratifiedKFold
    views = [pictures.values(how.blocks, mirror) for mirror in (False, True)[: 1 + how.flip]]
    labels, logits, rows = pictures.labels, [], []
    folds = kind(how.folds, shuffle=True, random_state=0).split(labels, labels, pictures.groups)
    for number, (train, held) in enumerate(folds):
        if number < how.only:
            net = fitted(how, [view[train] for view in views], labels[train], number)
            logits.append(logits_of(net, views[0][held]))
            rows.append(held)
    found, truth = np.concatenate(logits), labels[np.concatenate(rows)]
    figures = [
        balanced_accuracy_score(truth, found.argmax(1)),
        f1_score(truth, found.argmax(1), average="macro"),
        roc_auc_score(truth, softmax(found, axis=1), multi_class="ovr"),
    ]
    mine = [
        f"{f.name} {getattr(how, f.name)}" for f in fields(how) if getattr(how, f.name) != f.default
    ]
    return f"| {', '.join(mine) or 'as is'} | {' | '.join(f'{100 * v:.1f}' for v in figures)} |"


def one_prior(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Offsets after a calibration whose biases all have a standard normal prior."""
    truth = np.eye(logits.shape[1])[labels]

    def loss(x: NDArray[np.float64]) -> float:
        logs = log_softmax(np.exp(x[0]) * logits + x[1:], axis=1)
        return float((x @ x / 2 - (logs * truth).sum()) / len(logits))

    found = minimize(loss, np.zeros(1 + logits.shape[1])).x
    scale = np.exp(found[0])
    shares = softmax(scale * logits + found[1:], axis=1).mean(0)
    return (found[1:] - np.log(shares)) / scale


def decisions(pictures: Pictures) -> None:
    """Means of balanced accuracy and macro F1 of each decision."""
    values, labels = np.asarray(pictures.values(0), np.float32), pictures.labels
    groups, counts = pictures.groups, np.bincount(pictures.labels)
    print("| regression | decision | balanced accuracy | macro F1 |\n|---|---|---|---|")
    for weight in (None, "balanced"):
        for strength in (0.001, 0.1):
            logits = np.zeros((len(labels), len(counts)))
            folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
            for train, held in folds.split(values, labels, groups):
                regression = LogisticRegression(C=strength, class_weight=weight, max_iter=200)
                model = make_pipeline(StandardScaler(), regression).fit(
                    values[train], labels[train]
                )
                logits[held] = model.decision_function(values[held])
            ways = {
                "plain": lambda z, y: 0.0,
                "tuned, one prior": one_prior,
                "tuned": lambda z, y: tune(z, y).offsets,
                "half the tuned offsets": lambda z, y: np.divide(tune(z, y).offsets, 2),
                "adjusted": lambda z, y: adjust(z, y, counts).offsets,
            }
            scores: dict[str, list] = {way: [] for way in ways}
            for repeat in range(REPEATS):
                parts = GroupShuffleSplit(1, train_size=HELD_OUT, random_state=repeat)
                few, rest = next(parts.split(logits, labels, groups))
                if len(np.unique(labels[few])) < len(counts):
                    continue
                for way, choose in ways.items():
                    decided = (logits[rest] + choose(logits[few], labels[few])).argmax(1)
                    truth = labels[rest]
                    f1 = partial(f1_score, average="macro")
                    figures = [score(truth, decided) for score in (balanced_accuracy_score, f1)]
                    scores[way].append(figures)
            for way, found in scores.items():
                means = " | ".join(f"{100 * mean:.1f}" for mean in np.mean(found, axis=0))
                print(f"| C {strength}, weights {weight} | {way} | {means} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("name", choices=SETS)
    parser.add_argument("settings", nargs="*", metavar="FIELD=VALUE")
    parser.add_argument("--decisions", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures = load(options.folder, options.name)
    if options.decisions:
        decisions(pictures)
        return
    given = dict(pair.split("=", 1) for pair in options.settings)
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(Setting)}
    typed = {
        name: value == "true" if kinds[name] is bool else kinds[name](value)
        for name, value in given.items()
    }
    print(line(pictures, replace(Setting(), **typed)))


if __name__ == "__main__":
    main()
