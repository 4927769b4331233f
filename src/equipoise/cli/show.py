"""What commands print: tables on stdout, progress and remarks on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

__all__ = ["bar", "comparison", "grid", "note", "print_json", "remarks", "say"]

Cells = Sequence[object]


def say(*lines: str) -> None:
    """Print lines of plain text on stdout; names in them are never taken for markup."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)


def note(line: str) -> None:
    """Print a remark on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


def print_json(value: Any) -> None:
    """Print JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def grid(
    heads: Sequence[str], rows: Sequence[Cells], align: Literal["left", "right"] = "right"
) -> None:
    """Print a table; columns after the first, figures as a rule, are aligned right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index == 0 else align, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    # Where stdout is a file or a pipe there is no width to keep to.
    width = None if sys.stdout.isatty() else 160
    Console(highlight=False, width=width).print(table)


@contextmanager
def bar(title: str, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Give a function of (done, in all, remark) that moves a progress bar on stderr.

    Nothing is drawn where stderr is no terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, remark: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None, remark="")
        yield lambda done, total, remark: progress.update(
            task, completed=done, total=total, remark=escape(remark)
        )


def comparison(summary: Mapping[str, Any]) -> None:
    """Print a study's table: both decisions, and the verdict on the tuned one.

    With an oracle, also the share of the way to it; where it says nothing, a dash.
    """
    from equipoise.studies.formats import metric_name

    objective = summary.get("objective") or "balanced_accuracy"
    reference = next(iter(summary["recipes"]), "")
    verdicts = {
        (row["recipe"], row["decision"]): row
        for row in summary["differences"]
        if row["metric"] == objective
    }
    rows = [
        (
            row["recipe"],
            _percent(row["plain"][objective]),
            _percent(row["tuned"][objective]),
            _percent(row["tuned"]["recall"]),
            _percent(row["tuned"]["precision"]),
            _percent(row["tuned"]["roc_auc"]),
            _difference(verdicts.get((row["recipe"], "tuned")), row["recipe"] == reference),
            _p_value(verdicts.get((row["recipe"], "tuned"))),
            _rank(row),
            *([_closed(summary["oracle"], row["recipe"])] if summary.get("oracle") else []),
            f"{row['seconds']['mean']:.0f} s",
        )
        for row in summary["table"]
    ]
    heads = (
        "recipe",
        f"{metric_name(objective)}, plain",
        "tuned",
        "recall, tuned",
        "precision, tuned",
        "ROC-AUC",
        f"tuned, against {reference}",
        "p (Holm)",
        "rank",
        *(["gap closed"] if summary.get("oracle") else []),
        "seconds",
    )
    grid(heads, rows)


def _percent(estimate: Mapping[str, Any]) -> str:
    mean, low, high = (estimate[key] for key in ("mean", "low", "high"))
    if mean is None:
        return "–"
    half = "" if low is None else f" ± {(high - low) * 50:.1f}"
    return f"{mean * 100:.1f}{half}"


def _difference(row: Mapping[str, Any] | None, is_reference: bool) -> str:
    if is_reference:
        return "reference"
    if row is None:
        return "–"
    from equipoise.studies.verdicts import told

    return f"{row['mean'] * 100:+.1f}  {told(row)}"


def _p_value(row: Mapping[str, Any] | None) -> str:
    p = None if row is None else row["p_holm"]
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _rank(row: Mapping[str, Any]) -> str:
    rank = (row.get("rank") or {}).get("tuned")
    return "–" if rank is None else f"{rank:.1f}"


def _closed(oracle: Mapping[str, Any], recipe: str) -> str:
    share = (oracle["closed"].get(recipe) or {}).get("tuned") or {}
    if not oracle["opens"] or share.get("mean") is None:
        return "–"
    low, high = share["low"], share["high"]
    ends = "" if low is None else f" ({low * 100:.0f} to {high * 100:.0f})"
    return f"{share['mean'] * 100:.0f} %{ends}"


def remarks(summary: Mapping[str, Any]) -> None:
    """Print what a study says in words: failures, what is missing, warnings, the answer."""
    failed = [f"Failed: {name}: {reason}" for name, reason in summary["failed"].items()]
    missing = [f"Unfinished: {', '.join(summary['missing'])}"] if summary["missing"] else []
    warnings = [
        *summary["shortcut_words"],
        *summary["label_safety_warnings"],
        *summary["memory_words"],
    ]
    # A gain that is not shown is made of nothing; the page has the figures all the same.
    gains = summary["gain"].values()
    why = [entry["words"] for entry in gains if entry["kind"] not in ("none", "one run")]
    say(
        "",
        *failed,
        *missing,
        *warnings,
        *why,
        "",
        summary["answer"],
        *summary.get("answer_notes", ()),
        "",
    )
