"""`summary.json` and `results.csv`, made from what a study's folder holds by now."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.files import read_json, write_json, write_text
from equipoise.objectives import DEFAULT, get_objective
from equipoise.studies.diagnosing import diagnose
from equipoise.studies.facts import read_facts, read_trials
from equipoise.studies.formats import ORACLE
from equipoise.studies.gap import gap_closed
from equipoise.studies.shortcut import probed, shortcut_matrix, shortcut_words
from equipoise.studies.tables import decisions_of, differences, ranks, score, table
from equipoise.studies.trials import (
    Outcome,
    Trial,
    failure,
    finished,
    folder_of,
    over,
    read_outcome,
)
from equipoise.studies.words import answer

__all__ = ["summarise"]


def summarise(folder: Path) -> dict[str, Any]:
    """Write results.csv and summary.json of a finished or running study; return the summary."""
    facts = read_facts(folder)
    trials = read_trials(folder, facts)
    done = [trial for trial in trials if finished(folder_of(folder, trial))]
    missing = [trial for trial in trials if not over(folder_of(folder, trial))]
    reasons = {str(trial): failure(folder_of(folder, trial)) for trial in trials}
    summary = {
        **facts,
        "finished": not missing,
        "missing": [str(trial) for trial in missing],
        "failed": {name: reason for name, reason in reasons.items() if reason is not None},
        "recipes": {t.recipe.name: t.recipe.model_dump(mode="json") for t in trials},
        **_tables(folder, done, facts),
    }
    found = answer(summary)
    summary |= {"answer": found.sentence, "answer_notes": list(found.notes)}
    write_text(folder / "results.csv", _results(folder, done))
    write_json(folder / "summary.json", summary)
    # What was written is what is returned: NaN as None in both.
    return read_json(folder / "summary.json")


def _tables(folder: Path, done: Sequence[Trial], facts: dict[str, Any]) -> dict[str, Any]:
    classes, seed, reference = facts["data"]["classes"], facts["seed"], facts["recipes"][0]
    positive = classes.index(facts["positive_class"]) if facts["positive_class"] else 0
    read = [read_outcome(trial, folder_of(folder, trial)) for trial in done]
    by_recipe = {
        name: [o for o in read if o.trial.recipe.name == name] for name in facts["recipes"]
    }
    outcomes = {name: of for name, of in by_recipe.items() if of}
    objective = facts.get("objective") or DEFAULT
    goal = get_objective(facts.get("tuned_for") or objective).on(classes, positive)
    scores = {
        (name, decision): score(of, decision, positive, goal, seed)
        for name, of in outcomes.items()
        for decision in decisions_of(of)
    }
    compared, overlap = reference in outcomes, facts.get("overlap") or 0.0
    ranked = ranks(outcomes, scores, objective)
    rows = table(outcomes, scores, classes, seed, overlap)
    oracle = compared and ORACLE in outcomes
    matrix = _shortcut(folder, outcomes, reference, classes) if compared else {}
    tables = {
        "table": [{**row, "rank": ranked.get(row["recipe"], {})} for row in rows],
        "differences": (
            differences(outcomes, scores, reference, objective, seed, overlap) if compared else []
        ),
        "oracle": gap_closed(outcomes, scores, reference, objective, seed) if oracle else {},
        "shortcut": matrix,
        "shortcut_words": shortcut_words(
            matrix, reference, {t.recipe.name: t.recipe for t in done}
        ),
    }
    return {**tables, **diagnose(folder, outcomes, facts, tables)}


def _shortcut(
    folder: Path,
    outcomes: Mapping[str, Sequence[Outcome]],
    reference: str,
    classes: Sequence[str],
) -> dict[str, Any]:
    """The matrix over those runs (seed, draw) that are probed for every recipe."""
    folders = {
        name: {
            (o.trial.seed, o.trial.draw): folder_of(folder, o.trial)
            for o in of
            if probed(folder_of(folder, o.trial))
        }
        for name, of in outcomes.items()
    }
    common = sorted(set.intersection(*(set(runs) for runs in folders.values())))
    if not common:
        return {}
    paths = {name: [runs[key] for key in common] for name, runs in folders.items()}
    return shortcut_matrix(paths, reference, classes)


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
