"""`summary.json` and `results.csv`, made from what a study's folder holds by now."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from equipoise.errors import InputError
from equipoise.files import read_json, write_text
from equipoise.objectives import Objective, get_objective
from equipoise.recipes import Recipe
from equipoise.studies.analysis import PENDING, analysed
from equipoise.studies.diagnostics import diagnose
from equipoise.studies.formats import ORACLE
from equipoise.studies.integrity import left_out
from equipoise.studies.scoring import Setting, score
from equipoise.studies.sequential import Ledger, begin
from equipoise.studies.study_file import read_plan, read_study_file
from equipoise.studies.summary import Study, StudyData, StudySummary
from equipoise.studies.trials import (
    Outcome,
    Trial,
    by_recipe,
    failure,
    finished,
    folder_of,
    over,
    read_outcome,
)

__all__ = ["ledger_of", "objective_of", "outcomes_of", "setting_of", "summarise"]

_LEDGER = TypeAdapter(Ledger)


def summarise(folder: Path) -> Study:
    """Write results.csv and summary.json of a finished or running study; return the study."""
    facts = read_study_file(folder)
    plan = read_plan(folder)
    trials, recipes = plan.trials, {recipe.name: recipe for recipe in plan.recipes}
    wrong = left_out(folder, trials, facts)
    whole = [trial for trial in trials if trial.name not in wrong]
    done = [trial for trial in whole if finished(folder_of(folder, trial))]
    missing = [t for t in trials if t.name in wrong or not over(folder_of(folder, t))]
    outcomes = [read_outcome(folder, trial) for trial in done]
    runs = by_recipe(outcomes, facts["recipes"])
    reasons = {str(trial): failure(folder_of(folder, trial)) for trial in whole}
    started = _begun(folder, facts, recipes).model_copy(
        update={
            "finished": not missing,
            "missing": tuple(map(str, missing)),
            "damaged": wrong,
            "failed": {name: reason for name, reason in reasons.items() if reason is not None},
        }
    )
    waiting = {trial.recipe.name for trial in missing}
    if facts["recipes"][0] in waiting:
        waiting = set(facts["recipes"])
    found = diagnose(folder, runs, facts, recipes)
    setting = setting_of(facts)
    scored = score(runs, setting) if runs else None
    summary = analysed(started.model_copy(update=found), runs, scored, setting, waiting)
    write_text(folder / "results.csv", _results(folder, done))
    write_text(folder / "summary.json", summary.model_dump_json(indent=1) + "\n")
    return Study(folder, summary, outcomes)


def _begun(folder: Path, facts: Mapping[str, Any], recipes: Mapping[str, Recipe]) -> StudySummary:
    try:
        return _started(facts, recipes)
    except (KeyError, ValidationError):
        raise InputError(
            f"{folder} is a study of another version: give the command that made it again, with a "
            "new folder."
        ) from None


def _started(facts: Mapping[str, Any], recipes: Mapping[str, Recipe]) -> StudySummary:
    """Return the summary with all that does not follow from the runs."""
    kept = (
        *("equipoise", "command", "positive_class", "seed", "folds", "overlap", "equal"),
        "untested_words",
    )
    return StudySummary(
        **{key: facts[key] for key in kept if key in facts},
        data=StudyData(**facts["data"]),
        objective=objective_of(facts).name,
        tuned_for=objective_of(facts),
        decision=facts.get("decision", "tuned"),
        margin=facts.get("margin", 1.0) / 100,
        seeds=tuple(facts["seeds"]),
        draws=tuple(facts["draws"]),
        prior=facts.get("prior"),
        versions=facts["versions"],
        machine=facts["machine"],
        trainer=facts["trainer"],
        recipes=dict(recipes),
        looks=ledger_of(facts),
        answer=PENDING,
    )


def ledger_of(facts: Mapping[str, Any]) -> Ledger:
    """Return what a study has spent; one from before there were looks is looked at once."""
    if facts.get("looks"):
        return _LEDGER.validate_python(facts["looks"])
    others = [name for name in facts["recipes"][1:] if name != ORACLE]
    return begin(others, (len(facts["seeds"]),))


def objective_of(facts: Mapping[str, Any]) -> Objective:
    """Return what a study is judged by, of its classes."""
    classes, positive = facts["data"]["classes"], facts["positive_class"]
    given = facts.get("tuned_for") or facts.get("objective")
    return get_objective(given).on(classes, None if positive is None else classes.index(positive))


def setting_of(facts: Mapping[str, Any]) -> Setting:
    """Return what the figures of a study depend on besides its runs."""
    classes, positive = facts["data"]["classes"], facts["positive_class"]
    return Setting(
        objective=objective_of(facts),
        positive=1 if positive is None else classes.index(positive),
        seed=facts["seed"],
        folds=bool(facts.get("folds")),
        overlap=facts.get("overlap") or 0.0,
    )


def outcomes_of(folder: Path, trials: Sequence[Trial]) -> list[Outcome]:
    """Return the finished ones of some runs."""
    return [read_outcome(folder, t) for t in trials if finished(folder_of(folder, t))]


def _results(folder: Path, done: Sequence[Trial]) -> str:
    """A row a recipe, seed, draw and epoch."""
    rows = [
        {"recipe": t.recipe.name, "seed": t.seed, "draw": t.draw, **row}
        for t in done
        for row in read_json(folder_of(folder, t) / "metrics.json")["rows"]
    ]
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
