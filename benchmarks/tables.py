"""Print a study's table and verdicts as Markdown, for docs/results.

python benchmarks/tables.py STUDY
"""

import sys
from pathlib import Path

from equipoise.studies import StudySummary, open_study
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import ORACLE, change, interval
from equipoise.studies.summary import Question


def share(estimate: Estimate) -> str:
    """Mean and half the interval in percent."""
    if estimate.mean is None:
        return "–"
    half = "" if estimate.half is None else f" ± {100 * estimate.half:.1f}"
    return f"{100 * estimate.mean:.1f}{half}"


def main() -> None:
    summary = open_study(Path(sys.argv[1])).summary
    reference, oracle = summary.reference, summary.oracle
    heads = ["recipe", "balanced accuracy, plain", "tuned", "recall, plain", "recall, tuned",
             "precision, tuned", "ROC-AUC", f"tuned, against tuned {reference}",
             f"ROC-AUC, against {reference}", "seconds"]  # fmt: skip
    heads += ["gap closed"] * (oracle is not None)
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for row in summary.table:
        cells = [
            row.recipe,
            share(row.plain["balanced_accuracy"]),
            share(row.tuned["balanced_accuracy"]),
            share(row.plain["recall"]),
            share(row.tuned["recall"]),
            share(row.tuned["precision"]),
            share(row.tuned["roc_auc"]),
            verdict(summary.question, row.recipe),
            verdict(summary.ranking, row.recipe),
            "–" if row.seconds is None else f"{row.seconds.mean:.0f}",
        ]
        print("| " + " | ".join(cells + gap(summary, row.recipe)) + " |")
    for line in (*(mark.sentence for mark in summary.marks), *summary.answer.notes):
        print(f"\n- {line}")
    print(f"\n{summary.answer.sentence}")
    for line in (*summary.answer.others, summary.answer.about):
        print(f"\n- {line}")


def verdict(question: Question | None, recipe: str) -> str:
    """A difference to the baseline with its simultaneous interval, and what that says."""
    one = None if question is None else question.of(recipe)
    if question is None or one is None:
        return "–"
    ends = interval(question.metric, one.low, one.high)
    return f"{change(question.metric, one.mean)} [{ends}], {one.verdict}"


def gap(summary: StudySummary, recipe: str) -> list[str]:
    """How much of the gap to the oracle a recipe closes with its tuned decision."""
    if summary.oracle is None:
        return []
    if recipe in (summary.reference, ORACLE):
        return ["0 %" if recipe == summary.reference else "100 %"]
    return [f"{share(summary.oracle.closed[recipe]['tuned'])} %"]


if __name__ == "__main__":
    main()
