"""Tuning a decision on validation, for any objective.

Not the decision that is best on these very images: where the rare class has some dozens of them,
the best place for a threshold is mostly luck. The logits are calibrated (`calibrate`), every image
counts for each class by its probability, and the objective is made best of the confusion matrix to
be expected: the plug-in rule (Koyejo, Natarajan, Ravikumar and Dhillon, "Consistent binary
classification with generalized performance metrics", NeurIPS 2014). Floors are met first, as far
as they can be (Narasimhan, "Learning with complex loss functions and constraints", AISTATS 2018).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import require
from equipoise.metrics.decided import Counts, Floats
from equipoise.objectives import Objective, get_objective
from equipoise.training.calibrating import Calibration, calibrate
from equipoise.training.decisions import Decision
from equipoise.training.offsets import Judge, Sample, ascend

__all__ = ["adjust", "tune"]

# Fewer validation images of a class than this are too few to tune on.
_FEW = 10

# Where floors cannot be met, what comes so near to the nearest is as good.
_NEAR = 0.005

# What a floor is missed by counts so much, first mildly: a class's offset alone then finds ways
# on which the floor is missed a little until another's follows.
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 1e4)

# Logit adjustment tries these τ. Below zero it takes back what training corrected too far.
_TAUS = np.linspace(-2, 4, 301)

# In the place of no probability or weight, whose log is none; and what is as good as none.
_TINY, _TRIFLE = 1e-12, 1e-6


def tune(
    logits: ArrayLike, labels: ArrayLike, objective: str | Objective = "balanced_accuracy"
) -> Decision:
    """Return the decision with the best `objective` to be expected, as validation data tell.

    For balanced accuracy, accuracy and costs that is a formula; for the others, and where there are
    floors, coordinate ascent over the offsets. Of a class with few images or none the net's own
    probabilities are believed. Balanced accuracy then divides each class's probability by its mean,
    which is the correction for the prior that the net has learned.

    Parameters
    ----------
    logits : (N, K) floats
    labels : (N,) integers in [0, K)
    objective : str or Objective
        As `equipoise.objectives.Objective` describes them. One that names no classes is taken to
        be of the classes '0', '1', …, with '1' the positive one of two.

    Raises
    ------
    InputError
        If there is no such objective.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    goal = _of(objective, logits.shape[1])
    found = calibrate(logits, labels)
    expected = found.probabilities(logits)
    decision = _decide(found, logits, expected, goal)
    reached = _sample(logits, expected, goal).decided(decision.apply(logits))
    images = np.bincount(labels, minlength=len(goal.classes))
    few = {goal.classes[k]: int(images[k]) for k in np.flatnonzero(images < _FEW)}
    return replace(decision, objective=goal, few=few, unmet=_unmet(goal, reached))


def adjust(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    objective: str | Objective = "balanced_accuracy",
) -> Decision:
    """Return post-hoc logit adjustment, offsets -τ log π, with τ tuned on validation data.

    Of equally good τ the one nearest to zero is taken.

    Parameters
    ----------
    logits : (N, K) floats
    labels : (N,) integers in [0, K)
    counts : (K,) integers >= 1
        Training images of each class, as given; π are their shares.
    objective : str or Objective
        As in `tune`.

    Raises
    ------
    InputError
        If there is no such objective, or a class has no training image.

    References
    ----------
    Menon, Jayasumana, Rawat, Jain, Veit and Kumar, "Long-tail learning via logit adjustment",
    ICLR 2021.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    goal, training = _of(objective, logits.shape[1]), np.asarray(counts, np.float64)
    require(bool((training >= 1).all()), "training images of every class", counts=training.tolist())
    log_prior = np.log(training / training.sum())
    sample = _sample(logits, calibrate(logits, labels).probabilities(logits), goal)
    each = [sample.counts(-tau * log_prior) for tau in _TAUS]
    stacked = Counts(*(np.stack(of) for of in zip(*each, strict=True)))
    scores = _judge(goal, _PENALTIES[-1], _slack(goal, stacked))(stacked)
    among = np.flatnonzero(scores >= scores.max() - 1e-12)
    place = among[np.abs(_TAUS[among]).argmin()]
    tau = round(float(_TAUS[place]), 6)
    offsets = tuple(float(v) for v in 0.0 - tau * log_prior)
    return Decision(offsets, goal, tau, unmet=_unmet(goal, each[place]))


def _of(objective: str | Objective, classes: int) -> Objective:
    goal = get_objective(objective)
    return goal if goal.classes else goal.on([str(k) for k in range(classes)], 1)


def _decide(found: Calibration, logits: Floats, expected: Floats, goal: Objective) -> Decision:
    """The best decision under calibrated probabilities."""
    if goal.alone is not None and len(goal.classes) > 2:
        return _by_gains(found, *_one_class(expected, goal))
    if goal.costs:
        gains = goal.cost_matrix.max(1, keepdims=True) - goal.cost_matrix
        if (gains == np.diag(np.diag(gains))).all():
            starts = [_offsets(found, np.diag(gains))]
        else:
            scores = np.log(np.maximum(expected @ gains, _TINY))
            offsets = _best(_sample(scores, expected, goal), [np.zeros(len(gains))], goal)
            return _by_gains(found, gains, offsets)
    else:
        fair, likely = _offsets(found, 1 / expected.mean(0)), _offsets(found, np.ones(1))
        starts = [likely, fair] if goal.figure == "accuracy" else [fair, likely]
    return Decision(tuple(_best(_sample(logits, expected, goal), starts, goal).tolist()))


def _sample(scores: Floats, expected: Floats, goal: Objective) -> Sample:
    costs = expected @ goal.cost_matrix if goal.costs else np.zeros_like(expected)
    return Sample(scores, expected, costs)


def _offsets(found: Calibration, weights: Floats) -> Floats:
    """The offsets that multiply probabilities by weights: of all that decide alike, about zero."""
    best = found.biases + np.log(np.maximum(weights, _TINY))
    return (best - best.mean()) / found.scale


def _one_class(expected: Floats, goal: Objective) -> tuple[Floats, Floats]:
    """Gains and offsets where only one class matters: its probability has a threshold.

    Deciding for any other class gains the same on all other classes, and a trifle more on its own,
    so that between them the decision is the one for balanced accuracy.
    """
    label = goal.alone
    assert label is not None
    mine = expected[:, label]
    odds = np.log(np.maximum(mine, _TINY)) - np.log(np.maximum(1 - mine, _TINY))
    two = replace(goal, classes=("", goal.classes[label]), positive=1)
    sample = _sample(np.stack([0 * odds, odds], 1), np.stack([1 - mine, mine], 1), two)
    offsets = np.zeros(len(goal.classes))
    offsets[label] = np.diff(_best(sample, [np.zeros(2)], two)).item()
    fair = 1 / np.maximum(expected.mean(0), _TINY)
    gains = np.ones_like(fair) + np.diag(_TRIFLE * fair / fair.max())
    gains[label], gains[:, label] = 0.0, 0.0
    gains[label, label] = 1.0
    return gains, offsets


def _by_gains(found: Calibration, gains: Floats, offsets: Floats) -> Decision:
    # A factor of what deciding for a class gains moves the log of it by an offset.
    moved = gains * np.exp(offsets - offsets.max())
    return Decision(
        tuple((found.biases / found.scale).tolist()),
        gains=tuple(map(tuple, moved.tolist())),
        scale=found.scale,
    )


def _best(sample: Sample, starts: list[Floats], goal: Objective) -> Floats:
    """The best offsets that coordinate ascent finds from any of the starts; the first may do."""
    if not goal.at_least and goal.figure in ("balanced_accuracy", "accuracy", "cost"):
        return starts[0]
    if not goal.at_least:
        judge = _judge(goal, 0.0, 0.0)
        return _pick(sample, [ascend(sample, start, judge) for start in starts], judge)
    nearest = _pick(sample, [ascend(sample, s, _nearness(goal)) for s in starts], _nearness(goal))
    slack = _slack(goal, sample.counts(nearest))
    found = [nearest, *starts]
    for penalty in _PENALTIES:
        found = [ascend(sample, offsets, _judge(goal, penalty, slack)) for offsets in found]
    return _pick(sample, found, _judge(goal, _PENALTIES[-1], slack))


def _pick(sample: Sample, found: list[Floats], judge: Judge) -> Floats:
    return max(found, key=lambda offsets: float(judge(sample.counts(offsets))))


def _values(goal: Objective, counts: Counts) -> dict[str, Any]:
    return {name: goal.measure(name, counts) for name in goal.figures}


def _judge(goal: Objective, penalty: float, slack: float) -> Judge:
    """The objective, less what its floors are missed by."""

    def judge(counts: Counts) -> Floats:
        values = _values(goal, counts)
        missed = np.maximum(goal.shortfall(values) - slack, 0.0)
        return np.nan_to_num(goal.worth(values) - penalty * missed, nan=-np.inf)

    return judge


def _nearness(goal: Objective) -> Judge:
    """How nearly the floors are met, and of equal ways the better one."""

    def judge(counts: Counts) -> Floats:
        values = _values(goal, counts)
        return np.nan_to_num(1e-6 * goal.worth(values) - goal.shortfall(values), nan=-np.inf)

    return judge


def _slack(goal: Objective, counts: Counts) -> float:
    """By how much the floors may be missed: by nothing where they can be met."""
    least = float(np.min(goal.shortfall(_values(goal, counts))))
    return 0.0 if least <= 1e-9 else least + _NEAR


def _unmet(goal: Objective, counts: Counts) -> dict[str, float]:
    values = _values(goal, counts)
    return {
        name: float(values[name])
        for name, least in goal.at_least.items()
        if values[name] < least - 1e-6
    }
