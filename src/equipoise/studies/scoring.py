"""From runs to figures: a table of recipes and runs for every figure and decision.

Each figure of a run stands beside the same figure under resampled test images. All runs that share
their test images see the same resamples, so that what is luck with the images cancels in a
difference as it does in truth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics import confusions, decided_figures, ranked_figures
from equipoise.metrics.decided import Floats, precisions, recalls
from equipoise.objectives import Objective
from equipoise.studies.estimates import Key
from equipoise.studies.inference import FigureTable
from equipoise.studies.trials import Outcome

__all__ = [
    "RESAMPLES",
    "Name",
    "Runs",
    "Scored",
    "Setting",
    "common_decisions",
    "image_weights",
    "objective_table",
    "score",
    "tuning_of",
]

Runs = Mapping[str, Sequence[Outcome]]
# A figure, or one of a class by its label.
Name = str | tuple[str, int]
# The figures of a run, by `Name`, under each row of weights of its test images; the first is 1.
Figures = Mapping[Any, Floats]

# Resamples of figures that are dear and decide little: their standard deviation is within 5 %.
_FEW = 200
_BOUNDS = {"mcc": (-1.0, 1.0), "log_loss": (0.0, np.inf), "cost": (0.0, np.inf)}


@dataclass(frozen=True)
class Setting:
    """What the figures of a study depend on besides its runs.

    Attributes
    ----------
    objective : Objective
        Of the data set's classes.
    positive : int
        With two classes, the one that recall and precision are of.
    seed : int
        Of the resamples.
    folds : bool
        Whether draws are folds, each with test images of its own.
    overlap : float
        With folds, test to training images of a run.
    """

    objective: Objective
    positive: int = 1
    seed: int = 0
    folds: bool = False
    overlap: float = 0.0


@dataclass(frozen=True)
class Scored:
    """Every figure of a study.

    Attributes
    ----------
    recipes : tuple of str
        The rows of every table, the baseline first.
    keys : tuple
        The columns: seed and draw of each run that any recipe has.
    tables : mapping of decision and figure to FigureTable
        Of the decisions that all runs have. Recall and precision of a class have its label beside
        their name.
    confusion : mapping of decision to (R, K, K) integers
        Of all runs of a recipe added up.
    """

    recipes: tuple[str, ...]
    keys: tuple[Key, ...]
    tables: Mapping[tuple[str, Name], FigureTable]
    confusion: Mapping[str, NDArray[np.int64]]


def score(runs: Runs, setting: Setting) -> Scored:
    """Return every figure of every run, the first recipe as the baseline."""
    grid = _Grid.of(runs, setting)
    ranked = grid.tables(lambda o, w: ranked_figures(*_answers(o), setting.positive, w[: 1 + _FEW]))
    tables: dict[tuple[str, Name], FigureTable] = {}
    summed = {}
    for decision in common_decisions(runs):
        found = grid.tables(partial(_of_decision, decision, setting))
        tables |= {(decision, name): table for name, table in {**found, **ranked}.items()}
        summed[decision] = np.stack([_summed(of, decision) for of in runs.values()])
    return Scored(tuple(runs), grid.keys, tables, summed)


def objective_table(runs: Runs, decision: str, setting: Setting) -> FigureTable:
    """Return the objective of every run under one decision: what a study is judged by."""
    name = setting.objective.name

    def of(outcome: Outcome, weights: Floats) -> Figures:
        confusion = _confusion(outcome, decision, weights)
        return {name: np.asarray(setting.objective.value(confusion))}

    return _Grid.of(runs, setting).tables(of)[name]


def tuning_of(plain: FigureTable, tuned: FigureTable) -> FigureTable:
    """Return what tuning gives each recipe, as a table of which the first row is nought.

    The rows after it are each recipe's tuned figure less its plain one, the baseline's first: what
    tuning does to all of them says how much that varies.
    """
    moved = tuned.values - plain.values, tuned.resampled - plain.resampled
    return replace(
        plain,
        values=np.concatenate([np.zeros_like(moved[0][:1]), moved[0]]),
        resampled=np.concatenate([np.zeros_like(moved[1][:, :1]), moved[1]], axis=1),
    )


def common_decisions(runs: Runs) -> tuple[str, ...]:
    """Return the decisions that all runs have."""
    every = [outcome.decisions for of in runs.values() for outcome in of]
    return tuple(name for name in every[0] if all(name in one for one in every)) if every else ()


def _answers(outcome: Outcome) -> tuple[Floats, NDArray[np.int64]]:
    return np.asarray(outcome.test.logits, np.float64), outcome.test.labels


def _confusion(outcome: Outcome, decision: str, weights: Floats) -> Floats:
    logits, labels = _answers(outcome)
    return confusions(labels, outcome.decided(decision), logits.shape[1], weights)


def _summed(of: Sequence[Outcome], decision: str) -> NDArray[np.int64]:
    """Return the confusion matrix of several runs together."""
    each = [_confusion(outcome, decision, np.ones((1, len(outcome.test.labels)))) for outcome in of]
    return np.sum(each, axis=(0, 1)).astype(np.int64)


def _of_decision(decision: str, setting: Setting, outcome: Outcome, weights: Floats) -> Figures:
    logits, labels = _answers(outcome)
    classes, decided = logits.shape[1], outcome.decided(decision)
    also, positive = setting.objective.measures, setting.positive
    found: dict[Any, Floats] = dict(
        decided_figures(labels, decided, classes, positive, weights, also=also)
    )
    confusion = confusions(labels, decided, classes, weights[: 1 + _FEW])
    for name, each in (("recall", recalls(confusion)), ("precision", precisions(confusion))):
        found |= {(name, label): each[:, label] for label in range(classes)}
    return found


@dataclass(frozen=True)
class _Grid:
    """Recipes × runs, with the weights of the test images that each fold has.

    Attributes
    ----------
    weights : mapping of fold to (1 + B, N) floats
        First every image once, then the resamples.
    images : (K,) integers
        Test images of each class.
    """

    runs: Runs
    setting: Setting
    keys: tuple[Key, ...]
    weights: Mapping[int, Floats]
    images: NDArray[np.int64]

    @classmethod
    def of(cls, runs: Runs, setting: Setting) -> "_Grid":
        every = [outcome for of in runs.values() for outcome in of]
        labels = {_fold(outcome, setting): outcome.test.labels for outcome in every}
        weights = {
            fold: np.vstack([np.ones(len(y)), image_weights(y, setting.seed, fold=fold)])
            for fold, y in labels.items()
        }
        keys = tuple(sorted({outcome.key for outcome in every}))
        classes = every[0].test.logits.shape[1]
        images = np.bincount(np.concatenate(list(labels.values())), minlength=classes)
        return cls(runs, setting, keys, weights, images)

    def tables(self, figures: Callable[[Outcome, Floats], Figures]) -> dict[Name, FigureTable]:
        """Return the table of each figure that `figures` has of a run and its weights."""
        shape = (len(self.runs), len(self.keys))
        found: dict[Name, Floats] = {}
        for row, of in enumerate(self.runs.values()):
            for outcome in of:
                weights = self.weights[_fold(outcome, self.setting)]
                column = self.keys.index(outcome.key)
                for name, values in figures(outcome, weights).items():
                    if name not in found:
                        found[name] = np.full((len(values), *shape), np.nan)
                    found[name][:, row, column] = values
        return {name: self._table(name, values) for name, values in found.items()}

    def _table(self, name: Name, values: Floats) -> FigureTable:
        seeds, draws = np.array(self.keys).T
        if isinstance(name, str):
            bounds, images = _BOUNDS.get(name, (0.0, 1.0)), self.images[self.images > 0].min()
        else:
            bounds, images = (0.0, 1.0), self.images[name[1]]
        overlap = self.setting.overlap
        return FigureTable(values[0], values[1:], seeds, draws, bounds, overlap, int(images))


def _fold(outcome: Outcome, setting: Setting) -> int:
    return outcome.draw if setting.folds else 0


RESAMPLES = 1000


def image_weights(
    labels: NDArray[np.int_], seed: int, *, resamples: int = RESAMPLES, fold: int = 0
) -> NDArray[np.float64]:
    """Return the weight of each test image in each resample, (B, N).

    Resamples are stratified: every class keeps its number of images, so that none is ever absent.
    Of n images of a class n - 1 are drawn and weighted by n/(n - 1), which makes the variance that
    a bootstrap finds unbiased (McCarthy and Snowden, "The bootstrap and finite population
    sampling", 1985). The one image of a class of one always counts once: such a class says nothing
    about how its images vary.

    Parameters
    ----------
    labels : (N,) integers
    seed : int
    resamples : int
    fold : int
        Folds have test images of their own, and so resamples of their own.
    """
    rng = np.random.default_rng([seed, 0, fold])
    weights = np.ones((resamples, len(labels)))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        n = len(members)
        if n > 1:
            # Counted by hand: `multinomial` takes twenty times as long where all are as likely.
            places = rng.integers(n, size=(resamples, n - 1)) + n * np.arange(resamples)[:, None]
            drawn = np.bincount(places.ravel(), minlength=resamples * n).reshape(resamples, n)
            weights[:, members] = drawn * (n / (n - 1))
    return weights
