"""`evaluate`: the verdict on predictions that were made elsewhere, by any net and framework."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equipoise import __version__
from equipoise.errors import DamagedError, InputError, require, unknown, whole_seed
from equipoise.files import atomic, claim, write_sealed, write_text
from equipoise.objectives import Objective, ObjectiveLike, get_objective
from equipoise.studies.analysis import PENDING, after_look, analysed
from equipoise.studies.estimates import Value
from equipoise.studies.formats import MADE_AGAIN
from equipoise.studies.predicted import read_predictions_table
from equipoise.studies.scoring import Setting, score
from equipoise.studies.sequential import begin
from equipoise.studies.study_file import read_as
from equipoise.studies.summary import DecisionName, Study, StudyData, StudySummary
from equipoise.studies.trials import Outcome, by_recipe
from equipoise.training.calibrating import temperature
from equipoise.training.tuning import tune

__all__ = ["check_question", "evaluate", "evaluated", "is_evaluation"]

_PREDICTIONS = "predictions.parquet"
_FILE = "study.json"


class EvaluationFile(Value):
    """What study.json holds of predictions that were made elsewhere; `margin` is in points."""

    equipoise: str
    kind: Literal["evaluation"] = "evaluation"
    source: str
    command: str
    digest: str
    classes: tuple[str, ...]
    recipes: tuple[str, ...]
    objective: str | dict[str, Any]
    decision: DecisionName
    margin: float
    seed: int


def evaluate(
    table: Any,
    *,
    baseline: str | None = None,
    out: str | Path | None = None,
    classes: Sequence[str] | None = None,
    objective: ObjectiveLike | None = None,
    decision: Literal["tuned", "plain"] = "tuned",
    margin: float = 1.0,
    seed: int = 0,
    command: str = "",
) -> Study:
    """Say which measure helps, from predictions of nets that were trained elsewhere.

    Every run is one recipe trained with one seed, and every recipe has been tested on the same
    images. With validation images a decision is tuned for every run, and recipes are compared with
    that; without them they are compared with the plain decision.

    Parameters
    ----------
    table : path, sequence of paths, pyarrow.Table, pandas.DataFrame or mapping of columns
        A row an image and run: `recipe`, `seed`, `split` (validation or test), `id`, `label` (from
        0), and a column a class, `logit_0`, `logit_1`, … or `p_0`, `p_1`, …. A further column
        `draw` tells runs on other draws of the training images apart, or the folds of a
        cross-validation. Paths are of .csv or .parquet files.
    baseline : str, optional
        The recipe that the others are set against; by default that of the first row.
    out : path, optional
        The study's folder: predictions, summary.json, and where the page goes.
    classes : sequence of str, optional
        Names of the classes, by label; by default their numbers.
    objective : str, mapping or Objective, optional
        What the tuned decision makes as good as it can be, and what recipes are compared on.
    decision : {'tuned', 'plain'}
        With which decision recipes are compared.
    margin : float
        The smallest difference that matters, in points (hundredths of the figure).
    seed : int
        Of the resamples.
    command : str
        Shown in the report as the way to make it again.

    Raises
    ------
    InputError
        In one line with file, column and row, for a table that is not as it should be.
    """
    check_question(decision, margin)
    outcomes = read_predictions_table(table)
    names = _class_names(outcomes[0].test.logits.shape[1], classes)
    bound = get_objective(objective).on(names, _positive(outcomes[0], names))
    about = EvaluationFile(
        equipoise=__version__,
        source=_source(table),
        command=command,
        digest=_digest(outcomes),
        classes=names,
        recipes=_ordered(outcomes, baseline),
        objective=bound.to_json(),
        decision=decision,
        margin=margin,
        seed=whole_seed(seed) % 2**64,  # NumPy's generators take no negative one
    )
    if out is None:
        return _judged(about, outcomes, None)
    folder = Path(out)
    with claim(folder, "evaluation", about.model_dump(mode="json", exclude={"command"})):
        write_sealed(folder / _FILE, about.model_dump(mode="json"))
        _write(folder / _PREDICTIONS, outcomes)
        study = _judged(about, outcomes, folder)
        write_text(folder / "summary.json", study.summary.model_dump_json(indent=1) + "\n")
        return study


def check_question(decision: str, margin: float) -> None:
    """Raise `InputError` for a question that there is not."""
    if decision not in ("tuned", "plain"):
        raise unknown("decision", decision, ("tuned", "plain"))
    require(0 < margin < 100, "0 < margin < 100", "It is in points.", margin=margin)


def is_evaluation(folder: Path) -> bool:
    """Whether a folder holds predictions that were made elsewhere, and what was made of them."""
    return (folder / _PREDICTIONS).is_file() and (folder / _FILE).is_file()


def evaluated(folder: Path) -> Study:
    """Return the evaluation in a folder, judged again from its predictions."""
    about, path = read_as(EvaluationFile, folder), folder / _PREDICTIONS
    outcomes = read_predictions_table(path)
    if _digest(outcomes) != about.digest:
        raise DamagedError(f"{path} is not what was written. {MADE_AGAIN}")
    return _judged(about, outcomes, folder)


def _judged(about: EvaluationFile, outcomes: Sequence[Outcome], folder: Path | None) -> Study:
    positive = _positive(outcomes[0], about.classes)
    objective = get_objective(about.objective).on(about.classes, positive)
    tuned = [_tuned(outcome, objective) for outcome in outcomes]
    can_tune = all(outcome.tuned is not None for outcome in tuned)
    decision: DecisionName = about.decision if can_tune else "plain"
    folds, overlap = _folds(tuned)
    setting = Setting(objective, positive, about.seed, folds is not None, overlap)
    runs = by_recipe(tuned, about.recipes)
    seeds = sorted({outcome.seed for outcome in tuned})
    margin = about.margin / 100
    # One look, at all there is, as a comparison with so many seeds has it.
    once = begin(about.recipes[1:], (len(seeds),))
    scored = score(runs, setting)
    table = scored.tables[decision, objective.name]
    upwards = objective.higher_is_better
    ledger = after_look(once, table, scored.recipes, margin, higher_is_better=upwards)
    summary = StudySummary(
        equipoise=about.equipoise,
        kind=about.kind,
        command=about.command,
        finished=True,
        data=StudyData(source=about.source, digest=about.digest, classes=about.classes),
        positive_class=about.classes[positive] if len(about.classes) == 2 else None,
        objective=objective.name,
        tuned_for=objective,
        decision=decision,
        margin=margin,
        seed=about.seed,
        seeds=tuple(seeds),
        draws=tuple(sorted({outcome.draw for outcome in tuned})),
        folds=folds,
        overlap=overlap if folds else None,
        recipes=dict.fromkeys(about.recipes),
        looks=ledger,
        answer=PENDING,
    )
    return Study(folder, analysed(summary, runs, scored, setting), tuned)


def _class_names(number: int, given: Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return tuple(str(k) for k in range(number))
    names = tuple(given)
    require(
        len(names) == len(set(names)) == number,
        f"one name for each of the {number} classes",
        classes=list(names),
    )
    return names


def _ordered(outcomes: Sequence[Outcome], baseline: str | None) -> tuple[str, ...]:
    """Return the recipes, the baseline first."""
    names = tuple(dict.fromkeys(outcome.recipe for outcome in outcomes))
    if baseline is None:
        return names
    if baseline not in names:
        raise unknown("recipe", baseline, names)
    return (baseline, *(name for name in names if name != baseline))


def _positive(outcome: Outcome, classes: Sequence[str]) -> int:
    """The class that is rarest on validation images, or else on test images; of equals the last."""
    part = outcome.validation or outcome.test
    counts = np.bincount(part.labels, minlength=len(classes))
    return int(len(counts) - 1 - np.argmin(counts[::-1]))


def _tuned(outcome: Outcome, objective: Objective) -> Outcome:
    part = outcome.validation
    if part is None:
        return outcome
    return replace(
        outcome,
        tuned=tune(part.logits, part.labels, objective),
        temperature=temperature(part.logits, part.labels),
    )


def _folds(outcomes: Sequence[Outcome]) -> tuple[int | None, float]:
    """Return how many folds the draws are, if they are folds, and test to training images.

    Draws are tested on the same images; folds on images of their own, and of all those a fold was
    trained on what it was neither tested nor validated on.
    """
    parts = {outcome.draw: outcome for outcome in outcomes}
    if len(parts) < 2:
        return None, 0.0
    tests = [outcome.test.names for outcome in parts.values()]
    every = np.concatenate(tests)
    if all(np.array_equal(one, tests[0]) for one in tests):
        return None, 0.0
    if len(np.unique(every)) < len(every):
        raise InputError(
            "Draws must all be tested on the same images, or each on its own (folds), but these "
            "share some of their test ids."
        )
    held = [
        len(o.test.names)
        + (0 if o.validation is None else np.isin(o.validation.names, every).sum())
        for o in parts.values()
    ]
    training = len(every) - float(np.mean(held))
    require(training > 0, "images that are neither tested nor validated on in a fold", images=0)
    return len(parts), len(every) / len(parts) / training


def _source(table: Any) -> str:
    if isinstance(table, str | Path):
        return str(table)
    if isinstance(table, Sequence) and all(isinstance(one, str | Path) for one in table):
        return ", ".join(map(str, table))
    return "a table of predictions"


def _digest(outcomes: Sequence[Outcome]) -> str:
    state = blake2b(digest_size=16)
    for outcome in outcomes:
        state.update(repr((outcome.recipe, outcome.key)).encode())
        for part in (outcome.test, outcome.validation):
            if part is not None:
                state.update("\0".join(part.names.tolist()).encode())
                state.update(part.labels.tobytes() + part.logits.tobytes())
    return state.hexdigest()


def _write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the predictions as `evaluate` reads them, a row an image and run."""
    parts = [
        (outcome, split, part)
        for outcome in outcomes
        for split, part in (("validation", outcome.validation), ("test", outcome.test))
        if part is not None
    ]
    columns: dict[str, Any] = {
        "recipe": [o.recipe for o, _, part in parts for _ in part.labels],
        "seed": np.concatenate([np.full(len(part.labels), o.seed) for o, _, part in parts]),
        "draw": np.concatenate([np.full(len(part.labels), o.draw) for o, _, part in parts]),
        "split": [split for _, split, part in parts for _ in part.labels],
        "id": np.concatenate([part.names for *_, part in parts]).tolist(),
        "label": np.concatenate([part.labels for *_, part in parts]),
    }
    logits = np.concatenate([part.logits for *_, part in parts])
    columns |= {f"logit_{k}": logits[:, k] for k in range(logits.shape[1])}
    with atomic(path) as part:
        pq.write_table(pa.table(columns), part)
