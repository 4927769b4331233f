"""A training set as a recipe presents it: which images, how often, augmented how."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import engine, keys
from equipoise.errors import require
from equipoise.mapped import filled, is_mapped
from equipoise.planning import Plan, plan, targets, undersample
from equipoise.recipes import Recipe
from equipoise.recycling import recycled, taken
from equipoise.strengths import class_strengths
from equipoise.techniques import Technique
from equipoise.training.budgets import Budget
from equipoise.training.draws import Draws
from equipoise.training.jitter import flipped, shifted

__all__ = [
    "Batch",
    "Presented",
    "Roster",
    "check_endless",
    "check_on_pixels",
    "check_recipe",
    "deferred",
    "draw_up",
    "draws_of",
    "freshen",
    "is_endless",
    "present",
]


@dataclass(frozen=True)
class Roster:
    """The rows of a training set after oversampling, without their pixels.

    Attributes
    ----------
    source : (M,) int64
        Row of the image in the set as given. The originals come first and in order.
    labels, ids : (M,) int64
    technique : (M,) int16
        Which technique made the row's static copy; -1 where the row shows its source.
    copy : (M,) int32
        The copy number of the row's address.
    touched : (M,) bool
        Whether a fresh technique may touch the row.
    techniques : tuple of Technique
        Those of the recipe, once for each different strength above 0 of a class.
    fresh : bool
        Whether the techniques are drawn anew each time.
    weights : tuple of float, optional
        The techniques' shares of fresh draws; equal by default.
    offset : (M,) int16, optional
        Where in `techniques` those at the strength of the row's class begin; 0 by default.
    """

    source: NDArray[np.int64]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    technique: NDArray[np.int16]
    copy: NDArray[np.int32]
    touched: NDArray[np.bool_]
    techniques: tuple[Technique, ...]
    fresh: bool
    weights: tuple[float, ...] | None = None
    offset: NDArray[np.int16] | None = None

    def __len__(self) -> int:
        return len(self.source)


def draw_up(
    labels: ArrayLike,
    ids: ArrayLike,
    recipe: Recipe,
    *,
    seed: int,
    classes: tuple[str, ...] | None = None,
) -> Roster:
    """Return the rows that `recipe` makes of a training set with these labels and ids."""
    labels, ids = np.asarray(labels, np.int64), np.asarray(ids, np.int64)
    techniques = recipe.resolved()
    fresh = recipe.augmentation == "fresh" and bool(techniques)
    left = undersample(labels, recipe.undersample, seed=seed, ids=ids, classes=classes)
    made = plan(
        labels[left],
        recipe.strategy or ("auto" if recipe.synthesise else None),
        0 if fresh else len(techniques),
        seed=seed,
        ids=ids[left],
        scope=recipe.scope,
        classes=classes,
        weights=None if fresh else recipe.weights,
    )
    kept = np.flatnonzero(made.kept(len(left)))
    source = left[np.concatenate([kept, made.source])]
    # Fresh duplicates are images of their own: copy 0 is the original.
    copy = np.concatenate([np.zeros(len(kept), np.int32), made.copy + np.int32(fresh)])
    roster = Roster(
        source=source,
        labels=labels[source],
        ids=ids[source],
        technique=np.concatenate([np.full(len(kept), -1, np.int16), made.technique]),
        copy=copy,
        touched=_touched(labels[left], labels[source], recipe, classes) & fresh,
        techniques=techniques,
        fresh=fresh,
        weights=recipe.weights if fresh else None,
    )
    return roster if recipe.strength is None else _at_strength(roster, labels, recipe, classes)


def _at_strength(
    roster: Roster, labels: NDArray[np.int64], recipe: Recipe, classes: tuple[str, ...] | None
) -> Roster:
    """The roster with its techniques at the strength of each class; at 0 its rows stay clean."""
    counts = np.bincount(labels, minlength=len(classes or ()))
    strengths = class_strengths(roster.techniques, recipe.strength, counts, classes)
    offset = strengths.offset[roster.labels]
    return replace(
        roster,
        technique=strengths.of(roster.technique, roster.labels),
        touched=roster.touched & (offset >= 0),
        techniques=strengths.techniques,
        weights=roster.weights or (1.0,) * len(roster.techniques) if roster.fresh else None,
        offset=offset,
    )


def _touched(
    left: NDArray[np.int64],
    labels: NDArray[np.int64],
    recipe: Recipe,
    classes: tuple[str, ...] | None,
) -> NDArray[np.bool_]:
    """Which rows fresh techniques may touch: all, or those of the classes to be brought up.

    `left` are the labels after undersampling. Draws that are not natural bring up every class
    below the largest without a strategy.
    """
    if recipe.scope == "all":
        return np.ones(len(labels), bool)
    new = targets(left, recipe.strategy or "auto", classes)
    return np.isin(labels, [label for label, count in new.items() if count])


def freshen(
    images: NDArray[np.uint8],
    roster: Roster,
    rows: NDArray[np.intp],
    passes: NDArray[np.int64],
    *,
    seed: int,
    threads: int | None = None,
    source: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Return the images of some rows, each left clean or changed by a technique drawn for it.

    Parameters
    ----------
    images : (B, H, W, C) uint8
    roster : Roster
    rows, passes : (B,)
        Rows of the roster, and how often each was drawn before.
    seed, threads, source
        See `equipoise.engine`.
    """
    ids, copy, touch = roster.ids[rows], roster.copy[rows], roster.touched[rows]
    if roster.weights is None:
        return engine.fresh(
            images, roster.techniques, seed=seed, ids=ids, copy=copy, epoch=passes, touch=touch,
            threads=threads, source=source,
        )  # fmt: skip
    drawn = keys.uniforms(keys.image_keys(seed, ids, copy, passes), "fresh", 1)[:, 0]
    choice = np.where(touch, np.searchsorted(_steps(roster.weights), drawn, side="right") - 1, -1)
    if roster.offset is not None:
        choice = np.where(choice < 0, -1, choice + roster.offset[rows])
    return engine.augment_each(
        images, roster.techniques, choice, seed=seed, ids=ids, copy=copy, epoch=passes,
        threads=threads, source=source,
    )  # fmt: skip


def _steps(weights: tuple[float, ...]) -> NDArray[np.float64]:
    """Where on [0, 1) each technique begins: clean comes first, as often as without weights."""
    clean = 1 / (len(weights) + 1)
    before = np.concatenate([[0.0], np.cumsum(weights)[:-1]])
    return clean + (1 - clean) * before / np.sum(weights)


@dataclass(frozen=True)
class Batch:
    """Some draws.

    Attributes
    ----------
    images : (B, H, W, C) uint8
    labels : (B,) int64
    rows : (B,)
        Rows of the roster.
    passes : (B,)
        How often each row's image had been drawn before.
    others, share : (B,) int64 and (B,) float32, optional
        Of mixed images: the second label, and the share of the first.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.intp]
    passes: NDArray[np.int64]
    others: NDArray[np.int64] | None = None
    share: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Presented:
    """A roster with its pixels and the stream of its draws.

    Attributes
    ----------
    roster : Roster
    originals : (N, H, W, C) uint8
        The images as given; they may be memory-mapped.
    copies : (K, H, W, C) uint8
        The static copies.
    place : (M,) int64
        Where each row's pixels are: in `originals`, or from N on in `copies`.
    draws : Draws
    seed : int
    threads : int, optional
        Of the engine; all cores by default.
    flip, shift
        The trainer's.
    """

    roster: Roster
    originals: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    place: NDArray[np.int64]
    draws: Draws
    seed: int
    threads: int | None
    flip: str = "none"
    shift: float = 0.0

    def __len__(self) -> int:
        return len(self.roster)

    def batch(self, start: int, stop: int) -> Batch:
        """Return the draws at the positions from `start` to `stop`, `stop` not among them."""
        return self.take(self.draws, start, stop)

    @property
    def ahead(self) -> int:
        """How many batches may be made ahead on another thread.

        None with a callable among fresh techniques: it may draw from a global generator, which the
        net draws from as well.
        """
        roster = self.roster
        return 0 if roster.fresh and any(t.serial for t in roster.techniques) else 2

    def take(self, draws: Draws, start: int, stop: int) -> Batch:
        """Return the draws of another stream over the same roster."""
        rows, passes = draws(start, stop)
        roster = self.roster
        if roster.fresh:
            images = freshen(
                self.originals, roster, rows, passes, seed=self.seed, threads=self.threads,
                source=self.place[rows],
            )  # fmt: skip
        else:
            images = self._pixels(rows)
        return Batch(images, roster.labels[rows], rows, passes)

    def mirrored(self, draws: Draws, start: int, stop: int) -> Batch:
        """Return draws with the trainer's own mirroring and shifts."""
        batch = self.take(draws, start, stop)
        mirror = self.mirror(batch.rows, batch.passes)
        batch.images[mirror] = batch.images[mirror, :, ::-1]
        ids, copy = self.roster.ids[batch.rows], self.roster.copy[batch.rows]
        images = shifted(batch.images, self.shift, ids, copy, batch.passes, seed=self.seed)
        return replace(batch, images=images)

    def mirror(self, rows: NDArray[np.intp], passes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which draws the trainer mirrors."""
        ids, copy = self.roster.ids[rows], self.roster.copy[rows]
        return flipped(self.flip, ids, copy, passes, seed=self.seed)

    def _pixels(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        place = self.place[rows]
        copied = place >= len(self.originals)
        if not copied.any():
            return taken(self.originals, place)
        images = recycled((len(rows), *self.originals.shape[1:]))
        images[~copied] = self.originals[place[~copied]]
        images[copied] = self.copies[place[copied] - len(self.originals)]
        return images


def deferred(recipe: Recipe) -> bool:
    """Whether a recipe's draws are natural at first and change at `defer`."""
    return recipe.defer > 0 and recipe.draws in ("balanced", "square_root")


def _changes(recipe: Recipe) -> bool:
    return deferred(recipe) or recipe.draws == "progressive"


def is_endless(recipe: Recipe) -> bool:
    """Whether a stream without an end and without mixing can show what a recipe asks for.

    Draws that change in the course of training need its end, mixed images have two labels, and
    embeddings are no images.
    """
    return not _changes(recipe) and recipe.mixing is None


def check_endless(recipe: Recipe) -> None:
    """Raise `InputError` for a recipe that is not endless."""
    check_on_pixels(recipe)
    require(
        is_endless(recipe),
        "draws that do not change and no mixing in a training loop of your own",
        "Take a trainer by name, or another recipe.",
        draws=recipe.draws,
        defer=recipe.defer,
        mixing=recipe.mixing,
    )


def check_on_pixels(recipe: Recipe) -> None:
    """Raise `InputError` for a recipe that makes embeddings, where there are images."""
    require(
        recipe.synthesise is None,
        "no synthesise outside a linear head on embeddings",
        "Train with --trainer probe, or name another recipe.",
        recipe=recipe.name,
        synthesise=recipe.synthesise,
    )


def check_recipe(
    images: NDArray[np.uint8],
    labels: ArrayLike,
    ids: ArrayLike,
    recipe: Recipe,
    *,
    classes: tuple[str, ...] | None = None,
) -> None:
    """Raise `InputError` where a strategy cannot be met or a technique does not fit the images."""
    roster = draw_up(labels, ids, recipe, seed=0, classes=classes)
    engine.augment_each(images[:0], roster.techniques, roster.technique[:0], seed=0, ids=[])


def present(
    images: NDArray[np.uint8],
    labels: ArrayLike,
    ids: ArrayLike,
    recipe: Recipe,
    *,
    seed: int,
    classes: tuple[str, ...] | None = None,
    threads: int | None = None,
    budget_of: Callable[[int], Budget] | None = None,
) -> Presented:
    """Return a training set as `recipe` presents it; its static copies are made here.

    `budget_of` gives the run's budget for so many presented images; without it the stream has no
    end, see `check_endless`.
    """
    if budget_of is None:
        check_endless(recipe)
    roster = draw_up(labels, ids, recipe, seed=seed, classes=classes)
    made = roster.technique >= 0
    place = np.where(made, len(images) + made.cumsum() - 1, roster.source)
    rows = np.flatnonzero(made)

    def copied(start: int, stop: int) -> NDArray[np.uint8]:
        some = rows[start:stop]
        part = Plan(roster.source[some], roster.technique[some], roster.copy[some], made[some])
        return engine.carry_out(images, ids, part, roster.techniques, seed=seed, threads=threads)

    count = len(rows)
    # Copies of images that are not held in memory are not held there either.
    mapped = is_mapped(images) and count > 0
    copies = filled((count, *images.shape[1:]), copied) if mapped else copied(0, count)
    draws = draws_of(roster, recipe, seed, budget_of)
    return Presented(roster, images, copies, place, draws, seed, threads)


def draws_of(
    roster: Roster, recipe: Recipe, seed: int, budget_of: Callable[[int], Budget] | None
) -> Draws:
    """Return the stream of draws that a recipe makes of a roster; see `present`."""
    if budget_of is None or not _changes(recipe):
        return Draws(roster.labels, recipe.draws, seed=seed)
    run = budget_of(len(roster))
    begins = run.span(run.step_after(recipe.defer))[0] if deferred(recipe) else 0
    total = run.epochs * run.images_per_epoch
    return Draws(roster.labels, recipe.draws, seed=seed, begins=begins, total=total)
