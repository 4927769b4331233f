"""A study's table and what was said of it, as Markdown for docs/results.

Usage: `python benchmarks/tables.py STUDY`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from equipoise.studies import StudySummary, open_study
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import ORACLE, change, interval
from equipoise.studies.summary import Question


def share(estimate: Estimate, times: float = 100, digits: int = 1) -> str:
    """Mean and half the interval, in percent unless said otherwise."""
    if estimate.mean is None:
        return "–"
    half = "" if estimate.half is None else f" ± {times * estimate.half:.{digits}f}"
    return f"{times * estimate.mean:.{digits}f}{half}"


def table(summary: StudySummary) -> Iterator[str]:
    """A row a recipe. Recall and precision are of the positive class, and left out without one."""
    reference, binary = summary.reference, summary.positive_class is not None
    heads = ["recipe", "balanced accuracy, plain", "tuned"]
    heads += ["recall, plain", "recall, tuned", "precision, tuned"] * binary
    heads += ["ROC-AUC", f"tuned, against tuned {reference}", f"ROC-AUC, against {reference}"]
    heads += ["seconds a run"] + ["gap closed"] * (summary.oracle is not None)
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in summary.table:
        cells = [row.recipe, share(row.plain["balanced_accuracy"])]
        cells.append(share(row.tuned["balanced_accuracy"]))
        if binary:
            cells += [share(row.plain["recall"])]
            cells += [share(row.tuned[figure]) for figure in ("recall", "precision")]
        cells += [share(row.tuned["roc_auc"], 1, 3)]
        cells += [verdict(q, row.recipe) for q in (summary.question, summary.ranking)]
        cells += ["–" if row.seconds is None else f"{row.seconds.mean:.0f}"]
        yield "| " + " | ".join(cells + gap(summary, row.recipe)) + " |"


def said(summary: StudySummary) -> Iterator[str]:
    """The answer, and the sentences that stand beside it."""
    answer = summary.answer
    yield f"> {answer.sentence}"
    for line in (*answer.notes, *answer.others, *(mark.sentence for mark in summary.marks)):
        yield f"- {line}"


def main() -> None:
    summary = open_study(Path(sys.argv[1])).summary
    answer, *notes = said(summary)
    print("\n\n".join(["\n".join(table(summary)), answer, "\n".join(notes)]))


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
