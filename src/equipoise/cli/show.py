"""What commands print: tables on stdout, progress and remarks on stderr.

Names come from anyone's files, and a terminal obeys control characters: here, where all goes
through, they are escaped.
"""

import csv
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
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

from equipoise.errors import Remark, escaped, shows

if TYPE_CHECKING:
    from equipoise.studies import StudySummary
    from equipoise.studies.estimates import Estimate

__all__ = [
    "bar",
    "comparison",
    "grid",
    "note",
    "print_json",
    "print_rows",
    "remarked",
    "remarks",
    "say",
    "tell",
]

Cells = Sequence[object]
_GAP = 2  # between the columns of a table
_PROSE = 100  # the longest line of prose that is easy to read
_BAR = 24
_UNCOMMON = re.compile(r"[^\n -~]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_FIGURES = 46  # of a progress bar: counts, times and the gaps between them


def say(*lines: str) -> None:
    """Print lines of plain text on stdout; names in them are never taken for markup."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(escaped(line), markup=False)


def tell(*lines: str, bold: bool = False) -> None:
    """Print prose on stdout, broken between words on a terminal.

    For commands and paths there is `say`: a break would spoil them for copying.
    """
    if not sys.stdout.isatty():
        say(*lines)
        return
    console = Console(highlight=False)
    width = min(_PROSE, console.width)
    for line in lines:
        console.print(escaped(line), markup=False, width=width, style="bold" if bold else None)


def note(line: str) -> None:
    """Print a remark on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(escaped(line), markup=False)


@contextmanager
def remarked(quiet: bool) -> Iterator[None]:
    """Print what is remarked on during the work, such as a file that is made again, on stderr."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, Remark):
            usual(message, category, *place, **more)
        elif not quiet and str(message) not in said:
            said.add(str(message))
            note(str(message))

    said: set[str] = set()
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", Remark)
        warnings.showwarning = show
        yield


def print_json(value: Any) -> None:
    """Print JSON on stdout."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    sys.stdout.write(_UNCOMMON.sub(_in_json, text) + "\n")


def _in_json(found: re.Match[str]) -> str:
    """Escape a character of a text in JSON that does not print, or that stdout cannot encode."""
    try:
        found[0].encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found[0])[1:-1]
    return found[0] if shows(found[0]) else json.dumps(found[0])[1:-1]


def print_rows(heads: Sequence[str], rows: Iterable[Cells]) -> None:
    """Print a CSV on stdout in which each row is a line and no name a formula.

    In heads and texts what does not print, a percent sign, and a first character that would make
    a spreadsheet compute are written %XX: the bytes of UTF-8, or of a name that is none, in
    hexadecimal. `urllib.parse.unquote(cell, errors="surrogateescape")` gives the name back.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for row in (heads, *rows):
        writer.writerow([_cell(one) if isinstance(one, str) else one for one in row])


def _cell(text: str) -> str:
    cell = "".join(c if shows(c) and c != "%" else _in_hexadecimal(c) for c in text)
    if cell[:1] in ("=", "+", "-", "@") and not _NUMBER.fullmatch(cell):
        cell = _in_hexadecimal(cell[0]) + cell[1:]
    return cell


def _in_hexadecimal(character: str) -> str:
    stray = "\udc80" <= character <= "\udcff"  # a byte of a name that is no UTF-8
    code = character.encode("utf-8", "surrogateescape" if stray else "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in code)


def grid(
    heads: Sequence[str],
    rows: Sequence[Cells],
    *,
    words: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table whose names and figures are never broken.

    Parameters
    ----------
    heads, rows : sequence
        The first column is of names, the others are of figures, aligned right.
    words : sequence of str
        Heads of columns of words: aligned left, and broken between words where need be.
    spare : sequence of str
        Heads of columns that a narrow terminal does without, the first of them first.
    """
    heads = [escaped(head) for head in heads]
    cells = [[escaped(str(cell)) for cell in row] for row in rows]
    columns = [[head, *(row[k] for row in cells)] for k, head in enumerate(heads)]
    least = [_least(column, column[0] in words) for column in columns]
    # Where stdout is a file or a pipe there is no width to keep to.
    width = Console().width if sys.stdout.isatty() else None
    kept, out = list(range(len(heads))), []
    for head in spare:
        if width is None or sum(least[k] + _GAP for k in kept) - _GAP <= width:
            break
        kept.remove(heads.index(head))
        out.append(head)
    wanted = [max(map(cell_len, columns[k])) for k in kept]
    room = sum(wanted) if width is None else width - _GAP * (len(kept) - 1)
    widths = _shared([least[k] for k in kept], wanted, room)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for place, k in enumerate(kept):
        justify: Literal["left", "right"] = "left" if k == 0 or heads[k] in words else "right"
        table.add_column(heads[k], justify=justify, width=widths[place], overflow="fold")
    for row in cells:
        table.add_row(*(escape(row[k]) for k in kept))
    whole = sum(widths) + _GAP * len(kept)
    Console(highlight=False, width=width or whole).print(table)
    if out:
        tell(f"(In a wider terminal also: {', '.join(reversed(out))}.)")


def _least(column: Cells, is_words: bool) -> int:
    """The least width of a column: its cells whole, words and heads broken between words."""
    head, *cells = map(str, column)
    parts = [*head.split(), *(part for cell in cells for part in cell.split())]
    return max(map(cell_len, parts if is_words else [*head.split(), *cells]), default=0)


def _shared(least: list[int], wanted: list[int], room: int) -> list[int]:
    """Give the room that is left to the columns that are the most cramped."""
    widths = list(least)
    for _ in range(room - sum(least)):
        cramped = max(range(len(widths)), key=lambda k: wanted[k] / max(widths[k], 1))
        if widths[cramped] >= wanted[cramped]:
            break
        widths[cramped] += 1
    return widths


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
        BarColumn(_BAR),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("gone"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[remark]}"),
    )
    console = Console(stderr=True)
    # What there is no room for is cut off the remark, not off the time left.
    room = max(console.width - len(title) - _BAR - _FIGURES, 0)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None, remark="", left="")
        yield lambda done, total, remark: progress.update(
            task, completed=done, total=total, remark=escape(escaped(remark)[:room]), left="left"
        )


def comparison(summary: "StudySummary") -> None:
    """Print a study's table: the levels of both decisions, and the verdict of the question.

    With an oracle, also the share of the way to it; where it says nothing, a dash.
    """
    from equipoise.studies.formats import metric_name

    objective, decision = summary.objective, summary.decision
    tuned = any(row.tuned for row in summary.table)
    rows = [
        (
            row.recipe,
            *(_level(objective, row.figures(d).get(objective)) for d in _decisions(tuned)),
            *(_level(m, row.figures(decision).get(m)) for m in ("recall", "precision", "roc_auc")),
            *_difference(summary, row.recipe),
            f"{row.rank[decision]:.1f}" if decision in row.rank else "–",
            *([_closed(summary, row.recipe)] if summary.oracle is not None else []),
            "–" if row.seconds is None else f"{row.seconds.mean:.0f} s",
        )
        for row in summary.table
    ]
    name = metric_name(objective)
    heads = (
        "recipe",
        *([f"{name}, plain", "tuned"] if tuned else [name]),
        "recall",
        "precision",
        "ROC-AUC",
        f"against {summary.reference}, {decision}",
        "verdict",
        "rank",
        *(["gap closed"] if summary.oracle is not None else []),
        "a run",
    )
    spare = ("a run", "rank", "ROC-AUC", "precision", "recall")
    grid(heads, rows, words=("verdict",), spare=spare)


def _decisions(tuned: bool) -> tuple[str, ...]:
    return ("plain", "tuned") if tuned else ("plain",)


def _level(metric: str, estimate: "Estimate | None") -> str:
    from equipoise.studies.formats import level

    if estimate is None or estimate.mean is None:
        return "–"
    half = "" if estimate.half is None else f" ± {level(metric, estimate.half)}"
    return level(metric, estimate.mean) + half


def _difference(summary: "StudySummary", recipe: str) -> tuple[str, str]:
    """Return the difference that decides with its interval, and what it says."""
    from equipoise.studies.formats import change, interval

    one = None if summary.question is None else summary.question.of(recipe)
    if one is None:
        return "–", "baseline" if recipe == summary.reference else ""
    ends = interval(summary.objective, one.low, one.high)
    text = change(summary.objective, one.mean) + (f" ({ends})" if ends else "")
    return text, one.verdict


def _closed(summary: "StudySummary", recipe: str) -> str:
    oracle = summary.oracle
    share = None if oracle is None else oracle.closed.get(recipe, {}).get("tuned")
    if oracle is None or not oracle.opens or share is None or share.mean is None:
        return "–"
    low, high = share.low, share.high
    ends = "" if low is None or high is None else f" ({low * 100:.0f} to {high * 100:.0f})"
    return f"{share.mean * 100:.0f} %{ends}"


def remarks(summary: "StudySummary") -> None:
    """Print what a study says in words: failures, what is missing, warnings, the answer."""
    failed = [f"Failed: {name}: {reason}" for name, reason in summary.failed.items()]
    missing = [f"Unfinished: {', '.join(summary.missing)}"] if summary.missing else []
    warnings = [
        *summary.untested_words,
        *(mark.sentence for mark in summary.marks),
        *summary.label_safety_warnings,
        *summary.memory_words,
    ]
    answer = summary.answer
    about = [answer.about] if answer.about else []
    tell("", *failed, *missing, *warnings, "")
    tell(answer.sentence, bold=True)
    tell(*answer.notes, *answer.others, *about, "")
