"""`summary.json` and `results.csv`, made from what a study's folder holds by now."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from equipoise.files import read_json, write_text
from equipoise.recipes import Recipe
from equipoise.studies.analysis import PENDING, analysed
from equipoise.studies.diagnostics import diagnose
from equipoise.studies.integrity import left_out
from equipoise.studies.scoring import score
from equipoise.studies.study_file import StudyFile, read_plan, read_study_file
from equipoise.studies.summary import Study, StudySummary
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

__all__ = ["outcomes_of", "summarise"]


def summarise(folder: Path) -> Study:
    """Write results.csv and summary.json of a finished or running study; return the study."""
    about = read_study_file(folder)
    plan = read_plan(folder)
    trials, recipes = plan.trials, {recipe.name: recipe for recipe in plan.recipes}
    wrong = left_out(folder, trials, about)
    whole = [trial for trial in trials if trial.name not in wrong]
    done = [trial for trial in whole if finished(folder_of(folder, trial))]
    missing = [t for t in trials if t.name in wrong or not over(folder_of(folder, t))]
    outcomes = [read_outcome(folder, trial) for trial in done]
    runs = by_recipe(outcomes, about.recipes)
    reasons = {str(trial): failure(folder_of(folder, trial)) for trial in whole}
    started = _started(about, recipes).model_copy(
        update={
            "finished": not missing,
            "missing": tuple(map(str, missing)),
            "damaged": wrong,
            "failed": {name: reason for name, reason in reasons.items() if reason is not None},
        }
    )
    waiting = {trial.recipe.name for trial in missing}
    if about.recipes[0] in waiting:
        waiting = set(about.recipes)
    found = diagnose(folder, runs, recipes, about)
    setting = about.setting
    scored = score(runs, setting) if runs else None
    summary = analysed(started.model_copy(update=found), runs, scored, setting, waiting)
    write_text(folder / "results.csv", _results(folder, done))
    write_text(folder / "summary.json", summary.model_dump_json(indent=1) + "\n")
    return Study(folder, summary, outcomes)


def _started(about: StudyFile, recipes: Mapping[str, Recipe]) -> StudySummary:
    """Return the summary with all that does not follow from the runs."""
    kept = (
        *("equipoise", "command", "positive_class", "seed", "seeds", "draws", "folds", "overlap"),
        *("equal", "prior", "decision", "versions", "machine", "data", "trainer"),
        "untested_words",
    )
    return StudySummary(
        **{key: getattr(about, key) for key in kept},
        objective=about.goal.name,
        tuned_for=about.goal,
        margin=about.margin / 100,
        recipes=dict(recipes),
        looks=about.ledger,
        answer=PENDING,
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
