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
from pathlib import Path

import numpy as np

import equipoise as eq
from equipoise.studies.facts import read_facts, read_trials
from equipoise.studies.searching import open_search
from equipoise.studies.tables import DECISIONS, differences, score
from equipoise.studies.trials import Outcome, folder_of, read_outcome
from equipoise.training import aim

TAKE = {"cat": 4800, "dog": 1200}
METRICS = {"balanced_accuracy": "balanced accuracy", "roc_auc": "ROC-AUC", "accuracy": "accuracy"}


def runs_of(study: Path, recipe: str, seeds: list[int]) -> list[Outcome]:
    """Return the runs of a recipe with these seeds."""
    trials = [t for t in read_trials(study, read_facts(study)) if t.recipe.name == recipe]
    return [read_outcome(t, folder_of(study, t)) for t in trials if t.seed in seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--search", type=Path, default=Path("runs/search"))
    parser.add_argument("--out", type=Path, default=Path("runs/search-article"))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    found = open_search(options.search)
    seeds = found.study.summary["seeds"][: options.seeds]
    data = eq.load(options.data, classes=["cat", "dog"], take=TAKE)
    eq.compare(
        data, ["article"], trainer="article", seed=seeds[0], seeds=len(seeds), out=options.out
    )
    article = runs_of(options.out, "article", seeds)
    best = runs_of(options.search / "confirm", found.best.name, seeds)
    outcomes = {"article": article, "best": best}
    goal = aim(data, "balanced_accuracy")
    scores = {(n, d): score(of, d, 1, goal, 0) for n, of in outcomes.items() for d in DECISIONS}
    rows = differences(outcomes, scores, "article", "balanced_accuracy", 0)
    print(f"{found.best.name}, {len(seeds)} seeds, in points (ROC-AUC times 100)\n")
    print("| figure | decision | article | found | difference | 95 % |\n" + "|---" * 6 + "|")
    for row in rows:
        decision, metric = row["decision"], row["metric"]
        if row["recipe"] != "best" or decision not in DECISIONS or metric not in METRICS:
            continue
        theirs, mine = (np.mean(scores[name, decision].values(metric)) for name in outcomes)
        print(
            f"| {METRICS[metric]} | {decision} | {100 * theirs:.1f} | {100 * mine:.1f} "
            f"| {100 * row['mean']:+.1f} | [{100 * row['low']:.1f}, {100 * row['high']:.1f}] |"
        )


if __name__ == "__main__":
    main()
