"""Can the probabilities be believed, before and after temperature scaling, and at which prior?

A probability depends on how frequent the classes are. The test split stands for another frequency
by weighting its images, w_y = π_y / (share of y in the test split). A net's logits are brought from
the prior of the validation split, at which the temperature was found, to another by adding
log π_y - log π'_y (Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new
a priori probabilities", Neural Computation 2002).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from equipoise.errors import InputError, require, unknown
from equipoise.metrics import believed, reliability
from equipoise.studies.formats import percent
from equipoise.studies.statistics import estimate
from equipoise.studies.trials import Outcome

__all__ = ["calibration", "check_prior"]

FIGURES = ("ece", "brier", "log_loss")
_BINS = 10
# Errors below this are not worth a sentence.
_WORTH_SAYING = 0.03

Floats = NDArray[np.float64]


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


def calibration(
    outcomes: Mapping[str, Sequence[Outcome]],
    classes: Sequence[Mapping[str, Any]],
    prior: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Return `summary["calibration"]`.

    Parameters
    ----------
    outcomes : mapping of recipe to its runs
    classes : sequence of mappings
        The audit's, with `name` and the counts of `training` and `validation`.
    prior : mapping of class to share, optional
        As `check_prior` returns it.

    Returns
    -------
    dict
        ``priors``: from `training` (and `given`) to each class's share. ``recipes``: from recipe to
        `temperature` and, for each prior, `before` and `after` with the expected calibration error,
        Brier score and log-loss as means over runs with intervals, and the `reliability` diagram
        over all runs: confidence, share of right answers and share of answers, bin by bin.
        ``words``: a sentence a recipe.
    """
    counts = {c["name"]: (c["training"], c["validation"]) for c in classes}
    training, validation = np.array(list(counts.values()), np.float64).T
    priors = {"training": training / training.sum()}
    if prior is not None:
        priors["given"] = np.array([prior[name] for name in counts])
    # The temperature was found, and the net decided, at the shares of validation.
    shifts = {
        name: np.log(of) - np.log(validation / validation.sum()) for name, of in priors.items()
    }
    recipes = {
        recipe: {
            "temperature": estimate([run.metrics["temperature"] for run in runs]).to_dict(),
            **{name: _at(runs, priors[name], shifts[name]) for name in priors},
        }
        for recipe, runs in outcomes.items()
        # Runs made before temperatures were kept have none.
        if all("temperature" in run.metrics for run in runs)
    }
    shares = {name: dict(zip(counts, of.tolist(), strict=True)) for name, of in priors.items()}
    return {"priors": shares, "recipes": recipes, "words": _words(recipes, shares)}


def _at(runs: Sequence[Outcome], prior: Floats, shift: Floats) -> dict[str, Any]:
    """The figures of one recipe at one prior, before and after temperature scaling."""
    result = {}
    for when in ("before", "after"):
        found = []
        for run in runs:
            divisor = run.metrics["temperature"] if when == "after" else 1.0
            probabilities = softmax(run.logits / divisor + shift, axis=1)
            found.append((probabilities, run.labels, _weights(run.labels, prior)))
        figures = [believed(p, y, w) for p, y, w in found]
        p, y, w = (np.concatenate(parts) for parts in zip(*found, strict=True))
        diagram = reliability(p, y, w, _BINS).diagram()
        result[when] = {
            **{name: estimate([f[name].item() for f in figures]).to_dict() for name in FIGURES},
            "reliability": [of.tolist() for of in diagram],
        }
    return result


def _weights(labels: NDArray[np.int64], prior: Floats) -> Floats:
    """Weights under which the classes have the prior's shares, of mean 1."""
    counts = np.bincount(labels, minlength=len(prior))
    # A class without a test image cannot be stood for: the others share what it leaves.
    weights = (prior / np.maximum(counts, 1))[labels]
    return weights * len(labels) / weights.sum()


def _words(recipes: Mapping[str, Any], shares: Mapping[str, Any]) -> list[str]:
    return [
        f"'{recipe}': "
        + "; ".join(_at_in_words(name, shares[name], found[name]) for name in shares)
        + f" (temperature {found['temperature']['mean']:.2f})."
        for recipe, found in recipes.items()
    ]


def _at_in_words(name: str, prior: Mapping[str, float], found: Mapping[str, Any]) -> str:
    before, after = (found[when]["ece"]["mean"] for when in ("before", "after"))
    rare = min(prior, key=lambda key: prior[key])
    where = (
        "with the classes as frequent as in training"
        if name == "training"
        else "with the prior given"
        + (f" ({rare} {percent(prior[rare], 1)})" if len(prior) == 2 else "")
    )
    believed = "can be believed" if after < _WORTH_SAYING else "are still to be taken with care"
    if before < _WORTH_SAYING:
        return f"{where} its confidence is right within {percent(before, 1)} as it is"
    return (
        f"{where} its confidence is off by {percent(before, 1)} on average, after temperature "
        f"scaling by {percent(after, 1)}: the probabilities then {believed}"
    )
