"""What to try next: Optuna's TPE, told of the arms so far.

Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", NeurIPS 2011.
It ranks arms that were dropped below those that were run at full length, those that came further
first. A suggestion is a function of the seed, the arms and their results.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from equipoise.errors import InputError
from equipoise.recipes import Recipe
from equipoise.studies.search.attempts import Arm, key_of
from equipoise.studies.search.space import Dimension, choose, recipe_of, trainer_of
from equipoise.studies.search.state import SearchState
from equipoise.training import Trainer

__all__ = ["importance", "suggest"]

# So many suggestions in a row that were tried before, or do not fit, and the space is taken as
# searched through.
_PATIENCE = 40
_STATES = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "dropped": TrialState.PRUNED,
}
# Fewer complete arms than this say nothing about importance.
_FEW = 8
# The choice of a dimension that was not open.
_CLOSED = "–"


def suggest(
    state: SearchState, fits: Callable[[Recipe, Trainer], bool], rung_of: Callable[[Recipe], int]
) -> Arm | None:
    """Return the arm that TPE suggests, or None where nothing new comes to it."""
    plan, known = state.plan, {arm.key for arm in state.arms.values()}
    study = _study([_trial(state, arm) for arm in state.arms.values()])
    for _ in range(_PATIENCE):
        number, state.asked = state.asked, state.asked + 1
        study.sampler = _sampler(plan.seed, number)
        trial = study.ask()
        chosen = choose(plan.space, partial(_pick, trial))
        try:
            recipe = recipe_of(plan.space, chosen)
            trainer = trainer_of(plan.space, chosen, plan.setup.trainer)
            new = key_of(recipe, trainer) not in known and fits(recipe, trainer)
        except InputError:
            new = False
        if new:
            recipe, rung = _named_apart(state, recipe, number), rung_of(recipe)
            return Arm(number, recipe, trainer, rung, choices=chosen)
        study.tell(trial, state=TrialState.FAIL)
    return None


def _study(trials: list[FrozenTrial]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study


def _trial(state: SearchState, arm: Arm) -> FrozenTrial:
    """Return an arm as Optuna has it, its scores at the epochs of its rungs."""
    scores = {
        epochs: result.utility
        for (number, epochs), result in state.results.items()
        if number == arm.number
    }
    return create_trial(
        state=_STATES[arm.state],
        value=scores[state.plan.rungs[-1]] if arm.state == "complete" else None,
        params=arm.choices,
        distributions=_distributions([d for d in state.plan.space if d.name in arm.choices]),
        intermediate_values=scores,
    )


def _distributions(dimensions: Sequence[Dimension], *more: str) -> dict[str, BaseDistribution]:
    return {d.name: CategoricalDistribution([*d.choices, *more]) for d in dimensions}


def _sampler(seed: int, count: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.samplers.TPESampler(
            seed=(seed * 1_000_003 + count) % 2**32,
            multivariate=True,
            group=True,
            constant_liar=True,
        )


def _pick(trial: optuna.Trial, name: str, among: list[str]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(trial.suggest_categorical(name, among))


def _named_apart(state: SearchState, recipe: Recipe, number: int) -> Recipe:
    """The recipe, under another name where a different one has its own already."""
    for arm in state.arms.values():
        if arm.recipe.name == recipe.name and arm.recipe != recipe:
            return recipe.model_copy(update={"name": f"{recipe.name[:55]}-{number}"})
    return recipe


def importance(state: SearchState) -> dict[str, float]:
    """Return how much of the spread of scores at full length each dimension explains.

    By fANOVA: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter
    importance", ICML 2014. Empty where fewer than eight arms are complete or all score alike.
    """
    length = state.plan.rungs[-1]
    done = [
        (arm.choices, state.results[arm.number, length].utility)
        for arm in state.arms.values()
        if arm.state == "complete" and arm.choices
    ]
    varied = tuple(d for d in state.plan.space if len({c.get(d.name) for c, _ in done}) > 1)
    if len(done) < _FEW or len({value for _, value in done}) < 2 or not varied:
        return {}
    # A dimension that was not open is a choice of its own, so that every trial has every one.
    whole = _study(
        [
            create_trial(
                params={d.name: choices.get(d.name, _CLOSED) for d in varied},
                distributions=_distributions(varied, _CLOSED),
                value=value,
            )
            for choices, value in done
        ]
    )
    evaluator = FanovaImportanceEvaluator(seed=state.plan.seed % 2**32)
    found = get_param_importances(whole, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
