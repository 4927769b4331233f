"""A made-up study: simulated logits and pictures, figures computed from them as a study does."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image
from scipy import stats

from equipoise.metrics import HIGHER_IS_BETTER, figures

# How well a recipe's simulated net tells the classes apart, and how far it leans to the majority.
NETS = {
    "none": (1.0, 1.0),
    "duplicate": (1.02, 0.5),
    "weights": (0.97, -0.2),
    "article": (1.12, 0.35),
    "balanced": (1.7, 0.05),
}
TECHNIQUES = ("crop", "flip", "noise")


@dataclass(frozen=True)
class MadeUp:
    classes: Sequence[str] = ("cat", "dog")
    nets: dict[str, tuple[float, float]] | None = None
    seeds: int = 3
    draws: int = 1
    epochs: int = 10
    test: int = 400


@pytest.fixture(scope="session")
def make_study() -> Callable[[Path, MadeUp], Path]:
    return build


@pytest.fixture(scope="session")
def made_up() -> type[MadeUp]:
    return MadeUp


def build(folder: Path, made: MadeUp | None = None) -> Path:
    made = made or MadeUp()
    nets = made.nets or NETS
    training = np.linspace(4080, 1020, len(made.classes)).astype(int)
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, len(made.classes), made.test))
    runs = [(seed, draw) for draw in range(made.draws) for seed in range(made.seeds)]
    found = {
        name: [_trial(folder, made, name, net, run, labels, training) for run in runs]
        for name, net in nets.items()
    }
    rows = [row for name in nets for row in _epochs(name, nets[name], made, runs)]
    _write_csv(folder / "results.csv", rows)
    _write_pictures(folder / "examples", len(made.classes))
    _write_yaml(folder, nets)
    summary = _summary(made, list(nets), found, training)
    (folder / "summary.json").write_text(json.dumps(summary), "utf-8")
    return folder


def _trial(
    folder: Path,
    made: MadeUp,
    name: str,
    net: tuple[float, float],
    run: tuple[int, int],
    labels: np.ndarray,
    training: np.ndarray,
) -> dict[str, Any]:
    apart, lean = net
    rng = np.random.default_rng([run[0], run[1], *name.encode()])
    k = len(made.classes)
    apart = apart + rng.normal(0, 0.06)
    logits = rng.normal(0, 1.0, (len(labels), k)) + apart * np.eye(k)[labels]
    # Some images are hard for every net: they are what the list of worst mistakes shows.
    logits += np.random.default_rng(1).normal(0, 0.7, logits.shape)
    prior = lean * np.log(training / training.mean())
    directory = folder / "trials" / f"{name}-seed{run[0]}-draw{run[1]}"
    directory.mkdir(parents=True)
    table = {
        "split": ["test"] * len(labels),
        "id": np.arange(len(labels)),
        "name": [f"test/{made.classes[y]}/{i:04d}.png" for i, y in enumerate(labels)],
        "label": labels,
        **{f"logit_{c}": (logits + prior)[:, c] for c in range(k)},
    }
    pa.parquet.write_table(pa.table(table), directory / "predictions.parquet")
    positive = 1 if k == 2 else None
    tuned = (logits + prior * rng.normal(0, 0.1)).argmax(1)
    return {
        "plain": figures(logits + prior, labels, positive=positive),
        "tuned": figures(logits + prior, labels, positive=positive, predictions=tuned),
    }


def _epochs(
    name: str, net: tuple[float, float], made: MadeUp, runs: list[tuple[int, int]]
) -> list[dict[str, Any]]:
    rng = np.random.default_rng([9, *name.encode()])
    rows = []
    for seed, draw in runs:
        for epoch in range(1, made.epochs + 1):
            learned = 1 - np.exp(-epoch / 3)
            row: dict[str, Any] = {"recipe": name, "seed": seed, "draw": draw, "epoch": epoch}
            row |= {"step": epoch * 128, "passes": epoch * 1.1}
            for split, fade in (("training", 1.0), ("validation", 0.85)):
                noise = rng.normal(0, 0.015)
                row[f"{split}_loss"] = 0.69 - 0.14 * net[0] * learned * fade + abs(noise)
                row[f"{split}_accuracy"] = 0.5 + 0.15 * net[0] * learned * fade + noise
                row[f"{split}_recall"] = min(1, 0.28 * net[0] * learned * fade + abs(2 * noise))
                row[f"{split}_precision"] = 0.55 + 0.1 * net[0] * learned * fade + noise
                row[f"{split}_balanced_accuracy"] = 0.5 + 0.12 * net[0] * learned * fade + noise
            rows.append(row)
    return rows


def _summary(
    made: MadeUp, names: list[str], found: dict[str, list[dict[str, Any]]], training: np.ndarray
) -> dict[str, Any]:
    classes = list(made.classes)
    return {
        "equipoise": "0.1.0",
        "command": "equipoise compare made-up.tar.gz --classes cat,dog --out made-up",
        "finished": True,
        "missing": [],
        "failed": {},
        "versions": {"python": "3.11.0", "numpy": np.__version__},
        "machine": {"cores": 2, "processor": "made up"},
        "data": {
            "source": "made-up.tar.gz",
            "digest": "0" * 32,
            "classes": classes,
            "audit": _audit(classes, training),
            "notes": ["Simulated figures: this study was made up for a test."],
        },
        "positive_class": classes[-1] if len(classes) == 2 else None,
        "seeds": list(range(made.seeds)),
        "draws": list(range(made.draws)),
        "equal": "steps",
        "objective": "balanced_accuracy",
        "trainer": {"net": "article"},
        "recipes": {name: {"name": name} for name in names},
        "table": [_row(name, found[name], classes, training) for name in names],
        "differences": _differences(names, found),
        "shortcut": _shortcut(names, classes),
        "shortcut_words": [
            f"In nets trained with 'article', noise has become a mark of {classes[-1]}."
        ],
    }


def _audit(classes: list[str], training: np.ndarray) -> dict[str, Any]:
    return {
        "images": int(training.sum()) + 400 * len(classes),
        "classes": [
            {"name": c, "label": k, "training": int(training[k]), "validation": 180, "test": 200}
            for k, c in enumerate(classes)
        ],
        "imbalance_ratio": float(training.max() / training.min()),
        "sizes": {"32×32": int(training.sum())},
        "modes": {"RGB": int(training.sum())},
        "broken": [{"name": "cat/0007.jpg", "reason": "truncated file"}],
        "duplicates": [["dog/0001.png", "dog/0002.png"]],
        "leaks": [],
        "label_conflicts": [],
    }


def _row(
    name: str, runs: list[dict[str, Any]], classes: list[str], training: np.ndarray
) -> dict[str, Any]:
    decisions = ("plain", "tuned")
    return {
        "recipe": name,
        "runs": len(runs),
        "seconds": estimate([31.0 + k for k in range(len(runs))]),
        "steps": 1280,
        "passes": 9.6,
        "distinct_images": {c: float(n) for c, n in zip(classes, training, strict=True)},
        **{d: {m: estimate([r[d][m] for r in runs]) for m in HIGHER_IS_BETTER} for d in decisions},
        "per_class": {
            d: {
                c: {
                    m: estimate([r[d][f"per_class_{m}"][k] for r in runs])
                    for m in ("recall", "precision")
                }
                for k, c in enumerate(classes)
            }
            for d in decisions
        },
        "confusion": {
            d: np.sum([r[d]["confusion"] for r in runs], axis=0).tolist() for d in decisions
        },
    }


def _differences(names: list[str], found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        for label, mine, theirs in (
            ("plain", "plain", "plain"),
            ("tuned", "tuned", "tuned"),
            ("tuned vs plain baseline", "tuned", "plain"),
        ):
            if name == names[0] and mine == theirs:
                continue
            for metric in HIGHER_IS_BETTER:
                pairs = zip(found[name], found[names[0]], strict=True)
                values = [a[mine][metric] - b[theirs][metric] for a, b in pairs]
                apart = estimate(values)
                rows.append(
                    {
                        "recipe": name,
                        "decision": label,
                        "metric": metric,
                        **apart,
                        "runs": len(values),
                        "verdict": verdict(apart),
                    }
                )
    return rows


def _shortcut(names: list[str], classes: list[str]) -> dict[str, Any]:
    marked = {"article": {"noise": 0.27, "crop": 0.09}}
    return {
        name: {
            technique: {
                c: {
                    "clean": 0.2,
                    "augmented": 0.26 + (excess if k == 0 else -excess / 2),
                    "toward": classes[-1] if k == 0 else classes[0],
                    "excess": excess if k == 0 else -excess / 2,
                }
                for k, c in enumerate(classes)
            }
            for technique in TECHNIQUES
            for excess in [marked.get(name, {}).get(technique, 0.01)]
        }
        for name in names
    }


def estimate(values: Sequence[float]) -> dict[str, Any]:
    """Mean and Student interval; no interval with one run."""
    mean, low, high = float(np.mean(values)), None, None
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
        low, high = mean - float(half), mean + float(half)
    return {"mean": mean, "low": low, "high": high, "values": [float(v) for v in values]}


def verdict(apart: dict[str, Any]) -> str:
    if apart["low"] is None:
        return "one run: no verdict"
    if apart["low"] > 0:
        return "higher"
    return "lower" if apart["high"] < 0 else "no difference shown"


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_pictures(folder: Path, classes: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(2)
    rows = min(classes, 10)
    tiles = rng.integers(40, 220, (rows * 66, 396, 3), dtype=np.uint8)
    for k, name in enumerate(("clean", *TECHNIQUES)):
        Image.fromarray(np.clip(tiles + 10 * k, 0, 255).astype(np.uint8)).resize(
            (396, rows * 66)
        ).save(folder / f"{name}.png")


def _write_yaml(folder: Path, nets: dict[str, tuple[float, float]]) -> None:
    (folder / "recipes").mkdir()
    for name in nets:
        text = f"name: {name}\nstrategy: auto\ntechniques:\n- crop\n- flip\n- noise\n"
        (folder / "recipes" / f"{name}.yaml").write_text(text, "utf-8")
    (folder / "trainer.yaml").write_text("net: article\nepochs: 10\nbatch_size: 64\n", "utf-8")
