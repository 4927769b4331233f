"""What a search leaves: best.yaml, leaderboard.csv and search.json."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field

from equipoise.errors import plural
from equipoise.files import write_sealed, write_text
from equipoise.images import LeftOut
from equipoise.recipes import Recipe
from equipoise.studies.estimates import Estimate, Number, Value
from equipoise.studies.formats import change, in_sentence, interval, level
from equipoise.studies.search.confirming import BASELINE, Finalists, ranked, validated
from equipoise.studies.search.sampling import importance
from equipoise.studies.search.state import SearchPlan, SearchState
from equipoise.studies.study_file import read_as
from equipoise.studies.summary import Study, StudySummary
from equipoise.training import Trainer, untested_words

__all__ = [
    "BEST",
    "FILE",
    "SearchSummary",
    "conclude",
    "leaderboard",
    "read_search",
    "write_best",
    "write_search",
]

FILE, BEST = "search.json", "best.yaml"


class LeaderboardRow(Value):
    """A recipe that was judged.

    Attributes
    ----------
    trial : int
        Its number among all that were asked for.
    epochs : int
        Of its longest run, on which it is judged.
    score, plain, roc_auc : float, optional
        On validation: the objective with the tuned and with the plain decision, and the ranking.
    fields : dict
        Of the recipe, those that are not at their default.
    trainer : dict
        Of the trainer, those that the search changed.
    """

    place: int
    trial: int
    recipe: str
    epochs: int
    score: Number
    plain: Number
    roc_auc: Number
    seconds: float
    state: str
    failed: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)
    trainer: dict[str, Any] = Field(default_factory=dict)


class SearchBudget(Value):
    """What a search may take and has taken; `confirm_share` is kept for the confirmation."""

    seconds: Number
    spent: float
    confirm_share: Number
    trials: int
    jobs: int | None = None


class SearchedField(Value):
    """A dimension of the space: whose field it is, and its choices."""

    of: str
    choices: tuple[str, ...]


class SearchSummary(Value):
    """What a search found: search.json. From `best` on there is nothing while it is running."""

    model_config = ConfigDict(extra="ignore")

    source: str = ""
    data_digest: str = ""
    classes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    untested_words: tuple[str, ...] = ()
    command: str = ""
    dimensions: dict[str, SearchedField]
    equal: str = "steps"
    objective: str
    seed: int = 0
    tuned_for: str | dict[str, Any] | None = None
    expected: float = 0.0
    finished: bool
    rungs: tuple[int, ...]
    budget: SearchBudget
    trials: int
    runs: int
    leaderboard: tuple[LeaderboardRow, ...]
    importance: dict[str, Number] = Field(default_factory=dict)
    best: str | None = None
    recipe: Recipe | None = None
    trainer: Trainer | None = None
    validation: dict[str, Number] = Field(default_factory=dict)
    words: tuple[str, ...] = ()
    importance_of: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; what is not known yet is left out."""
        return self.model_dump(mode="json", include=self.model_fields_set)


def write_search(state: SearchState, **more: Any) -> SearchSummary:
    """Write leaderboard.csv and search.json as the search stands, at its end best.yaml too."""
    plan, board = state.plan, leaderboard(state)
    found = {
        **_given(plan),
        "finished": False,
        "rungs": plan.rungs,
        "budget": _budget(state),
        "trials": len(state.arms),
        "runs": len(state.results),
        "leaderboard": board,
        "importance": {},
        **more,
    }
    write_text(plan.folder / "leaderboard.csv", _as_csv(board))
    summary = SearchSummary(**found)
    if summary.finished:
        write_best(plan.folder, summary)
    write_sealed(plan.folder / FILE, summary.to_dict())
    return summary


def _given(plan: SearchPlan) -> dict[str, Any]:
    """What does not change while the search goes on."""
    setup, data = plan.setup, plan.setup.data
    return {
        "source": data.source,
        "data_digest": data.digest,
        "classes": data.classes,
        "left_out": setup.left_out,
        "notes": data.notes,
        "untested_words": untested_words(data.untested, data.classes),
        "command": plan.command,
        "dimensions": {d.name: {"of": d.of, "choices": list(d.choices)} for d in plan.space},
        "equal": setup.equal,
        "objective": setup.objective.name,
        "seed": plan.seed,
        "tuned_for": setup.objective.to_json(),
        "expected": plan.expected,
    }


def _budget(state: SearchState) -> dict[str, Any]:
    plan = state.plan
    seconds = plan.limits.seconds if plan.timed else None
    share = None if seconds is None else state.kept / seconds
    return {"seconds": seconds, "spent": state.spent, "confirm_share": share,
            "trials": plan.limits.trials, "jobs": plan.jobs}  # fmt: skip


def read_search(folder: Path) -> SearchSummary:
    """Read search.json.

    Raises
    ------
    InputError
        If there is none, or it is not what was written.
    """
    return read_as(SearchSummary, folder, FILE, "search")


def leaderboard(state: SearchState) -> list[dict[str, Any]]:
    """Return a row a judged arm, best first."""
    seconds: dict[int, float] = {}
    for result in list(state.results.values()):
        seconds[result.arm] = seconds.get(result.arm, 0.0) + result.seconds
    return [
        {
            "place": place,
            "trial": arm.number,
            "recipe": arm.recipe.name,
            "epochs": result.epochs,
            "score": result.score,
            "plain": result.plain,
            "roc_auc": result.roc_auc,
            "seconds": seconds[arm.number],
            "state": arm.state,
            "failed": result.failed,
            "fields": _without_name(arm.recipe.model_dump(mode="json", exclude_defaults=True)),
            "trainer": _changed(arm.trainer, state.plan.setup.trainer),
        }
        for place, (arm, result) in enumerate(ranked(state), 1)
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


def conclude(state: SearchState, who: Finalists, study: Study) -> dict[str, Any]:
    """Return what the confirmation says: the best recipe, and how it did on the test split."""
    setup = state.plan.setup
    goal, found = setup.objective, validated(study, setup.objective)
    values = {name: of[goal.name] for name, of in found.items()}
    names = {recipe.name: recipe for recipe in who.recipes}
    # The baseline stands first and wins a tie: what is no better than nothing is not done.
    order = sorted(found, key=lambda name: -goal.utility(found[name]))
    best = order[0] if order else BASELINE.name
    return {
        "finished": True,
        "best": best,
        "recipe": names[best],
        "trainer": who.trainer,
        "validation": values,
        "words": [
            *_in_words(study.summary, order, values, goal.name),
            *_trained(_changed(who.trainer, setup.trainer)),
        ],
        "importance": importance(state),
        "importance_of": sum(arm.state == "complete" for arm in state.arms.values()),
    }


def write_best(folder: Path, found: SearchSummary) -> None:
    """Write best.yaml, which `get_recipe` and `get_trainer` read."""
    head = "".join(f"# {line}\n" for line in found.words)
    fields = found.to_dict()
    both = {key: fields[key] for key in ("recipe", "trainer")}
    write_text(folder / BEST, head + yaml.safe_dump(both, sort_keys=False))


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
