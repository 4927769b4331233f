"""Print a study's table and differences as Markdown, for docs/results.

python benchmarks/tables.py STUDY
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.studies import open_study
from equipoise.studies.formats import ORACLE
from equipoise.studies.verdicts import told


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
    closed = (summary.get("oracle") or {}).get("closed")
    heads = ["recipe", "balanced accuracy, plain", "tuned", "recall, plain", "recall, tuned",
             "precision, tuned", "ROC-AUC", f"tuned, against tuned {reference}",
             f"ROC-AUC, against {reference}", "seconds"]  # fmt: skip
    heads += ["gap closed"] * bool(closed)
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
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
            difference(verdicts.get((row["recipe"], "plain", "roc_auc"))),
            f"{row['seconds']['mean']:.0f}",
        ]
        print("| " + " | ".join(cells + gap(row["recipe"], reference, closed)) + " |")
    for line in summary["shortcut_words"]:
        print(f"\n- {line}")
    print(f"\n{summary['answer']}")
    for note in summary["answer_notes"]:
        print(f"\n- {note}")


def difference(row: Mapping[str, Any] | None) -> str:
    """A paired difference in points, with its verdict, and its p-value where that takes it back."""
    if row is None:
        return "–"
    ends = f"[{row['low'] * 100:.1f}, {row['high'] * 100:.1f}]"
    verdict = told(row)
    p = f", p = {row['p_holm']:.3f}" if verdict.endswith("alone") else ""
    return f"{row['mean'] * 100:+.1f} {ends}, {verdict}{p}"


def gap(recipe: str, reference: str, closed: Mapping[str, Any] | None) -> list[str]:
    """How much of the gap to the oracle a recipe closes with its tuned decision."""
    if not closed:
        return []
    if recipe in (reference, ORACLE):
        return ["0 %" if recipe == reference else "100 %"]
    return [f"{share(closed[recipe]['tuned'])} %"]


if __name__ == "__main__":
    main()
