"""What a search leaves: best.yaml, leaderboard.csv and search.json."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from equipoise.errors import DamagedError, InputError, plural
from equipoise.files import read_sealed, write_sealed, write_text
from equipoise.studies.estimates import Estimate
from equipoise.studies.formats import change, in_sentence, interval, level
from equipoise.studies.searching import journal
from equipoise.studies.searching.arms import Arm
from equipoise.studies.searching.attempts import Result
from equipoise.studies.searching.confirming import BASELINE, Finalists, ranked, validated
from equipoise.studies.searching.waves import Hunt
from equipoise.studies.summary import Study, StudySummary
from equipoise.training import Trainer

__all__ = ["BEST", "FILE", "conclude", "leaderboard", "read_search", "write_best", "write_search"]

FILE, BEST = "search.json", "best.yaml"


def write_search(hunt: Hunt, **more: Any) -> dict[str, Any]:
    """Write leaderboard.csv and search.json as the search stands; return what the latter holds."""
    results = list(hunt.results.values())
    board = leaderboard(hunt.arms, results, hunt.trainer)
    found = {
        **hunt.facts,
        "finished": False,
        "rungs": hunt.rungs,
        "budget": _budget(hunt),
        "trials": len(hunt.arms),
        "runs": len(results),
        "leaderboard": board,
        "importance": {},
        **more,
    }
    write_text(hunt.folder / "leaderboard.csv", _as_csv(board))
    write_sealed(hunt.folder / FILE, found)
    return read_sealed(hunt.folder / FILE)


def _budget(hunt: Hunt) -> dict[str, Any]:
    seconds = hunt.clock.budget if isfinite(hunt.clock.budget) else None
    share = None if seconds is None else hunt.clock.kept / seconds
    return {"seconds": seconds, "spent": hunt.clock.spent, "confirm_share": share,
            "trials": hunt.limit, "jobs": hunt.jobs}  # fmt: skip


def read_search(folder: Path) -> dict[str, Any]:
    """Read search.json.

    Raises
    ------
    InputError
        If there is none, or it is not what was written.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder} is no search: it has no {FILE}.")
    try:
        return read_sealed(folder / FILE)
    except DamagedError as error:
        raise DamagedError(f"{error} Give the command that made it again.") from None


def leaderboard(
    arms: Sequence[Arm], results: Sequence[Result], trainer: Trainer
) -> list[dict[str, Any]]:
    """Return a row a judged arm, best first."""
    runs = {arm.number: [r for r in results if r.arm == arm.number] for arm in arms}
    return [
        {
            "place": place,
            "trial": arm.number,
            "recipe": arm.recipe.name,
            "epochs": result.epochs,
            "score": result.score,
            "plain": result.plain,
            "roc_auc": result.roc_auc,
            "seconds": sum(r.seconds for r in runs[arm.number]),
            "state": arm.state,
            "failed": result.failed,
            "fields": _without_name(arm.recipe.model_dump(mode="json", exclude_defaults=True)),
            "trainer": _changed(arm.trainer, trainer),
        }
        for place, (arm, result) in enumerate(ranked(arms, results), 1)
    ]


def _without_name(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != "name"}


def _changed(trainer: Trainer, base: Trainer) -> dict[str, Any]:
    mine, theirs = trainer.model_dump(mode="json"), base.model_dump(mode="json")
    return {k: v for k, v in mine.items() if v != theirs[k] and k != "name"}


def _as_csv(board: Sequence[Mapping[str, Any]]) -> str:
    if not board:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(board[0]), lineterminator="\n")
    writer.writeheader()
    for row in board:
        writer.writerow({k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()})
    return text.getvalue()


def conclude(hunt: Hunt, who: Finalists, study: Study) -> dict[str, Any]:
    """Return what the confirmation says: the best recipe, and how it did on the test split."""
    goal = hunt.objective
    found = validated(study, goal)
    values = {name: of[goal.name] for name, of in found.items()}
    names = {recipe.name: recipe for recipe in who.recipes}
    # The baseline stands first and wins a tie: what is no better than nothing is not done.
    order = sorted(found, key=lambda name: -goal.utility(found[name]))
    best = order[0] if order else BASELINE.name
    return {
        "finished": True,
        "best": best,
        "recipe": names[best].model_dump(mode="json"),
        "trainer": who.trainer.model_dump(mode="json"),
        "validation": values,
        "words": [
            *_in_words(study.summary, order, values, goal.name),
            *_trained(_changed(who.trainer, hunt.trainer)),
        ],
        "importance": journal.importance(hunt.study, hunt.space, hunt.seed),
        "importance_of": sum(arm.state == "complete" for arm in hunt.arms),
    }


def write_best(hunt: Hunt, found: Mapping[str, Any]) -> None:
    """Write best.yaml, which `get_recipe` and `get_trainer` read."""
    head = "".join(f"# {line}\n" for line in found["words"])
    both = {key: found[key] for key in ("recipe", "trainer")}
    write_text(hunt.folder / BEST, head + yaml.safe_dump(both, sort_keys=False))


def _in_words(
    summary: StudySummary, order: Sequence[str], values: Mapping[str, float], metric: str
) -> list[str]:
    """The outcome in sentences: what was chosen on validation, then what the test split says.

    `order` has the recipes from the best to the worst.
    """
    best = order[0] if order else BASELINE.name
    name = in_sentence(metric)
    base = values.get(BASELINE.name)
    if best == BASELINE.name:
        second = level(metric, values[order[1]]) if len(order) > 1 else ""
        rival = f", against {second} of the best other" if second else ""
        first = (
            f"Nothing found is better on validation than '{best}' with the tuned decision: "
            f"{name} {level(metric, base)}{rival}. The best is to leave the data as they are."
        )
    else:
        first = (
            f"Best is '{best}': on validation {name} {level(metric, values[best])} with the tuned "
            f"decision, against {level(metric, base)} of '{BASELINE.name}' with its own."
        )
    return [first, *_tested(summary, best, metric)]


def _trained(changed: Mapping[str, Any]) -> list[str]:
    """What the search changed in the trainer, which the baseline was confirmed with too."""
    fields = ", ".join(f"{key} {value}" for key, value in changed.items())
    return [f"The trainer, the baseline's too, was changed to {fields}."] if fields else []


def _tested(summary: StudySummary, best: str, metric: str) -> list[str]:
    """What the test images say of the winner, and of the difference to the baseline."""
    found = summary.figure(best, "tuned", metric)
    if found is None:
        return []
    seeds = f"over {plural(len(found.values), 'seed')}"
    level_ = f"On the test split, {seeds}: {_with_interval(metric, found)}"
    one = None if summary.question is None else summary.question.of(best)
    if one is None:
        return [f"{level_}."]
    ends = interval(metric, one.low, one.high)
    return [
        f"{level_}; against '{BASELINE.name}' with the tuned decision {change(metric, one.mean)} "
        f"({ends}): {one.verdict}.",
    ]


def _with_interval(metric: str, found: Estimate) -> str:
    ends = f" [{level(metric, found.low)}, {level(metric, found.high)}]"
    return level(metric, found.mean) + (ends if found.low is not None else "")
