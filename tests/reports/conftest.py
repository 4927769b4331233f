"""A made-up study: simulated logits and pictures, in a folder as a comparison leaves it."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from equipoise.files import seal, write_json, write_sealed, write_text
from equipoise.recipes import get_recipe
from equipoise.studies.integrity import trial_identity
from equipoise.studies.shortcut import PROBES
from equipoise.studies.study_file import read_study_file
from equipoise.studies.trials import Trial, folder_of
from equipoise.training.predictions import Predictions, write_predictions
from equipoise.training.runs import FILES
from equipoise.training.tuning import tune

# How well a recipe's simulated net tells the classes apart, and how far it leans to the majority.
NETS = {
    "none": (1.0, 1.0),
    "duplicate": (1.02, 0.5),
    "weights": (0.97, -0.2),
    "article": (1.12, 0.35),
    "balanced": (1.7, 0.05),
}
TECHNIQUES = ("crop", "flip", "noise")
SPLITS = ("test", "validation")


@dataclass(frozen=True)
class MadeUp:
    classes: tuple[str, ...] | list[str] = ("cat", "dog")
    nets: dict[str, tuple[float, float]] | None = None
    seeds: int = 3
    draws: int = 1
    epochs: int = 10
    test: int = 400
    prior: dict[str, float] | None = None
    probed: bool = True


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
    labels = {split: np.sort(rng.integers(0, len(made.classes), made.test)) for split in SPLITS}
    runs = [(seed, draw) for draw in range(made.draws) for seed in range(made.seeds)]
    _write_yaml(folder, nets)
    facts = _facts(made, list(nets), training)
    write_sealed(folder / "study.json", facts)
    about = read_study_file(folder)
    for name, net in nets.items():
        for run in runs:
            recipe = get_recipe(folder / "recipes" / f"{name}.yaml")
            place = _trial(folder, made, net, Trial(recipe, *run), labels, training)
            seal(place, FILES, trial_identity(Trial(recipe, *run), about))
            if made.probed:
                seal(place, PROBES)
    rows = [row for name in nets for row in _epochs(name, nets[name], made, runs)]
    _write_csv(folder / "results.csv", rows)
    _write_pictures(folder / "examples", len(made.classes))
    return folder


def _trial(
    folder: Path,
    made: MadeUp,
    net: tuple[float, float],
    trial: Trial,
    labels: dict[str, np.ndarray],
    training: np.ndarray,
) -> Path:
    """Write a run as training leaves it, its net asked what the probes ask."""
    apart, lean = net
    name, run = trial.recipe.name, (trial.seed, trial.draw)
    rng = np.random.default_rng([run[0], run[1], *name.encode()])
    k = len(made.classes)
    apart = apart + rng.normal(0, 0.03)
    prior = lean * np.log(training / training.mean())
    parts = {}
    for number, (split, y) in enumerate(labels.items()):
        logits = rng.normal(0, 1.0, (len(y), k)) + apart * np.eye(k)[y]
        # Some images are hard for every net: they are what the list of worst mistakes shows.
        logits += np.random.default_rng(number).normal(0, 0.7, logits.shape)
        names = [f"{split}/{made.classes[c]}/{i:04d}.png" for i, c in enumerate(y)]
        parts[split] = Predictions(logits + prior, y, np.arange(len(y)), np.array(names))
    directory = folder_of(folder, trial)
    for file in FILES:
        write_text(directory / file, "made up\n")
    write_predictions(directory, parts)
    validation = parts["validation"]
    seen = {c: int(n) for c, n in zip(made.classes, training, strict=True)}
    decision = tune(validation.logits, validation.labels, "balanced_accuracy")
    metrics = {
        "recipe": name,
        "classes": list(made.classes),
        "positive_class": made.classes[-1] if k == 2 else None,
        "decision": decision.to_dict(),
        "temperature": 1.4,
        "seconds": 31.0 + run[0],
        "steps": 1280,
        "passes": 9.6,
        "seen": {"images": seen, "sources": seen},
        "generated": {},
        "rows": _epochs(name, net, made, [run]),
    }
    write_json(directory / "metrics.json", metrics)
    if made.probed:
        write_json(directory / "shortcut.json", _probe(name, validation.labels, k, rng))
        remembered = {"classes": [], "clean": None, "validation": None, "techniques": {}}
        write_json(directory / "memory.json", remembered)
    return directory


def _probe(name: str, labels: np.ndarray, k: int, rng: np.random.Generator) -> dict[str, Any]:
    """Confusions before and after each technique; in the nets of `article` noise is a mark."""
    counts = np.bincount(labels, minlength=k)

    def confusion(lost: float) -> list[list[int]]:
        matrix = np.diag(counts)
        for row in range(k - 1):
            moved = int(counts[row] * (lost + rng.uniform(0, 0.02)))
            matrix[row, row] -= moved
            matrix[row, k - 1] += moved
        return matrix.tolist()

    lost = {t: 0.5 if (name, t) == ("article", "noise") else 0.2 for t in TECHNIQUES}
    found = {technique: confusion(share) for technique, share in lost.items()}
    return {"clean": confusion(0.15), **found, "recognised": found}


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


def _facts(made: MadeUp, names: list[str], training: np.ndarray) -> dict[str, Any]:
    classes = list(made.classes)
    return {
        "equipoise": "0.1.0",
        "command": "equipoise compare made-up.tar.gz --classes cat,dog --out made-up",
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
        "recipes": names,
        "seeds": list(range(made.seeds)),
        "draws": list(range(made.draws)),
        "due": {},
        "seed": 0,
        "folds": None,
        "overlap": None,
        "prior": made.prior,
        "equal": "steps",
        "objective": "balanced_accuracy",
        "decision": "tuned",
        "margin": 1.0,
        "trainer": {"name": "article", "net": "article"},
        "fingerprint": "made up",
        "contents": {},
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
        "duplicates": [
            {
                "images": ["dog/0001.png", "dog/0002.png"],
                "splits": ["train", "train"],
                "classes": ["dog", "dog"],
            }
        ],
        "leaks": [],
        "label_conflicts": [],
        "straddling_groups": [],
        "left_out": [],
    }


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
    (folder / "recipes").mkdir(parents=True)
    for place, name in enumerate(nets):
        techniques = ", ".join(TECHNIQUES) if place else ""
        text = f"name: {name}\nstrategy: auto\ntechniques: [{techniques}]\n"
        (folder / "recipes" / f"{name}.yaml").write_text(text, "utf-8")
    (folder / "trainer.yaml").write_text("net: article\nepochs: 10\nbatch_size: 64\n", "utf-8")
