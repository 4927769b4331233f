"""From finished runs to tables: means, intervals, paired differences, verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics import figures, weighted_figures
from equipoise.objectives import Objective
from equipoise.studies.bootstrap import run_weights, stratified_weights
from equipoise.studies.formats import LOWER_IS_BETTER, ORACLE
from equipoise.studies.statistics import (
    BOOTSTRAP_RUNS,
    CONFIDENCE,
    Estimate,
    estimate,
    gated,
    mean_ranks,
    p_value,
    paired,
    runs_needed,
    verdict,
)
from equipoise.studies.trials import Outcome
from equipoise.studies.verdicts import AGAINST_PLAIN, questions
from equipoise.training import Decision

__all__ = [
    "DECISIONS",
    "Scores",
    "decisions_of",
    "differences",
    "over_runs",
    "ranks",
    "score",
    "table",
]

DECISIONS = ("plain", "tuned")
# Logit adjustment is one of the same family as the tuned decision: it has figures and no verdicts.
ADJUSTED = "adjusted"
_RESAMPLES = 1000


@dataclass(frozen=True)
class Scores:
    """The test figures of a recipe's runs under one decision.

    Attributes
    ----------
    runs : list of dict
        `metrics.figures`, one a run.
    resampled : dict of str to (B, R) floats
        The same figures of every run under B resamples of the test images, the same resamples for
        every recipe; empty with too few runs for a bootstrap.
    """

    runs: list[dict[str, Any]]
    resampled: dict[str, NDArray[np.float64]]

    @property
    def metrics(self) -> list[str]:
        """The figures there are, the objective's own among them."""
        return [name for name, value in self.runs[0].items() if isinstance(value, float)]

    def values(self, metric: str) -> list[float]:
        """Return one figure of each run."""
        return [run[metric] for run in self.runs]


def score(
    outcomes: Sequence[Outcome], decision: str, positive: int, objective: Objective, seed: int
) -> Scores:
    """Return the figures of one recipe's runs under the plain, tuned or adjusted decision."""
    decided = [_decide(outcome, decision) for outcome in outcomes]
    pairs = list(zip(outcomes, decided, strict=True))
    runs = [
        figures(o.logits, o.labels, positive=positive, predictions=labels, also=objective.measures)
        for o, labels in pairs
    ]
    if len(outcomes) < BOOTSTRAP_RUNS:
        return Scores(runs, {})
    # Draws have their test images in common, folds do not.
    weights = {
        fold: stratified_weights(o.labels, _RESAMPLES, seed, fold)
        for fold, o in {_fold(o): o for o in outcomes}.items()
    }
    under = [
        weighted_figures(
            o.logits, o.labels, d, positive, weights[_fold(o)], also=objective.measures
        )
        for o, d in pairs
    ]
    return Scores(runs, {name: np.stack([u[name] for u in under], axis=1) for name in under[0]})


def _fold(outcome: Outcome) -> int:
    return 0 if outcome.trial.folds is None else outcome.trial.draw


def _decide(outcome: Outcome, decision: str) -> NDArray[np.int64]:
    if decision == "plain":
        return outcome.logits.argmax(1)
    key = "decision" if decision == "tuned" else decision
    return Decision.from_dict(outcome.metrics[key]).apply(outcome.logits)


def decisions_of(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return the decisions that all of a recipe's runs have."""
    adjusted = all(outcome.metrics.get(ADJUSTED) for outcome in outcomes)
    return (*DECISIONS, ADJUSTED) if adjusted else DECISIONS


def over_runs(resampled: NDArray[np.float64] | None, seed: int) -> NDArray[np.float64] | None:
    """Mean over resampled runs, of figures that are each under resampled test images."""
    if resampled is None:
        return None
    shares = run_weights(resampled.shape[1], len(resampled), seed)
    return (resampled * shares).sum(1)


def table(
    outcomes: Mapping[str, Sequence[Outcome]],
    scores: Mapping[tuple[str, str], Scores],
    classes: Sequence[str],
    seed: int,
    overlap: float = 0.0,
) -> list[dict[str, Any]]:
    """Return `summary["table"]`: a row a recipe, in order.

    `overlap` is that of `statistics.estimate`, where runs are folds.
    """
    return [
        {
            "recipe": name,
            "runs": len(of),
            "seconds": estimate([o.metrics["seconds"] for o in of]).to_dict(),
            "steps": of[0].metrics["steps"],
            "passes": of[0].metrics["passes"],
            "distinct_images": _seen(of, "images", classes),
            "distinct_sources": _seen(of, "sources", classes),
            **{d: _metrics(scores[name, d], seed, overlap) for d in decisions_of(of)},
            "per_class": {d: _per_class(scores[name, d], classes, overlap) for d in DECISIONS},
            "confusion": {d: _confusion(scores[name, d]) for d in DECISIONS},
        }
        for name, of in outcomes.items()
    ]


def _seen(of: Sequence[Outcome], kind: str, classes: Sequence[str]) -> dict[str, float]:
    """How many different images (or sources of them) of each class a net saw, mean over runs."""
    return {
        label: float(np.mean([o.metrics["seen"][kind][label] for o in of])) for label in classes
    }


def _metrics(scores: Scores, seed: int, overlap: float) -> dict[str, dict[str, object]]:
    return {
        metric: estimate(
            scores.values(metric), over_runs(scores.resampled.get(metric), seed), overlap
        ).to_dict()
        for metric in scores.metrics
    }


def _per_class(
    scores: Scores, classes: Sequence[str], overlap: float
) -> dict[str, dict[str, object]]:
    return {
        label: {
            metric: estimate(
                [run[f"per_class_{metric}"][k] for run in scores.runs], overlap=overlap
            ).to_dict()
            for metric in ("recall", "precision")
        }
        for k, label in enumerate(classes)
    }


def _confusion(scores: Scores) -> list[list[int]]:
    return np.sum([run["confusion"] for run in scores.runs], axis=0).tolist()


def differences(
    outcomes: Mapping[str, Sequence[Outcome]],
    scores: Mapping[tuple[str, str], Scores],
    reference: str,
    objective: str,
    seed: int,
    overlap: float = 0.0,
) -> list[dict[str, Any]]:
    """Return `summary["differences"]`: every figure of every recipe against the reference.

    Plain against plain and tuned against tuned, and each tuned decision (the reference's own
    included) against the reference's plain one. Runs are paired by seed and draw; runs that lack
    their partner are left out. `verdict` is that of the interval. Those differences that pages
    word (`questions`) have Holm's correction besides: `shown` says that a difference stands
    after it, and `comparisons` for how many it is; of the others these are None and 0.
    """
    comparisons = [
        (name, label, (name, mine), (reference, theirs))
        for name in outcomes
        for label, mine, theirs in (
            ("plain", "plain", "plain"),
            ("tuned", "tuned", "tuned"),
            (AGAINST_PLAIN, "tuned", "plain"),
        )
        if (name, mine) != (reference, theirs)
    ]
    rows = []
    for name, label, mine, theirs in comparisons:
        pairs = _partners(outcomes[name], outcomes[reference])
        if not pairs:
            continue
        for metric in scores[mine].metrics:
            difference = _difference(scores[mine], scores[theirs], metric, pairs, seed, overlap)
            rows.append(
                {
                    "recipe": name,
                    "decision": label,
                    "metric": metric,
                    **difference.to_dict(),
                    "runs": len(pairs),
                    "verdict": verdict(difference),
                    "p": p_value(difference.values, overlap),
                }
            )
    return _corrected(rows, objective, overlap)


def _corrected(rows: list[dict[str, Any]], objective: str, overlap: float) -> list[dict[str, Any]]:
    """Add `p_holm`, `shown`, `comparisons` and `runs_needed`.

    Holm's correction is over the recipes, question by question (`questions`, `gated`).
    """
    for row in rows:
        row |= {"p_holm": float("nan"), "shown": None, "comparisons": 0}
    # The oracle is no recipe that could be chosen: it is asked by itself.
    for oracle in (False, True):
        asked = [row for row in rows if (row["recipe"] == ORACLE) == oracle]
        families = [
            [row for row in asked if (row["decision"], row["metric"]) == question]
            for question in questions(objective)
        ]
        corrected = gated([[row["p"] for row in family] for family in families])
        for family, p_values in zip(families, corrected, strict=True):
            for row, p in zip(family, p_values, strict=True):
                row["p_holm"] = p
                row["shown"] = row["verdict"] in ("higher", "lower") and p < 1 - CONFIDENCE
                row["comparisons"] = int(np.isfinite(p_values).sum())
    for row in rows:
        row["runs_needed"] = runs_needed(
            row["values"], overlap=overlap, comparisons=max(row["comparisons"], 1)
        )
    return rows


def ranks(
    outcomes: Mapping[str, Sequence[Outcome]],
    scores: Mapping[tuple[str, str], Scores],
    metric: str,
) -> dict[str, dict[str, float]]:
    """Return each recipe's mean rank under either decision, 1 best, ties sharing theirs.

    Over the runs that are finished for every recipe; the oracle is not ranked.
    """
    names = [name for name in outcomes if name != ORACLE]
    keys = {name: [(o.trial.seed, o.trial.draw) for o in outcomes[name]] for name in names}
    common = sorted(set.intersection(*map(set, keys.values()))) if names else []
    if not common:
        return {}
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for decision in DECISIONS:
        values = [
            np.take(
                scores[name, decision].values(metric), [keys[name].index(key) for key in common]
            )
            for name in names
        ]
        means = mean_ranks(values, metric not in LOWER_IS_BETTER)
        for name, mean in zip(names, means, strict=True):
            found[name][decision] = mean
    return found


def _partners(mine: Sequence[Outcome], theirs: Sequence[Outcome]) -> list[tuple[int, int]]:
    where = {(o.trial.seed, o.trial.draw): j for j, o in enumerate(theirs)}
    keys = [(o.trial.seed, o.trial.draw) for o in mine]
    return [(i, where[key]) for i, key in enumerate(keys) if key in where]


def _difference(
    mine: Scores,
    theirs: Scores,
    metric: str,
    pairs: list[tuple[int, int]],
    seed: int,
    overlap: float,
) -> Estimate:
    left, right = (list(side) for side in zip(*pairs, strict=True))
    values = paired(np.take(mine.values(metric), left), np.take(theirs.values(metric), right))
    if metric not in mine.resampled or metric not in theirs.resampled:
        return estimate(values, overlap=overlap)
    resampled = mine.resampled[metric][:, left] - theirs.resampled[metric][:, right]
    return estimate(values, over_runs(resampled, seed), overlap)
