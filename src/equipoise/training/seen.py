"""How many different images a net was shown."""

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

__all__ = ["Seen", "fingerprints"]

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)

_KINDS = ("sources", "images")


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
