"""Can the probabilities be believed, before and after temperature scaling, and at which prior?

A probability depends on how frequent the classes are. The test split stands for another frequency
by weighting its images, w_y = π_y / (share of y in the test split). A net's logits are brought from
the prior of the validation split, at which the temperature was found, to another by adding
log π_y - log π'_y (Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new
a priori probabilities", Neural Computation 2002).

Over few images even exact probabilities have a calibration error: some bins happen to hold more
right answers than they should. How much that is, labels drawn from the net's own probabilities say,
and only what is beyond it is a fault of the probabilities (Vaicenavicius et al., "Evaluating model
calibration in classification", AISTATS 2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import softmax

from equipoise.errors import InputError, require, unknown
from equipoise.metrics import believed, reliability
from equipoise.studies.estimates import Estimate, Number, Value, corrected
from equipoise.studies.formats import percent
from equipoise.studies.inference import LEVEL
from equipoise.studies.trials import Outcome

__all__ = ["AtPrior", "Calibration", "Confidence", "calibrate_study", "check_prior"]

_BINS = 10
# Errors below this are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.03
# Draws of labels; what is needed of them is their mean and spread.
_DRAWS = 100

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


class Confidence(Value):
    """How far a recipe's probabilities can be believed, means over its runs.

    Attributes
    ----------
    ece, brier, log_loss : Estimate
        Expected calibration error, Brier score and log-loss.
    expected : float
        The calibration error that exact probabilities would have over so few images.
    p : float, optional
        That the error is no more than that, corrected for all recipes and priors (Holm, 1979).
    doubtful : bool
        Whether it is more, and enough to be worth saying.
    reliability : three tuples of float
        Over all runs, bin by bin: confidence, share of right answers, share of the answers.
    """

    ece: Estimate
    brier: Estimate
    log_loss: Estimate
    expected: Number
    p: Number = None
    doubtful: bool = False
    reliability: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]


class AtPrior(Value):
    """Before temperature scaling and after it; without validation images there is no after."""

    before: Confidence
    after: Confidence | None = None


class RecipeCalibration(Value):
    """The temperature of a recipe's runs, and its calibration at each prior by name."""

    temperature: Estimate | None
    at: dict[str, AtPrior]


class Calibration(Value):
    """Calibration of every recipe.

    Attributes
    ----------
    priors : dict of name to class to share
        `training`, where that is known, else `validation` or `test`; and `given`.
    recipes : dict of recipe to RecipeCalibration
    words : tuple of str
        A sentence a recipe.
    """

    priors: dict[str, dict[str, float]]
    recipes: dict[str, RecipeCalibration]
    words: tuple[str, ...]


def check_prior(
    prior: Mapping[str, float] | None, classes: Sequence[str]
) -> dict[str, float] | None:
    """Return a prior in the order of the classes, its shares summing to 1 to the last digit.

    Raises
    ------
    InputError
        Where a class is missing or unknown, or the shares do not sum to 1 within a hundredth.
    """
    if prior is None:
        return None
    for name, share in prior.items():
        if name not in classes:
            raise unknown("class", name, classes)
        require(0 < share < 1, "0 < share < 1 in --prior", f"Class: {name}.", share=share)
    if missing := [name for name in classes if name not in prior]:
        raise InputError(f"--prior must give the share of every class, but {missing[0]} is absent.")
    total = sum(prior.values())
    require(abs(total - 1) <= 0.01, "shares that sum to 1 in --prior", sum=round(total, 6))
    return {name: prior[name] / total for name in classes}


def calibrate_study(
    runs: Mapping[str, Sequence[Outcome]],
    classes: Sequence[str],
    training: Sequence[int] | None,
    prior: Mapping[str, float] | None,
    seed: int = 0,
) -> Calibration | None:
    """Return `summary.calibration`; None without a run.

    Parameters
    ----------
    runs : mapping of recipe to its runs
    classes : sequence of str
    training : (K,) integers, optional
        Training images of each class, where they are known.
    prior : mapping of class to share, optional
        As `check_prior` returns it.
    seed : int
        Of the labels that are drawn.
    """
    every = [run for of in runs.values() for run in of]
    if not every:
        return None
    priors = dict([_usual(every[0], len(classes), training)])
    if prior is not None:
        priors["given"] = np.array([prior[name] for name in classes])
    cooled = all(run.temperature is not None for run in every)
    found: dict[tuple[str, str, str], Confidence] = {
        (recipe, name, when): _confidence(
            [_Answers.of(run, of, when, seed) for run in runs[recipe]]
        )
        for recipe in runs
        for name, of in priors.items()
        for when in (("before", "after") if cooled else ("before",))
    }
    found = {
        key: one.model_copy(update={"doubtful": _is_doubtful(one)})
        for key, one in corrected(found).items()
    }
    recipes = {
        recipe: RecipeCalibration(
            temperature=_mean([run.temperature for run in of]) if cooled else None,
            at={
                name: AtPrior(
                    before=found[recipe, name, "before"], after=found.get((recipe, name, "after"))
                )
                for name in priors
            },
        )
        for recipe, of in runs.items()
    }
    shares = {name: dict(zip(classes, of.tolist(), strict=True)) for name, of in priors.items()}
    return Calibration(priors=shares, recipes=recipes, words=_words(recipes, shares))


def _is_doubtful(found: Confidence) -> bool:
    if found.p is None or found.ece.mean is None:
        return False
    return found.p < LEVEL and found.ece.mean >= _WORTH_SAYING


def _usual(run: Outcome, classes: int, training: Sequence[int] | None) -> tuple[str, Floats]:
    """The frequency of the classes that probabilities are about, as far as it is known."""
    if training is not None:
        counts = np.array(training, np.float64)
        return "training", counts / counts.sum()
    if run.validation is not None:
        return "validation", _shares(run.validation.labels, classes)
    return "test", _shares(run.test.labels, classes)


def _shares(labels: Labels, classes: int) -> Floats:
    """Return the share of each class; one without an image is taken for half an image."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 0.5)
    return counts / counts.sum()


@dataclass(frozen=True)
class _Answers:
    """A run's probabilities at a prior, and the weights by which its test images stand for it.

    Attributes
    ----------
    probabilities : (N, K) floats
    labels : (N,) integers
    by_class : (K,) floats
        The weight of an image of each class.
    drawn : (B, N) integers
        Labels drawn from the probabilities, as frequent as the test images are.
    """

    probabilities: Floats
    labels: Labels
    by_class: Floats
    drawn: Labels

    @classmethod
    def of(cls, run: Outcome, prior: Floats, when: str, seed: int) -> "_Answers":
        labels, classes = run.test.labels, len(prior)
        divisor = run.temperature if when == "after" and run.temperature is not None else 1.0
        test = _shares(labels, classes)
        at = test if run.validation is None else _shares(run.validation.labels, classes)
        logits = np.asarray(run.test.logits, np.float64) / divisor + np.log(prior) - np.log(at)
        counts = np.bincount(labels, minlength=classes)
        # A class without a test image cannot be stood for: the others share what it leaves.
        by_class = np.where(counts > 0, prior / np.maximum(counts, 1), 0.0)
        drawn = _draw(softmax(logits + np.log(test) - np.log(prior), axis=1), seed, run.draw)
        return cls(softmax(logits, axis=1), labels, by_class, drawn)


def _draw(probabilities: Floats, seed: int, draw: int) -> Labels:
    """Draw labels, (B, N); runs of the same images draw alike, as they share the true labels."""
    uniform = np.random.default_rng([seed, 2, draw]).uniform(size=(_DRAWS, len(probabilities)))
    ends = probabilities.cumsum(1)[:, :-1]
    drawn = np.zeros(uniform.shape, np.int64)
    for end in ends.T:
        drawn += uniform > end
    return drawn


def _confidence(runs: Sequence[_Answers]) -> Confidence:
    probabilities = np.concatenate([run.probabilities for run in runs])
    labels = np.concatenate([run.labels for run in runs])
    weights = np.concatenate([run.by_class[run.labels] for run in runs])
    confidence, right, share = reliability(probabilities, labels, weights, _BINS).diagram()
    figures = [believed(run.probabilities, run.labels, run.by_class[run.labels]) for run in runs]
    ece, brier, log_loss = (
        _mean([float(one[name]) for one in figures]) for name in ("ece", "brier", "log_loss")
    )
    chance = np.mean([_errors_by_chance(run) for run in runs], axis=0)
    return Confidence(
        ece=ece,
        brier=brier,
        log_loss=log_loss,
        expected=float(chance.mean()),
        p=_beyond(ece.mean or 0.0, chance),
        reliability=(tuple(confidence), tuple(right), tuple(share)),
    )


def _errors_by_chance(run: _Answers) -> Floats:
    """The calibration error under each draw of labels from the probabilities themselves."""
    decided = run.probabilities.argmax(1)
    weights = run.by_class[run.drawn]
    # Only whether an answer is right depends on the labels, so that all draws are one product.
    everything_right = reliability(run.probabilities, decided, weights)
    of_right = reliability(run.probabilities, decided, weights * (run.drawn == decided))
    gap = np.abs(of_right.right - everything_right.confidence).sum(-1)
    return gap / everything_right.mass.sum(-1)


def _beyond(error: float, chance: Floats) -> float:
    """The chance of so large an error, by the mean and spread of those that chance makes."""
    mean, variance = float(chance.mean()), float(chance.var(ddof=1))
    if not variance > 0:
        return 1.0 if error <= mean else 0.0
    return float(stats.gamma.sf(error, mean**2 / variance, scale=variance / mean))


def _mean(values: Sequence[float | None]) -> Estimate:
    """A mean over runs; it has no interval, as nothing is decided by it."""
    return Estimate(mean=float(np.mean([v for v in values if v is not None])), values=tuple(values))


def _words(
    recipes: Mapping[str, RecipeCalibration], shares: Mapping[str, Mapping[str, float]]
) -> tuple[str, ...]:
    return tuple(
        f"'{recipe}': "
        + "; ".join(_at_in_words(name, shares[name], found.at[name]) for name in shares)
        + (f" (temperature {found.temperature.mean:.2f})." if found.temperature else ".")
        for recipe, found in recipes.items()
    )


_WHERE = {
    "training": "with the classes as frequent as in training",
    "validation": "with the classes as frequent as in validation",
    "test": "with the classes as frequent as in the test images",
}


def _at_in_words(name: str, prior: Mapping[str, float], found: AtPrior) -> str:
    rare = min(prior, key=lambda key: prior[key])
    given = f" ({rare} {percent(prior[rare], 1)})" if len(prior) == 2 else ""
    where = _WHERE.get(name, f"with the prior given{given}")
    before, after = found.before, found.after
    by_chance = f"of exact probabilities {percent(before.expected, 1)} would be expected"
    if not before.doubtful:
        return (
            f"{where} no doubt about its confidence is shown (off by {percent(before.ece.mean, 1)} "
            f"on average; {by_chance})"
        )
    told = (
        f"{where} its confidence is off by {percent(before.ece.mean, 1)} on average ({by_chance})"
    )
    if after is None:
        return f"{told}, so take the probabilities with care"
    ending = (
        "so take the probabilities with care all the same"
        if after.doubtful
        else "of which no doubt is left that so many images would show"
    )
    return f"{told}, after temperature scaling by {percent(after.ece.mean, 1)}, {ending}"
