"""Print a study's table and differences as Markdown, for docs/results.

python benchmarks/tables.py STUDY
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.studies import open_study


def share(estimate: Mapping[str, Any]) -> str:
    """Mean and half the interval in percent."""
    half = "" if estimate["low"] is None else f" ± {(estimate['high'] - estimate['low']) * 50:.1f}"
    return f"{estimate['mean'] * 100:.1f}{half}"


def main() -> None:
    summary = open_study(Path(sys.argv[1])).summary
    verdicts = {
        (row["recipe"], row["decision"], row["metric"]): row for row in summary["differences"]
    }
    reference = next(iter(summary["recipes"]))
    print(
        "| recipe | balanced accuracy, plain | tuned | recall, plain | recall, tuned "
        f"| precision, tuned | ROC-AUC | tuned, against tuned {reference} | ROC-AUC, against "
        f"{reference} | seconds |"
    )
    print("|" + "---|" * 10)
    for row in summary["table"]:
        plain, tuned = row["plain"], row["tuned"]
        cells = [
            row["recipe"],
            share(plain["balanced_accuracy"]),
            share(tuned["balanced_accuracy"]),
            share(plain["recall"]),
            share(tuned["recall"]),
            share(tuned["precision"]),
            share(tuned["roc_auc"]),
            difference(verdicts.get((row["recipe"], "tuned", "balanced_accuracy"))),
            difference(verdicts.get((row["recipe"], "tuned", "roc_auc"))),
            f"{row['seconds']['mean']:.0f}",
        ]
        print("| " + " | ".join(cells) + " |")
    for line in summary["shortcut_words"]:
        print(f"\n- {line}")
    print(f"\n{summary['answer']}")


def difference(row: Mapping[str, Any] | None) -> str:
    """A paired difference in points, with its verdict."""
    if row is None:
        return "–"
    ends = f"[{row['low'] * 100:.1f}, {row['high'] * 100:.1f}]"
    return f"{row['mean'] * 100:+.1f} {ends}, {row['verdict']}"


if __name__ == "__main__":
    main()
