"""How much of the article's improvement is upsampling, and how much is repair of its trainer?

The article's trainer has three faults that this package's trainer lacks. Each is switched on here
alone, and all three together ("as written"), with and without upsampling, at the article's own
budget of ten passes over each recipe's own set. (The trainer with none of them is the package's:
`equipoise compare … --equal epochs` has its figures.)

- softmax: the net ends in softmax, and the cross-entropy applies softmax again;
- frozen: the net is put in training mode once, so that from epoch 2 on it trains with the
  batch-norm statistics of epoch 1;
- one order: nothing is shuffled, so every epoch visits the images in the same order. The article's
  lists are mixed; what an order by class (a folder's) does instead is measured too.

    python benchmarks/article_faults.py ARCHIVE --out runs/faults --seeds 3 --jobs 2

writes a file a run, goes on where it was when it is started again, and prints a table.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

import equipoise as eq
from equipoise import keys
from equipoise.files import read_json, write_json
from equipoise.recipes import get_recipe
from equipoise.studies.estimates import over_runs
from equipoise.training import fit, get_trainer, presenting
from equipoise.training.nets.article import article

FAULTS: dict[str, tuple[str, ...]] = {
    "as written": ("softmax", "frozen", "one order"),
    "as written, class by class": ("softmax", "frozen", "class by class"),
    "softmax only": ("softmax",),
    "frozen only": ("frozen",),
    "one order only": ("one order",),
    "class by class only": ("class by class",),
}
RECIPES = ("none", "article")


class FaultyNet(nn.Module):
    """The article's net with its softmax, its training mode that is never set again, or both."""

    def __init__(self, net: nn.Module, faults: Sequence[str]) -> None:
        super().__init__()
        self.net = net
        self.softmax = "softmax" in faults
        self.freezes = "frozen" in faults
        self.epochs = 0

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return logits.softmax(1) if self.softmax else logits

    def train(self, mode: bool = True) -> "FaultyNet":
        self.epochs += mode
        return super().train(mode and not (self.freezes and self.epochs > 1))


class OneOrder:
    """Stands in for the trainer's draws: the same mixed order of the rows, pass after pass."""

    def __init__(self, labels: ArrayLike, way: str = "natural", *, seed: int, **_: object) -> None:
        self.order = keys.order(seed, np.arange(len(np.asarray(labels))), "one order")

    def __call__(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        passes, place = np.divmod(np.arange(start, stop), len(self.order))
        return self.order[place], passes


class ClassByClass(OneOrder):
    """The rows as they are stored: all cats, all dogs, and then the copies."""

    def __init__(self, labels: ArrayLike, way: str = "natural", *, seed: int, **_: object) -> None:
        self.order = np.arange(len(np.asarray(labels)))


ORDERS = {"one order": OneOrder, "class by class": ClassByClass}


def run(data: eq.Splits, recipe: str, variant: str, seed: int, path: Path) -> None:
    faults = FAULTS[variant]
    shuffled = presenting.Draws
    for name in set(faults) & set(ORDERS):
        presenting.Draws = ORDERS[name]  # type: ignore[misc, assignment]
    try:
        done = fit(
            data,
            get_recipe(recipe),
            get_trainer("article"),
            seed=seed,
            equal="epochs",
            net=lambda *shape: FaultyNet(article(*shape), faults),
        )
    finally:
        presenting.Draws = shuffled  # type: ignore[misc]
    wanted = ("balanced_accuracy", "recall", "roc_auc")
    write_json(
        path,
        {
            "recipe": recipe,
            "variant": variant,
            "seed": seed,
            "seconds": done.metrics["seconds"],
            **{f"plain_{key}": done.metrics["test"]["plain"][key] for key in wanted},
            "tuned_balanced_accuracy": done.metrics["test"]["tuned"]["balanced_accuracy"],
            "validation_recall": [row["validation_recall"] for row in done.rows],
        },
    )


def cell(runs: list[dict[str, Any]], key: str) -> str:
    values = over_runs([run[key] for run in runs], [(k, 0) for k in range(len(runs))])
    half = "" if values.half is None else f" ± {100 * values.half:.1f}"
    return f"{100 * (values.mean or 0.0):.1f}{half}"


def print_table(folder: Path) -> None:
    runs = [read_json(path) for path in sorted(folder.glob("*.json"))]
    print("| trainer | recipe | runs | balanced accuracy | recall | tuned | ROC-AUC | wandering |")
    print("|---|---|---|---|---|---|---|---|")
    for variant in FAULTS:
        for recipe in RECIPES:
            mine = [r for r in runs if (r["variant"], r["recipe"]) == (variant, recipe)]
            if not mine:
                continue
            # How far validation recall moves from one epoch to the next, after the third.
            moves = np.mean([np.abs(np.diff(r["validation_recall"][3:])).mean() for r in mine])
            cells = [
                cell(mine, key)
                for key in (
                    "plain_balanced_accuracy",
                    "plain_recall",
                    "tuned_balanced_accuracy",
                    "plain_roc_auc",
                )
            ]
            row = [variant, recipe, str(len(mine)), *cells, f"{moves * 100:.0f}"]
            print("| " + " | ".join(row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("archive", help="CIFAR-10 as an archive of class folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    data = eq.load(options.archive, classes=["cat", "dog"], take={"cat": 4800, "dog": 1200})
    wanted = {
        options.out / f"{recipe}-{variant.replace(', ', '-').replace(' ', '-')}-{seed}.json": (
            recipe,
            variant,
            seed,
        )
        for seed in range(options.seeds)
        for variant in FAULTS
        for recipe in RECIPES
    }
    Parallel(n_jobs=options.jobs)(
        delayed(run)(data, *which, path) for path, which in wanted.items() if not path.exists()
    )
    print_table(options.out)


if __name__ == "__main__":
    main()
