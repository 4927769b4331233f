"""A training set as a recipe presents it: which images, how often, augmented how."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import engine
from equipoise.planning import Plan, plan, targets
from equipoise.recipes import Recipe
from equipoise.techniques import Technique
from equipoise.training.draws import Draws

__all__ = ["Batch", "Presented", "Roster", "check_recipe", "draw_up", "present"]


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
    fresh : bool
        Whether the techniques are drawn anew each time.
    """

    source: NDArray[np.int64]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    technique: NDArray[np.int16]
    copy: NDArray[np.int32]
    touched: NDArray[np.bool_]
    techniques: tuple[Technique, ...]
    fresh: bool

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
    made = plan(
        labels,
        recipe.strategy,
        0 if fresh else len(techniques),
        seed=seed,
        ids=ids,
        scope=recipe.scope,
        classes=classes,
    )
    kept = np.flatnonzero(made.kept(len(labels)))
    source = np.concatenate([kept, made.source])
    # Fresh duplicates are images of their own: copy 0 is the original.
    copy = np.concatenate([np.zeros(len(kept), np.int32), made.copy + np.int32(fresh)])
    return Roster(
        source=source,
        labels=labels[source],
        ids=ids[source],
        technique=np.concatenate([np.full(len(kept), -1, np.int16), made.technique]),
        copy=copy,
        touched=_touched(labels, recipe, classes)[source] & fresh,
        techniques=techniques,
        fresh=fresh,
    )


def _touched(
    labels: NDArray[np.int64], recipe: Recipe, classes: tuple[str, ...] | None
) -> NDArray[np.bool_]:
    """Which images fresh techniques may touch: all, or those of the classes to be brought up.

    Balanced draws bring up every class below the largest without a strategy.
    """
    if recipe.scope == "all":
        return np.ones(len(labels), bool)
    new = targets(labels, recipe.strategy or "auto", classes)
    return np.isin(labels, [label for label, count in new.items() if count])


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
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.intp]
    passes: NDArray[np.int64]


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
    """

    roster: Roster
    originals: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    place: NDArray[np.int64]
    draws: Draws
    seed: int
    threads: int | None

    def __len__(self) -> int:
        return len(self.roster)

    def batch(self, start: int, stop: int) -> Batch:
        """Return the draws at the positions from `start` to `stop`, `stop` not among them."""
        rows, passes = self.draws(start, stop)
        roster, images = self.roster, self._pixels(rows)
        if roster.fresh:
            images = engine.fresh(
                images,
                roster.techniques,
                seed=self.seed,
                ids=roster.ids[rows],
                copy=roster.copy[rows],
                epoch=passes,
                touch=roster.touched[rows],
                threads=self.threads,
            )
        return Batch(images, roster.labels[rows], rows, passes)

    def _pixels(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        place = self.place[rows]
        copied = place >= len(self.originals)
        if not copied.any():
            return self.originals[place]
        images = np.empty((len(rows), *self.originals.shape[1:]), np.uint8)
        images[~copied] = self.originals[place[~copied]]
        images[copied] = self.copies[place[copied] - len(self.originals)]
        return images


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
) -> Presented:
    """Return a training set as `recipe` presents it; its static copies are made here."""
    roster = draw_up(labels, ids, recipe, seed=seed, classes=classes)
    made = roster.technique >= 0
    place = np.where(made, len(images) + made.cumsum() - 1, roster.source)
    to_make = Plan(roster.source[made], roster.technique[made], roster.copy[made], made[made])
    copies = engine.carry_out(images, ids, to_make, roster.techniques, seed=seed, threads=threads)
    draws = Draws(roster.labels, balanced=recipe.draws == "balanced", seed=seed)
    return Presented(roster, images, copies, place, draws, seed, threads)
