"""How often does a comparison claim a difference where there can be none?

Forty small comparisons on real images with permuted labels: four hundred of scikit-learn's
handwritten digits, a fifth of them called "rare" by lot. Nothing can be learned, so no measure
helps, and whatever an answer recommends is a false alarm. Three seeds a recipe, as `compare` has by
default.

    python benchmarks/false_alarms.py --out runs/false-alarms --page docs/results/false-alarms.md

writes a file a comparison, goes on where it was when it is started again, and prints the counts;
with --page it writes them down. On one core it takes some ten minutes.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_digits

import equipoise as eq
from equipoise.files import read_json, write_json, write_text
from equipoise.images import Splits
from equipoise.studies.words import answer
from equipoise.training import Trainer

RECIPES = ("none", "duplicate", "weights")
IMAGES, RARE, SIDE = 400, 80, 16
KEPT = ("recipe", "decision", "metric", "mean", "p", "p_holm", "verdict", "shown")
# Long enough for a net to learn some of its training images by heart.
TRAINER = Trainer(name="short", epochs=3, batch_size=32)


def permuted(number: int) -> Splits:
    """Return the images of one comparison, their labels given out by lot."""
    rng = np.random.default_rng(number)
    pixels = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    chosen = rng.choice(len(pixels), IMAGES, replace=False)
    images = np.stack([cv2.resize(pixels[row], (SIDE, SIDE)) for row in chosen])
    labels = np.where(rng.permutation(IMAGES) < RARE, "rare", "usual")
    return eq.load((images, labels), classes=["usual", "rare"], seed=number)


def compared(number: int, seeds: int, out: Path) -> dict[str, Any]:
    """Run one comparison, or read what it gave; only its verdicts are kept."""
    kept = out / f"{number:02d}.json"
    if not kept.is_file():
        folder = out / f"{number:02d}"
        study = eq.compare(
            permuted(number), RECIPES, seeds=seeds, trainer=TRAINER, jobs=1, out=folder
        )
        found = answer(study.summary)
        rows = [row for row in study.differences if row["comparisons"]]
        verdicts = [{key: row[key] for key in KEPT} for row in rows]
        write_json(kept, {"kind": found.kind, "answer": found.sentence, "verdicts": verdicts})
        shutil.rmtree(folder)
    return read_json(kept)


def counts(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count alarms: by answer, by comparison, and by single difference."""
    verdicts = [row for result in results for row in result["verdicts"]]
    return {
        "comparisons": len(results),
        "alarms": sum(result["kind"] in ("use", "decision alone", "tune") for result in results),
        "any shown": sum(any(row["shown"] for row in result["verdicts"]) for result in results),
        "any by interval": sum(any(map(_excludes, result["verdicts"])) for result in results),
        "differences": len(verdicts),
        "by interval": sum(map(_excludes, verdicts)),
        "after Holm": sum(row["shown"] for row in verdicts),
    }


def _excludes(row: Mapping[str, Any]) -> bool:
    return row["verdict"] in ("higher", "lower")


def page(found: Mapping[str, int], seeds: int) -> str:
    """Return the counts as the page that is published."""

    def line(what: str, count: str, of: str) -> str:
        return f"| {what} | {found[count]} | {found[of]} | {found[count] / found[of]:.1%} |"

    each = found["differences"] // found["comparisons"]
    return f"""# False alarms: what is claimed where nothing can help

{found["comparisons"]} comparisons of {", ".join(f"`{name}`" for name in RECIPES)}, {seeds} seeds a
recipe, on {IMAGES} handwritten digits whose labels are permuted: {RARE} are called rare by lot, so
there is nothing to learn, and the true difference of any two recipes in balanced accuracy is zero.

```sh
python benchmarks/false_alarms.py --out runs/false-alarms --page docs/results/false-alarms.md
```

| | count | of | share |
|---|---|---|---|
{line("answers that recommend a recipe or a decision", "alarms", "comparisons")}
{line("comparisons with any difference shown after Holm's correction", "any shown", "comparisons")}
{line("comparisons with any interval that excludes zero", "any by interval", "comparisons")}
{line("single differences whose 95 % interval excludes zero", "by interval", "differences")}
{line("single differences shown after Holm's correction", "after Holm", "differences")}

Each comparison makes {each} differences that pages give a verdict on: balanced accuracy, each
recipe's tuned decision against the first one's plain decision, tuned against tuned and plain
against plain; and the ROC-AUC of each recipe but the first. Holm's correction is over the recipes,
[question by question](../statistics.md#many-comparisons), and the first question is a gate for the
others: it is meant to keep comparisons that claim anything at all, where nothing can help, to one
in twenty. The intervals are not corrected; what they alone would show is marked "alone" on the
pages.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/false-alarms"))
    parser.add_argument("--comparisons", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    for number in range(options.comparisons):
        results.append(compared(number, options.seeds, options.out))
        print(number, results[-1]["answer"], flush=True)
    found = counts(results)
    print(found)
    if options.page:
        write_text(options.page, page(found, options.seeds))


if __name__ == "__main__":
    main()
