"""What the page says of a search: what was looked for, the leaderboard, what mattered."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import plural
from equipoise.studies.formats import (
    assigned,
    duration,
    level,
    metric_name,
    percent,
    quoted,
)
from equipoise.studies.summary import Answer

if TYPE_CHECKING:
    from equipoise.studies.search.outcome import LeaderboardRow, SearchBudget, SearchSummary

__all__ = ["searched", "standing", "studied"]

_FILE = "search.json"
_SHOWN = 40  # rows of the leaderboard; the rest stand in leaderboard.csv


def studied(directory: Path) -> Path:
    """Return the folder of the study that a page is about: a search's confirmation, once begun."""
    confirmation = directory / "confirm"
    is_search = (directory / _FILE).is_file() and (confirmation / "study.json").is_file()
    return confirmation if is_search else directory


def searched(directory: Path) -> dict[str, Any] | None:
    """Return what the page shows of the search in a folder; None where there is none.

    Raises
    ------
    DamagedError
        If its file is not what was written.
    """
    if not (directory / _FILE).is_file():
        return None
    from equipoise.studies.search import open_search

    found = open_search(directory).found
    board, metric = found.leaderboard, found.objective
    return {
        "words": found.words,
        "best": found.best,
        "source": found.source,
        "finished": found.finished,
        "metric": metric_name(metric),
        "budget": _budget(found.budget),
        "counts": _counts(found),
        "left": _left(found.budget),
        "dimensions": {
            name: {"of": field.of, "choices": [_choice(c) for c in field.choices]}
            for name, field in found.dimensions.items()
        },
        "rows": [_row(row, found.best, metric) for row in board[:_SHOWN]],
        "more": max(0, len(board) - _SHOWN),
        "with_trainer": any(row.trainer for row in board),
        "validation": [(name, level(metric, value)) for name, value in found.validation.items()],
        "importance": _bars(found.importance),
        "importance_of": found.importance_of,
        "command": found.command,
    }


def standing(search: Mapping[str, Any]) -> Answer:
    """Return what can be said of a search whose confirmation has not begun."""
    first = next(iter(search["rows"]), None)
    evidence = "no run has finished yet"
    if first is not None:
        evidence = (
            f"so far {quoted(first['recipe'])} is the best of "
            f"{plural(len(search['rows']) + search['more'], 'recipe')}, "
            f"{search['metric'].lower()} {first['score_text']} on validation; nothing of it is "
            "confirmed yet"
        )
    action = "The search is still running"
    sentence = f"{action}: {evidence}."
    return Answer(kind="no verdict", action=action, evidence=evidence, sentence=sentence)


def _choice(choice: str) -> str:
    return "none" if choice == "None" else choice


def _budget(budget: "SearchBudget") -> list[tuple[str, str]]:
    """The budget as pairs of a figure and what it is."""
    spent = (duration(budget.spent), "spent")
    if budget.seconds is None:
        return [(str(budget.trials), "trials at most"), spent]
    share = percent(budget.confirm_share)
    return [(duration(budget.seconds), "budget"), spent, (share, "of it kept to confirm")]


def _left(budget: "SearchBudget") -> str:
    """What of the budget is left, in a sentence; empty where it is not one of time."""
    if budget.seconds is None:
        return ""
    return f"About {duration(max(0.0, budget.seconds - (budget.spent or 0.0)))} are left."


def _counts(found: "SearchSummary") -> list[tuple[str, str]]:
    whole = sum(row.epochs == found.rungs[-1] for row in found.leaderboard)
    return [
        (str(found.trials), "recipes tried"),
        (str(whole), "at full length"),
        (str(found.runs), "runs"),
        (", ".join(map(str, found.rungs)), "epochs long"),
    ]


def _row(row: "LeaderboardRow", best: str | None, metric: str) -> dict[str, Any]:
    return {
        **row.model_dump(),
        "chosen": row.recipe == best,
        "score_text": level(metric, row.score),
        "plain_text": level(metric, row.plain),
        "auc_text": level("roc_auc", row.roc_auc),
        "seconds_text": duration(row.seconds),
        "changed": assigned(row.trainer),
    }


def _bars(importance: Mapping[str, float | None]) -> list[tuple[str, float, str]]:
    """Each dimension with its share as a bar's width and in words, largest first."""
    known = [(name, share or 0.0) for name, share in importance.items()]
    top = max((share for _, share in known), default=0.0) or 1.0
    known.sort(key=lambda pair: -pair[1])
    return [(name, round(100 * share / top, 1), percent(share)) for name, share in known]
