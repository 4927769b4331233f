"""Simulated studies whose truth is known: nets as margins on images, runs as noise around them.

A net's logits for an image are its skill, on the image's own class, plus noise that is shared as
real nets share it: most of it belongs to the image (all recipes find the same images hard), some to
the image and the recipe, the rest to the image and the run. On top every run has a quality of its
own, part of which all recipes with the same seed share, and its own thresholds. The correlations
are those of real runs: .75 between the margins of two seeds of a recipe, .6 between recipes.

What a study is about is worked out, not guessed: the mean over new seeds and new test images of
the figure with the decision tuned on *these* validation images.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import interp1d

__all__ = ["Kind", "Study", "Validation", "World", "centred"]

Floats = NDArray[np.floating]
Integers = NDArray[np.int_]
Kind = Literal["nothing", "thresholds", "population", "gain"]
# (…, N, K) validation logits and N labels to (…, K) offsets.
Tune = Callable[[Floats, Integers], Floats]

# Shares of the variance of a margin.
_IMAGE, _RECIPE, _RUN = 0.60, 0.15, 0.25
# In the units of a margin: what a seed gives to all recipes, a run to itself, a draw to a recipe.
_SEED, _QUALITY, _DRAW = 0.05, 0.05, 0.05
_THRESHOLD, _MOVED = 0.1, 0.5
# So that balanced accuracy is about 85 % of two classes, 77 % of ten.
_SKILL = {2: 1.466, 10: 2.35}
# Nets and images of each class that a truth is worked out from.
_TRUTH_RUNS, _TRUTH_IMAGES = 400, 100_000


@dataclass(frozen=True)
class World:
    """What holds for all studies of a cell.

    Attributes
    ----------
    kind : str
        'nothing': all recipes give the same nets. 'thresholds': all but the first move the
        threshold, and nothing else. 'population': recipes find different images hard, and are equal
        over all images. 'gain': likewise, but the second recipe is better.
    classes, images : int
        Images of the test split; validation has half as many, at least 100.
    gain : float
        In balanced accuracy.
    draws : int
    recipes, seeds : int
        The most that a study has; smaller ones are part of it.
    """

    kind: Kind
    classes: int
    images: int
    gain: float = 0.0
    draws: int = 1
    recipes: int = 12
    seeds: int = 9

    @property
    def name(self) -> str:
        gain = f"{self.gain * 100:g}" if self.gain else ""
        return f"{self.kind}{gain}-{self.classes}-{self.images}-{self.draws}"

    @cached_property
    def labels(self) -> Integers:
        return _imbalanced(self.classes, self.images)

    @cached_property
    def skills(self) -> Floats:
        base = _SKILL[self.classes]
        skills = np.full(self.recipes, base)
        if self.gain:
            more = np.linspace(0, 2, 21)
            reached = np.array([_accuracy(base + step, self.classes) for step in more])
            skills[1] = base + interp1d(reached, more, "cubic")(reached[0] + self.gain)
        return skills

    @property
    def between(self) -> tuple[float, float]:
        """Standard deviations of what an image gives to all recipes, and to one."""
        if self.kind in ("nothing", "thresholds"):
            return (_IMAGE + _RECIPE) ** 0.5, 0.0
        return _IMAGE**0.5, _RECIPE**0.5

    @property
    def moved(self) -> Floats:
        """(R, K): the thresholds of each recipe."""
        moved = np.zeros((self.recipes, self.classes))
        moved[:, -1] = -_MOVED
        if self.kind == "thresholds":
            moved[1:, -1] = _MOVED
        return moved


def _imbalanced(classes: int, images: int) -> Integers:
    """Return labels: one of two classes is rare, or ten are ever rarer."""
    if classes == 2:
        counts = [images - max(images // 5, 15) if images > 500 else images - 15]
        counts.append(images - counts[0])
    else:
        shares = 10.0 ** (-np.arange(classes) / (classes - 1))
        counts = [max(2, round(images * share / shares.sum())) for share in shares]
        counts[0] += images - sum(counts)
    return np.repeat(np.arange(classes), counts)


def _accuracy(skill: float, classes: int) -> float:
    noise = np.random.default_rng(0).standard_normal((100_000, classes))
    return float((noise[:, 0] + skill > noise[:, 1:].max(1)).mean())


def centred(logits: Floats, labels: Integers) -> Floats:
    """Return the offsets that take the classes' mean logits to one level.

    For nets as they are simulated here that is as good a tuning as there is, and a quick one.
    """
    means = [logits[..., labels == label, :].mean(-2) for label in np.unique(labels)]
    return -np.mean(means, axis=0)


@dataclass(frozen=True)
class Study:
    """The runs of one study: logits of recipes, runs and images; which run is which."""

    test: Floats
    validation: Floats
    seeds: Integers
    draws: Integers


class Validation:
    """One validation split, and all studies that are tuned on it."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.rng = np.random.default_rng([number, *world.name.encode()])
        self.labels = _imbalanced(world.classes, max(world.images // 2, 100))
        self.images = self._images(self.labels)

    def study(self) -> Study:
        """Return the runs of a study on new test images."""
        world = self.world
        seeds = np.tile(np.arange(world.seeds), world.draws)
        draws = np.repeat(np.arange(world.draws), world.seeds)
        skills = self._skills(seeds, draws)
        thresholds = self._thresholds(len(seeds))
        test = self._images(world.labels)
        return Study(
            self._logits(test, world.labels, skills, thresholds),
            self._logits(self.images, self.labels, skills, thresholds),
            seeds,
            draws,
        )

    def truth(self, tune: Tune, runs: int = _TRUTH_RUNS) -> Floats:
        """Return each recipe's balanced accuracy over new seeds and new test images."""
        world, seeds = self.world, np.arange(runs)
        skills, thresholds = self._skills(seeds, seeds), self._thresholds(runs)
        size = (runs, _TRUTH_IMAGES // runs, world.classes)
        noise = self.rng.standard_normal(size, dtype=np.float32)
        found = []
        for recipe in range(world.recipes):
            row = slice(recipe, recipe + 1)
            logits = self._logits(self.images[row], self.labels, skills[row], thresholds[row])
            shown = noise + (tune(logits, self.labels)[0] + thresholds[recipe])[:, None]
            right = []
            for label in range(world.classes):
                others = np.delete(shown, label, axis=-1).max(-1)
                right.append((shown[..., label] + skills[recipe][:, None] > others).mean())
            found.append(np.mean(right))
        return np.array(found)

    def _images(self, labels: Integers) -> Floats:
        """(R, N, K): what images give to every run of a recipe."""
        world, (shared, own) = self.world, self.world.between
        size = (len(labels), world.classes)
        every = shared * self.rng.standard_normal(size, dtype=np.float32)
        return every + own * self.rng.standard_normal((world.recipes, *size), dtype=np.float32)

    def _skills(self, seeds: Integers, draws: Integers) -> Floats:
        """(R, n): the quality of each run."""
        world, rng = self.world, self.rng
        of_seed = _SEED * rng.standard_normal(seeds.max() + 1)
        of_draw = _DRAW * rng.standard_normal((world.recipes, draws.max() + 1)) * (world.draws > 1)
        own = _QUALITY * rng.standard_normal((world.recipes, len(seeds)))
        return world.skills[:, None] + of_seed[seeds] + of_draw[:, draws] + own

    def _thresholds(self, runs: int) -> Floats:
        """(R, n, K): the thresholds of each run."""
        size = (self.world.recipes, runs, self.world.classes)
        return self.world.moved[:, None] + _THRESHOLD * self.rng.standard_normal(size)

    def _logits(
        self, images: Floats, labels: Integers, skills: Floats, thresholds: Floats
    ) -> Floats:
        size = (*skills.shape, len(labels), self.world.classes)
        logits = self.rng.standard_normal(size, dtype=np.float32)
        logits *= np.float32(_RUN**0.5)
        logits += images[:, None]
        logits += thresholds[:, :, None].astype(np.float32)
        logits[:, :, np.arange(len(labels)), labels] += skills[..., None].astype(np.float32)
        return logits
