"""How much a tuned decision owes to the few validation images that it was tuned on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics import confusions
from equipoise.studies.outcomes import Outcome
from equipoise.studies.scoring import Runs, Setting
from equipoise.studies.summary import ThresholdDoubt
from equipoise.training.predictions import Predictions
from equipoise.training.tuning import tune

__all__ = ["doubt_of"]

# Tuning is the dearest of the statistics: so many resamples, of so many runs of two recipes.
_RESAMPLES, _RUNS = 20, 3


def doubt_of(runs: Runs, recipe: str, setting: Setting) -> ThresholdDoubt | None:
    """Return how far the difference to the baseline moves with other validation images.

    The validation images are drawn again with replacement, class by class and the same for both
    recipes, both decisions are tuned on them, and the test images are decided anew.

    Parameters
    ----------
    runs : mapping of recipe to its runs
        The baseline first.
    recipe : str
        Another than the baseline; of the baseline itself its level is looked at.
    setting : Setting
    """
    baseline = next(iter(runs))
    theirs = {outcome.key: outcome for outcome in runs[baseline]}
    mine = [o for o in runs[recipe] if o.key in theirs and o.validation is not None][:_RUNS]
    if not mine:
        return None
    moved = []
    for outcome in mine:
        levels = _levels(outcome, setting)
        if recipe != baseline:
            levels = levels - _levels(theirs[outcome.key], setting)
        moved.append(levels)
    validation = mine[0].validation
    assert validation is not None
    counts = np.bincount(validation.labels)
    return ThresholdDoubt(
        recipe=recipe,
        images=int(counts[counts > 0].min()),
        spread=float(np.mean(moved, axis=0).std(ddof=1)),
    )


def _levels(outcome: Outcome, setting: Setting) -> NDArray[np.float64]:
    """The objective on the test images, tuned on each resample of the validation images."""
    validation, test = outcome.validation, outcome.test
    assert validation is not None
    found = []
    for rows in _resamples(validation, setting.seed, outcome.draw if setting.folds else 0):
        decision = tune(validation.logits[rows], validation.labels[rows], setting.objective)
        decided = decision.apply(test.logits)
        once = np.ones((1, len(decided)))
        confusion = confusions(test.labels, decided, test.logits.shape[1], once)
        found.append(float(setting.objective.value(confusion)[0]))
    return np.array(found)


def _resamples(validation: Predictions, seed: int, fold: int) -> Sequence[NDArray[np.intp]]:
    rng = np.random.default_rng([seed, 3, fold])
    classes = [np.flatnonzero(validation.labels == k) for k in np.unique(validation.labels)]
    return [
        np.concatenate([rng.choice(members, len(members)) for members in classes])
        for _ in range(_RESAMPLES)
    ]
