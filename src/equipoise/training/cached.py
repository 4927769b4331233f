"""A training set as a recipe presents it to a net on a frozen trunk: activations from the cache.

An image that is augmented afresh at every draw is never seen again, so that its activations could
not be kept. "Fresh" therefore means here that an image has a few views. View j, counted from 1, is
the image at the address (copy j, epoch 0) of the run's seed, changed by a technique that is drawn
for it; a draw shows the clean image or one of its views. Mirror images, where the trainer has them,
are kept like the images themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise import engine, keys
from equipoise.backbones import ActivationCache, Trunk, activations, get_backbone
from equipoise.images import ImageSet, Splits
from equipoise.parallel import scattered
from equipoise.planning import Plan
from equipoise.readers.sizing import to_channels
from equipoise.recipes import Recipe
from equipoise.training.budgets import Budget
from equipoise.training.draws import Draws
from equipoise.training.jitter import flipped
from equipoise.training.model import Model, evaluate
from equipoise.training.presenting import Batch, Roster, draw_up, draws_of
from equipoise.training.synthesising import synthesise
from equipoise.training.trainers import Trainer

__all__ = ["CachedSet", "activations_of", "decided_plainly", "extract", "present_cached"]

Pixels = NDArray[np.uint8]

_AT_ONCE = 256  # pictures that one task of a cluster embeds


@dataclass(frozen=True)
class CachedSet:
    """A roster with the activations of everything that it can show; as `Presented` is with pixels.

    Attributes
    ----------
    roster : Roster
    values : (P, …) float16 or float32
        The originals, the static copies, the views, the embeddings that were made; then all of them
        mirrored, where `flip` is not 'none'. Those that were made are their own mirror images.
    place : (M,) int64
        Where each row's own picture is.
    views : (N, V) int64
        Where each original's views are; -1 for those without.
    draws : Draws
    flip : str
        The trainer's.
    seed : int
    remarks : tuple of str
        What should be said of embeddings that were made.
    """

    roster: Roster
    values: NDArray
    place: NDArray[np.int64]
    views: NDArray[np.int64]
    draws: Draws
    flip: str
    seed: int
    remarks: tuple[str, ...] = ()

    ahead = 2  # batches that may be made on another thread

    def __len__(self) -> int:
        return len(self.roster)

    def batch(self, start: int, stop: int) -> Batch:
        """Return the draws at the positions from `start` to `stop`, as the recipe shows them."""
        return self.take(self.draws, start, stop)

    def take(self, draws: Draws, start: int, stop: int) -> Batch:
        """Return the draws of another stream over the same roster."""
        rows, passes = draws(start, stop)
        values = self.values[self._shown(rows, passes)]
        return Batch(values, self.roster.labels[rows], rows, passes)

    def mirrored(self, draws: Draws, start: int, stop: int) -> Batch:
        """Return draws with the trainer's own mirroring."""
        rows, passes = draws(start, stop)
        place = self._shown(rows, passes) + self.mirror(rows, passes) * (len(self.values) // 2)
        return Batch(self.values[place], self.roster.labels[rows], rows, passes)

    def mirror(self, rows: NDArray[np.intp], passes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which draws the trainer mirrors."""
        ids, copy = self.roster.ids[rows], self.roster.copy[rows]
        return flipped(self.flip, ids, copy, passes, seed=self.seed)

    def _shown(self, rows: NDArray[np.intp], passes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the picture of each draw is: the row's own, or a view of its image."""
        roster, count = self.roster, self.views.shape[1]
        if not roster.fresh:
            return self.place[rows]
        address = keys.image_keys(self.seed, roster.ids[rows], roster.copy[rows], passes)
        drawn = keys.uniforms(address, "view", 1)[:, 0]
        clean = 1 / (len(roster.weights or roster.techniques) + 1)
        view = np.floor((drawn - clean) / (1 - clean) * count).astype(np.int64)
        found = self.views[roster.source[rows], np.clip(view, 0, count - 1)]
        return np.where((view >= 0) & (found >= 0), found, self.place[rows])


def present_cached(
    data: ImageSet,
    recipe: Recipe,
    trainer: Trainer,
    trunk: Trunk,
    *,
    seed: int,
    budget_of: Callable[[int], Budget],
    cache: ActivationCache | None = None,
) -> CachedSet:
    """Return a training set as `recipe` presents it; what is not in the cache is computed here."""
    roster = draw_up(data.labels, data.ids, recipe, seed=seed, classes=data.classes)
    made = roster.technique >= 0
    pictures, views = _views(roster, len(data), trainer.views, seed)
    every = _plan(
        source=np.concatenate([np.arange(len(data)), roster.source[made], pictures.source]),
        technique=np.concatenate(
            [np.full(len(data), -1), roster.technique[made], pictures.technique]
        ),
        copy=np.concatenate([np.zeros(len(data), np.int32), roster.copy[made], pictures.copy]),
    )
    count, doubled = len(every.source), trainer.flip != "none"

    def shown(start: int, stop: int) -> Pixels:
        rows = np.arange(start, stop)
        part = every.pick(rows % count)
        images = engine.carry_out(
            data.array, data.ids, part, roster.techniques, seed=seed, threads=1
        )
        mirror = rows >= count
        images[mirror] = images[mirror, :, ::-1]
        return to_channels(images, 3)

    values = activations(shown, count * (1 + doubled), trunk, cache, jobs=1)
    place = np.where(made, len(data) + made.cumsum() - 1, roster.source)
    first = len(data) + int(made.sum())
    draws = draws_of(roster, recipe, seed, budget_of)
    shows = CachedSet(
        roster, values, place, np.where(views < 0, -1, views + first), draws, trainer.flip, seed
    )
    return shows if recipe.synthesise is None else _with_synthesised(shows, data, recipe)


def _with_synthesised(shows: CachedSet, data: ImageSet, recipe: Recipe) -> CachedSet:
    """Return a set in which embeddings that are made stand in the place of plain copies."""
    roster, doubled = shows.roster, shows.flip != "none"
    _, first = np.unique(roster.source, return_index=True)
    copied = np.setdiff1d(np.arange(len(roster)), first)
    kept = roster.source[first]
    counts = np.bincount(roster.labels[copied], minlength=len(data.classes))
    made, remarks = synthesise(
        np.asarray(shows.values[kept], np.float32),
        data.select(kept),
        recipe,
        {label: int(counts[label]) for label in np.flatnonzero(counts).tolist()},
        seed=shows.seed,
    )
    new = np.concatenate([*made.values(), shows.values[:0]]).astype(shows.values.dtype)
    rows = [copied[roster.labels[copied] == label][: len(of)] for label, of in made.items()]
    count, place = len(shows.values) // (1 + doubled), shows.place.copy()
    place[np.concatenate([*rows, copied[:0]])] = count + np.arange(len(new))
    halves = (shows.values[:count], shows.values[count:])[: 1 + doubled]
    values = np.concatenate([part for half in halves for part in (half, new)])
    return replace(shows, values=values, place=place, remarks=tuple(remarks))


def _views(roster: Roster, images: int, count: int, seed: int) -> tuple[Plan, NDArray[np.int64]]:
    """Return the views that there are, and where in them those of each image are."""
    rows = np.flatnonzero(roster.touched & roster.fresh)
    touched, first = np.unique(roster.source[rows], return_index=True)
    row = np.repeat(rows[first], count)
    copy = np.tile(np.arange(1, count + 1, dtype=np.int32), len(touched))
    weights = roster.weights or (1.0,) * len(roster.techniques)
    address = keys.image_keys(seed, roster.ids[row], copy)
    drawn = keys.uniforms(address, "view technique", 1)[:, 0]
    technique = np.searchsorted(np.cumsum(weights) / np.sum(weights), drawn, side="right")
    if roster.offset is not None:
        technique = technique + roster.offset[row]
    where = np.full((images, count), -1)
    where[touched] = np.arange(len(row)).reshape(-1, count)
    return _plan(roster.source[row], technique, copy), where


def _plan(source: NDArray[np.int64], technique: NDArray[np.int_], copy: NDArray[np.int32]) -> Plan:
    return Plan(source, technique.astype(np.int16), copy, np.zeros(len(source), bool))


def extract(data: Splits, trainer: Trainer, backend: str = "loky") -> None:
    """Compute what every run on a frozen trunk needs: pictures and mirror images.

    On all cores of this machine, or with the backend 'ray' of its cluster, whose machines must see
    the cache under the same path.
    """
    name, tuned = trainer.backbone, trainer.tuned_blocks
    if name is None or tuned == "all":
        return
    parts = [part.array for part in data.parts.values()]
    if trainer.flip != "none":
        parts.append(data.train.array[:, :, ::-1])

    def one(span: tuple[int, int, int]) -> None:
        part, start, stop = span
        _activations(parts[part][start:stop], get_backbone(name).trunk(tuned), jobs=jobs)

    here = backend == "loky"  # where threads share what processes would copy
    jobs, most = (None, max(map(len, parts))) if here else (1, _AT_ONCE)
    spans = [(k, i, i + most) for k, part in enumerate(parts) for i in range(0, len(part), most)]
    for _ in map(one, spans) if here else scattered(one, spans, backend=backend):
        pass


def activations_of(
    images: ImageSet, trunk: Trunk, cache: ActivationCache | None = None, jobs: int | None = 1
) -> ImageSet:
    """Return a set with a trunk's activations in the place of its pixels."""
    return replace(images, images=_activations(images.array, trunk, cache, jobs=jobs))


def decided_plainly(model: Model, pixels: Pixels) -> NDArray[np.int64]:
    """Return the (N,) labels that a model decides on for pictures that many nets are asked about.

    What a frozen trunk makes of them comes from the cache.
    """
    trunk, shown = model.trunk, model.fitting(pixels)
    if trunk is not None:
        shown = np.asarray(_activations(shown, trunk))
    return model.decided("plain").apply(evaluate(model, shown))


def _activations(
    pixels: Pixels, trunk: Trunk, cache: ActivationCache | None = None, jobs: int | None = 1
) -> Any:
    def shown(start: int, stop: int) -> Pixels:
        return to_channels(pixels[start:stop], 3)

    return activations(shown, len(pixels), trunk, cache, jobs=jobs)
