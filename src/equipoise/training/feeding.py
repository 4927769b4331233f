"""The batches that a run is trained on: drawn, mixed, counted, and on a GPU where they fit."""

import math
from dataclasses import dataclass, field, replace

import numba as nb
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.mapped import blocks
from equipoise.training.budgets import Budget
from equipoise.training.cached import CachedSet
from equipoise.training.devices import moved
from equipoise.training.mixing import Mixing, mix
from equipoise.training.presenting import Batch, Presented

__all__ = ["Feed", "Resident", "Seen", "fingerprints", "resident"]

# Of the GPU's free memory, what a training set may take: the net and its maps need the rest.
_SHARE = 0.5

_KINDS = ("sources", "images")  # of what is counted

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


@nb.njit(cache=True, nogil=True)
def _fingerprints(flat, words, out):  # type: ignore[no-untyped-def]
    for i in range(len(flat)):
        state = _PRIME
        for word in words[i]:
            state = (state ^ word) * _PRIME
            state ^= state >> _32
        for j in range(8 * words.shape[1], flat.shape[1]):
            state = (state ^ np.uint64(flat[i, j])) * _PRIME
            state ^= state >> _32
        out[i] = state


def fingerprints(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each image's pixels, (N,) uint64."""
    flat = np.ascontiguousarray(images).reshape(len(images), math.prod(images.shape[1:]))
    words = np.ascontiguousarray(flat[:, : flat.shape[1] // 8 * 8]).view(np.uint64)
    out = np.empty(len(flat), np.uint64)
    _fingerprints(flat, words, out)
    return out


class Seen:
    """Counts the different images of each class: `sources` as given, `images` as presented."""

    def __init__(self, classes: int) -> None:
        self._known = [{kind: np.empty(0, np.uint64) for kind in _KINDS} for _ in range(classes)]
        self._new: list[dict[str, list[NDArray[np.uint64]]]] = [
            {kind: [] for kind in _KINDS} for _ in range(classes)
        ]

    def add(
        self, marks: NDArray[np.uint64], labels: NDArray[np.int64], sources: NDArray[np.int64]
    ) -> None:
        """Note a batch: its images' fingerprints, labels and the rows they were made from."""
        for label in np.unique(labels):
            mine = labels == label
            self._new[label]["sources"].append(sources[mine].astype(np.uint64))
            self._new[label]["images"].append(marks[mine])

    def settle(self) -> None:
        """Forget repeats, so that memory grows with different images alone."""
        for known, new in zip(self._known, self._new, strict=True):
            for kind in _KINDS:
                known[kind] = np.unique(np.concatenate([known[kind], *new[kind]]))
                new[kind].clear()

    def counts(self) -> dict[str, list[int]]:
        """Return how many different sources and images each class has shown, by kind."""
        self.settle()
        return {kind: [len(known[kind]) for known in self._known] for kind in _KINDS}

    def state(self) -> list[dict[str, NDArray[np.uint64]]]:
        """Return what `load` takes: each class's different sources and images."""
        self.settle()
        return self._known

    def load(self, state: list[dict[str, NDArray[np.uint64]]]) -> None:
        """Go on from an earlier `state`."""
        self._known = state


class Resident:
    """A training set without fresh augmentation, its pixels on the device.

    Parameters
    ----------
    presented : Presented
        Its roster is not fresh.
    device : torch.device
    """

    def __init__(self, presented: Presented, device: torch.device) -> None:
        parts = (presented.originals, presented.copies)
        count = sum(map(len, parts))
        self.pixels = torch.empty(
            (count, *presented.originals.shape[1:]), dtype=torch.uint8, device=device
        )
        # Of every image as it is and mirrored: nothing has to come back to be counted.
        self._marks = np.empty((2, count), np.uint64)
        start = 0
        for part in parts:
            for block in blocks(part.shape):
                # torch takes no read-only map of a file: it gets a copy.
                some = np.array(part[block])
                place = slice(start, start := start + len(some))
                self.pixels[place] = torch.from_numpy(some)
                self._marks[:, place] = fingerprints(some), fingerprints(some[:, :, ::-1])

    def images(self, place: NDArray[np.int64], mirror: NDArray[np.bool_]) -> Tensor:
        """Return the (B, H, W, C) uint8 images at some places, mirrored or not, on the device."""
        device = self.pixels.device
        images = self.pixels[moved(place, device)]
        turned = moved(mirror, device).view(-1, 1, 1, 1)
        return torch.where(turned, images.flip(2), images)

    def marks(self, place: NDArray[np.int64], mirror: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Return the fingerprints of those images, (B,)."""
        return self._marks[mirror.astype(np.intp), place]


def resident(presented: Presented | CachedSet, device: torch.device) -> Resident | None:
    """Return a training set on a GPU, where pixels are shown as they are and leave half of it."""
    if device.type != "cuda" or not isinstance(presented, Presented):
        return None
    if presented.roster.fresh or presented.shift:
        return None
    torch.cuda.empty_cache()  # what earlier runs of this process hold and do not use is free
    free, _ = torch.cuda.mem_get_info(device)
    size = presented.originals.nbytes + presented.copies.nbytes
    if size > _SHARE * free:
        return None
    try:
        return Resident(presented, device)
    except torch.OutOfMemoryError:  # another process was faster
        return None


@dataclass
class Feed:
    """The batches of a run, one a step.

    Attributes
    ----------
    presented : Presented or CachedSet
    budget : Budget
    classes, seed : int
    mixing : Mixing, optional
    counts : (M,) float32, optional
        How much each row of the roster counts in the loss, where not all count alike.
    resident : Resident, optional
        The training set on the device.
    seen : Seen
        What was in the batches so far.
    """

    presented: Presented | CachedSet
    budget: Budget
    classes: int
    seed: int
    mixing: Mixing | None = None
    counts: NDArray[np.float32] | None = None
    resident: Resident | None = None
    seen: Seen = field(init=False)

    def __post_init__(self) -> None:
        self.seen = Seen(self.classes)

    def batch(self, step: int) -> Batch:
        """Make a step's batch; runs on another thread than the step."""
        span, mixing, presented = self.budget.span(step), self.mixing, self.presented
        if self.resident is not None:
            return self._on_device(self.resident, span)
        batch = presented.mirrored(presented.draws, *span)
        if mixing is not None and batch.images.dtype == np.float16:  # halves would be rounded twice
            batch = replace(batch, images=batch.images.astype(np.float32))
        if mixing is not None and step < self.budget.step_after(mixing.until):
            draws = mixing.foreground
            pool = None if draws is None else presented.mirrored(draws, *span)
            batch = mix(mixing, batch, pool, classes=self.classes, seed=self.seed, start=span[0])
        # A mixed image counts for its first label.
        sources = presented.roster.source[batch.rows]
        self.seen.add(fingerprints(batch.images.view(np.uint8)), batch.labels, sources)
        return batch

    def _on_device(self, pixels: Resident, span: tuple[int, int]) -> Batch:
        """Some draws whose pixels are on the device already."""
        roster = self.presented.roster
        rows, passes = self.presented.draws(*span)
        place, mirror = self.presented.place[rows], self.presented.mirror(rows, passes)
        labels = roster.labels[rows]
        self.seen.add(pixels.marks(place, mirror), labels, roster.source[rows])
        return Batch(pixels.images(place, mirror), labels, rows, passes)  # type: ignore[arg-type]
