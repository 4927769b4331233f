"""How far is what a search found ahead of the article's way, recipe and trainer?

    equipoise search cifar10-images.tar.gz --classes cat,dog --take cat=4800,dog=1200 \\
        --budget 60m --trainer-fields --out runs/search
    python benchmarks/search_against_article.py cifar10-images.tar.gz

trains the article's recipe with the article's trainer on the same splits and with the first seeds
of the search's confirmation, and sets the winner against it, run by run: paired differences on the
test split with their 95 % intervals. A run takes two to three minutes of one core; finished ones
are kept.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import equipoise as eq
from equipoise.objectives import get_objective
from equipoise.studies.inference import differences, levels
from equipoise.studies.scoring import Setting, score
from equipoise.studies.search import open_search
from equipoise.studies.study_file import read_plan
from equipoise.studies.trials import Outcome, read_outcome

TAKE = {"cat": 4800, "dog": 1200}
METRICS = {"balanced_accuracy": "balanced accuracy", "roc_auc": "ROC-AUC", "accuracy": "accuracy"}


def runs_of(study: Path, recipe: str, seeds: Sequence[int], called: str) -> list[Outcome]:
    """Return the runs of a recipe with these seeds, under another name."""
    trials = [t for t in read_plan(study).trials if t.recipe.name == recipe and t.seed in seeds]
    read = [read_outcome(study, trial) for trial in trials]
    return [replace(outcome, recipe=called) for outcome in read if outcome is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--search", type=Path, default=Path("runs/search"))
    parser.add_argument("--out", type=Path, default=Path("runs/search-article"))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    found = open_search(options.search)
    seeds = found.study.summary.seeds[: options.seeds]
    data = eq.load(options.data, classes=["cat", "dog"], take=TAKE)
    eq.compare(
        data, ["article"], trainer="article", seed=seeds[0], seeds=len(seeds), out=options.out
    )
    runs = {
        "article": runs_of(options.out, "article", seeds, "article"),
        "best": runs_of(options.search / "confirm", found.best.name, seeds, "best"),
    }
    setting = Setting(get_objective("balanced_accuracy").on(data.classes, data.rarest), data.rarest)
    scored = score(runs, setting)
    print(f"{found.best.name}, {len(seeds)} seeds, in points (ROC-AUC times 100)\n")
    print("| figure | decision | article | found | difference | 95 % |\n" + "|---" * 6 + "|")
    for metric, name in METRICS.items():
        for decision in ("plain", "tuned"):
            table = scored.tables[decision, metric]
            theirs, mine = (level.mean for level in levels(table) if level is not None)
            apart = differences(table)[1]
            assert apart is not None
            print(
                f"| {name} | {decision} | {100 * theirs:.1f} | {100 * mine:.1f} "
                f"| {100 * apart.mean:+.1f} | [{100 * apart.low:.1f}, {100 * apart.high:.1f}] |"
            )


if __name__ == "__main__":
    main()
