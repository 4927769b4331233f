"""What is the tuned decision worth on images that it was not tuned on?

For the finished runs of studies of two classes: the balanced accuracy on the test split of the
plain decision, of the threshold that is best on the validation images themselves (what
scikit-learn's TunedThresholdClassifierCV takes), and of ours, each tuned on all validation images
of a run and on random parts of them.

    python benchmarks/decisions.py runs/article runs/equal-epochs
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from equipoise.training import tune
from equipoise.training.predictions import read_predictions

PARTS = (1.0, 0.3, 0.1)

Sample = tuple[NDArray[np.float64], NDArray[np.int64]]


def read(folder: Path) -> dict[str, Sample]:
    """Return the logits and labels of a run's validation and test split."""
    parts = {split: read_predictions(folder, split) for split in ("validation", "test")}
    return {split: (of.logits.astype(np.float64), of.labels) for split, of in parts.items()}


def part_of(sample: Sample, share: float, rng: np.random.Generator) -> Sample:
    """Return a random part of each class."""
    logits, labels = sample
    rows = [np.flatnonzero(labels == k) for k in (0, 1)]
    kept = np.concatenate([rng.choice(r, round(share * len(r)), replace=False) for r in rows])
    return logits[kept], labels[kept]


def balanced(margins: NDArray[np.float64], labels: NDArray[np.int64], threshold: float) -> float:
    found = margins > threshold
    return float((found[labels == 1].mean() + 1 - found[labels == 0].mean()) / 2)


def best_on_the_images(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the middle of the gap between margins that has the highest balanced accuracy."""
    margins = logits[:, 1] - logits[:, 0]
    false, true, thresholds = roc_curve(labels, margins, drop_intermediate=False)
    place = int((true - false).argmax())
    below = margins[margins < thresholds[place]]
    return float((thresholds[place] + below.max()) / 2) if len(below) else thresholds[place] - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+")
    options = parser.parse_args()
    files = [p for s in options.studies for p in sorted(s.glob("trials/*/predictions.parquet"))]
    runs, rng = [read(path.parent) for path in files], np.random.default_rng(0)
    print(f"{len(runs)} runs\n")
    print("| validation images of the rarer class | plain | best on the images | ours |")
    print("|---|---|---|---|")
    for share in PARTS:
        scores = []
        for run in runs:
            logits, labels = part_of(run["validation"], share, rng)
            offsets = tune(logits, labels).offsets
            ways = (0.0, best_on_the_images(logits, labels), offsets[0] - offsets[1])
            there, truth = run["test"]
            scores.append([balanced(there[:, 1] - there[:, 0], truth, way) for way in ways])
        counts = int(np.bincount(labels).min())
        cells = " | ".join(f"{100 * mean:.1f}" for mean in np.mean(scores, axis=0))
        print(f"| {counts} | {cells} |")


if __name__ == "__main__":
    main()
