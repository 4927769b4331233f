"""How often does a comparison claim a difference where there can be none?

Forty small comparisons on real images with permuted labels: four hundred of scikit-learn's
handwritten digits, a fifth of them called "rare" by lot. Nothing can be learned, so no measure
helps, and whatever an answer recommends is a false alarm. Seeds by need, as `compare` has by
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
from equipoise.training import Trainer

RECIPES = ("none", "duplicate", "weights")
IMAGES, RARE, SIDE = 400, 80, 16
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


def compared(number: int, out: Path) -> dict[str, Any]:
    """Run one comparison, or read what it gave; only its verdicts are kept."""
    kept = out / f"{number:02d}.json"
    if not kept.is_file():
        folder = out / f"{number:02d}"
        study = eq.compare(permuted(number), RECIPES, trainer=TRAINER, jobs=1, out=folder)
        summary = study.summary
        asked = [summary.question, summary.tuning, summary.ranking]
        found = {
            "kind": study.answer.kind,
            "answer": study.answer.sentence,
            "runs": sum(row.runs for row in summary.table),
            "verdicts": {
                question.asks: [one.verdict for one in question.comparisons]
                for question in asked
                if question is not None
            },
            "marks": len(summary.marks),
        }
        write_json(kept, found)
        shutil.rmtree(folder)
    return read_json(kept)


def counts(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count claims: by answer and by question."""

    def claimed(asks: str) -> int:
        return sum(
            any(one in ("better", "worse") for one in result["verdicts"].get(asks, ()))
            for result in results
        )

    return {
        "comparisons": len(results),
        "use": sum(result["kind"] == "use" for result in results),
        "tune": sum(result["kind"] == "tune" for result in results),
        "recipes": claimed("recipes"),
        "tuning": claimed("tuning"),
        "ranking": claimed("ranking"),
        "marks": sum(result["marks"] > 0 for result in results),
        "runs": sum(result["runs"] for result in results),
    }


def page(found: Mapping[str, int]) -> str:
    """Return the counts as the page that is published."""
    number = found["comparisons"]

    def line(what: str, count: str) -> str:
        return f"| {what} | {found[count]} | {number} | {found[count] / number:.1%} |"

    return f"""# False alarms: what is claimed where nothing can help

{number} comparisons of {", ".join(f"`{name}`" for name in RECIPES)} with seeds by need, on {IMAGES}
handwritten digits whose labels are permuted: {RARE} are called rare by lot, so there is nothing to
learn, and the true difference of any two recipes in balanced accuracy is zero.

```sh
python benchmarks/false_alarms.py --out runs/false-alarms --page docs/results/false-alarms.md
```

| | count | of | share |
|---|---|---|---|
{line("answers that recommend a recipe", "use")}
{line("answers that recommend tuning the decision", "tune")}
{line("any recipe better or worse than the baseline, both tuned", "recipes")}
{line("tuning the baseline better or worse than not", "tuning")}
{line("any recipe's net better or worse at ranking", "ranking")}
{line("any technique called the mark of a class", "marks")}

{found["runs"]} runs were made, {found["runs"] / number / len(RECIPES):.1f} a recipe. Each of the
three [questions](../statistics.md) is meant to keep such claims to one comparison in twenty.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/false-alarms"))
    parser.add_argument("--comparisons", type=int, default=40)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    for number in range(options.comparisons):
        results.append(compared(number, options.out))
        print(number, results[-1]["answer"], flush=True)
    found = counts(results)
    print(found)
    if options.page:
        write_text(options.page, page(found))


if __name__ == "__main__":
    main()
