"""The arms in Optuna's journal: which there are, how they were judged, and what to try next.

A trial of the journal is an arm. It is asked for, its scores are noted rung by rung, and it is
told when its fate is decided: complete at full length, pruned at a shorter one. The sampler is
Optuna's TPE: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization",
NeurIPS 2011; it ranks pruned trials below complete ones, those that came further first.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from equipoise.errors import DamagedError, InputError
from equipoise.files import read_sealed, write_sealed
from equipoise.recipes import Recipe
from equipoise.studies.searching.arms import Arm, key_of
from equipoise.studies.searching.attempts import Result
from equipoise.studies.searching.space import Space, choose, locate, recipe_of, trainer_of
from equipoise.training import Trainer

__all__ = ["Journal", "importance", "open_journal"]

_FILE, _SEAL = "journal.log", "journal.json"
# So many suggestions in a row that were tried before, or do not fit, and the space is taken as
# searched through.
_PATIENCE = 40
_STATES = {TrialState.RUNNING: "running", TrialState.COMPLETE: "complete"}
# Fewer complete trials than this say nothing about importance.
_FEW = 8


@dataclass(frozen=True)
class Journal:
    """Optuna's study and where it is stored: a trial of an earlier process is changed there."""

    study: optuna.Study
    storage: JournalStorage

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials in the order of their numbers."""
        return self.study.get_trials(deepcopy=False)

    def key(self, number: int) -> int:
        """Return what the storage calls a trial."""
        study = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)


class _Held:
    """No lock of its own, which a killed process would leave behind: the folder is claimed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


def open_journal(folder: Path) -> Journal:
    """Return the journal in a folder that is held, remedied where its writer was killed.

    Raises
    ------
    DamagedError
        If it is not what was written: how the search went on from it is then not known.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / _FILE
    try:
        _check(folder)
        return _opened(path)
    except DamagedError as error:
        raise DamagedError(f"{error} Name another folder.") from None
    except OSError:
        raise
    except Exception:
        # What Optuna raises for lines that are none of its own is of any type.
        raise DamagedError(
            f"{path} is damaged: it is not what was written there. Name another folder."
        ) from None


def seal(folder: Path) -> None:
    """Keep a digest of the journal as it stands, by which damage to it is found."""
    written = (folder / _FILE).read_bytes()
    write_sealed(folder / _SEAL, {"bytes": len(written), "digest": _digest(written)})


def _check(folder: Path) -> None:
    """Raise `DamagedError` unless the journal begins with what it was when it was last sealed."""
    if not (folder / _SEAL).is_file():
        return
    sealed = read_sealed(folder / _SEAL)
    written = (folder / _FILE).read_bytes() if (folder / _FILE).is_file() else b""
    if _digest(written[: sealed["bytes"]]) != sealed["digest"]:
        raise DamagedError(f"{folder / _FILE} is damaged: it is not what was written there.")


def _digest(written: bytes) -> str:
    return blake2b(written, digest_size=16).hexdigest()


def _opened(path: Path) -> Journal:
    _mend(path)
    held: Any = _Held()
    storage = JournalStorage(JournalFileBackend(str(path), lock_obj=held))
    study = optuna.create_study(
        storage=storage, study_name="search", direction="maximize", load_if_exists=True
    )
    journal = Journal(study, storage)
    for trial in journal.trials:
        # A trial that was being asked for when the process ended has no arm.
        if not trial.state.is_finished() and "arm" not in trial.user_attrs:
            storage.set_trial_state_values(journal.key(trial.number), TrialState.FAIL)
    arms(journal)  # none of which may be damaged
    return journal


def _mend(path: Path) -> None:
    """Take away a last line that was not written to its end: the next would be joined to it."""
    if path.is_file():
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            path.write_bytes(whole)


def arms(journal: Journal) -> list[Arm]:
    """Return all arms in the order of their numbers."""
    return [_arm(t) for t in journal.trials if "arm" in t.user_attrs]


def _arm(trial: FrozenTrial) -> Arm:
    fields = trial.user_attrs["arm"]
    return Arm(
        trial.number,
        Recipe(**fields["recipe"]),
        Trainer(**fields["trainer"]),
        trial.user_attrs["rung"],
        _STATES.get(trial.state, "dropped"),
        dict(trial.params),
    )


def enter(journal: Journal, space: Space, recipe: Recipe, trainer: Trainer, rung: int) -> None:
    """Make a recipe an arm, with its place in the space where it has one."""
    where = locate(space, recipe)
    if where is not None:
        journal.study.enqueue_trial(where)
    trial = journal.study.ask()
    if where is not None:
        choose(space, partial(_pick, trial))
    _settle_in(trial, recipe, trainer, rung)


def suggest(
    journal: Journal,
    space: Space,
    trainer: Trainer,
    *,
    seed: int,
    rung_of: Callable[[Recipe], int],
    fits: Callable[[Recipe, Trainer], bool],
) -> bool:
    """Make what TPE suggests an arm; return whether there was something new to suggest.

    A suggestion is a function of the seed and of what stands in the journal.
    """
    known = {arm.key for arm in arms(journal)}
    for _ in range(_PATIENCE):
        journal.study.sampler = _sampler(seed, len(journal.trials))
        trial = journal.study.ask()
        chosen = choose(space, partial(_pick, trial))
        try:
            recipe, how = recipe_of(space, chosen), trainer_of(space, chosen, trainer)
            new = key_of(recipe, how) not in known and fits(recipe, how)
        except InputError:
            new = False
        if new:
            _settle_in(trial, _named_apart(journal, recipe, trial.number), how, rung_of(recipe))
            return True
        journal.study.tell(trial, state=TrialState.FAIL)
    return False


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


def _named_apart(journal: Journal, recipe: Recipe, number: int) -> Recipe:
    """The recipe, under another name where a different one has its own already."""
    for arm in arms(journal):
        if arm.recipe.name == recipe.name and arm.recipe != recipe:
            return recipe.model_copy(update={"name": f"{recipe.name[:55]}-{number}"})
    return recipe


def _settle_in(trial: optuna.Trial, recipe: Recipe, trainer: Trainer, rung: int) -> None:
    trial.set_user_attr("rung", rung)
    # Last: a trial with an arm is whole.
    fields = {"recipe": recipe.model_dump(mode="json"), "trainer": trainer.model_dump(mode="json")}
    trial.set_user_attr("arm", fields)


def note(journal: Journal, results: Mapping[tuple[int, int], Result]) -> None:
    """Note the scores that the journal does not have yet, each at the epochs of its rung."""
    for trial in journal.trials:
        if trial.state.is_finished():
            continue
        for (number, epochs), result in results.items():
            if number == trial.number and epochs not in trial.intermediate_values:
                journal.storage.set_trial_intermediate_value(
                    journal.key(number), epochs, result.utility
                )


def noted(journal: Journal) -> set[tuple[int, int]]:
    """Return of which runs, by arm and epochs, the journal has a score."""
    return {
        (trial.number, epochs)
        for trial in journal.trials
        if "arm" in trial.user_attrs
        for epochs in trial.intermediate_values
    }


def promote(journal: Journal, arm: Arm, rung: int) -> None:
    """Let an arm go on to a rung."""
    journal.storage.set_trial_user_attr(journal.key(arm.number), "rung", rung)


def decide(journal: Journal, arm: Arm, score: float | None) -> None:
    """Tell an arm's fate: its score at full length, or None where it is dropped before."""
    if score is None:
        journal.study.tell(arm.number, state=TrialState.PRUNED)
    else:
        journal.study.tell(arm.number, score)


def importance(journal: Journal, space: Space, seed: int) -> dict[str, float]:
    """Return how much of the spread of scores at full length each dimension explains.

    By fANOVA: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter
    importance", ICML 2014. Empty where fewer than eight trials are complete or all score alike.
    """
    done = [
        t
        for t in journal.trials
        if t.state == TrialState.COMPLETE and t.params and t.value is not None
    ]
    varied = tuple(d for d in space if len({t.params.get(d.name) for t in done}) > 1)
    if len(done) < _FEW or len({t.value for t in done}) < 2 or not varied:
        return {}
    # A dimension that was not open is a choice of its own, so that every trial has every one.
    whole = optuna.create_study(direction="maximize")
    whole.add_trials([_filled(trial, varied) for trial in done])
    found = get_param_importances(whole, evaluator=FanovaImportanceEvaluator(seed=seed % 2**32))
    return {name: float(share) for name, share in found.items()}


def _filled(trial: FrozenTrial, space: Space) -> FrozenTrial:
    params = {d.name: trial.params.get(d.name, "–") for d in space}
    spread: dict[str, BaseDistribution] = {
        d.name: CategoricalDistribution([*d.choices, "–"]) for d in space
    }
    return create_trial(params=params, distributions=spread, value=trial.value)
