"""From a technique and its addresses to the step that carries it out on blocks of images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, WorkError
from equipoise.keys import code
from equipoise.techniques.base import CATALOGUE, Draws, Keys, Step, Technique

__all__ = ["check_shape", "choose", "draw", "in_turn", "leaf", "places", "route"]

Pixels = NDArray[np.uint8]
Rows = NDArray[np.intp]
Shape = tuple[int, int, int]

# What a chain takes through all its steps at a time, by measurement: smaller blocks would stay in
# the second cache, but calling the kernels so often costs more than that brings.
_BLOCK_BYTES = 3 << 19


def check_shape(technique: Technique, shape: Shape) -> None:
    """Raise `InputError` where a technique cannot work on images of this shape."""
    if technique.function is None and CATALOGUE[technique.name].needs_colour and shape[2] < 3:
        raise InputError(
            f"{technique.name} needs colour images, but got images of {shape[2]} channel. "
            "Leave it out for grey images."
        )
    for part in technique.parts if technique.name != "trivial" else ():
        check_shape(part, shape)


def places(technique: Technique) -> int:
    """Return how many places a technique takes in a chain: its own and those of its parts."""
    return 1 + sum(places(part) for part in technique.parts)


def draw(technique: Technique, keys: Keys, place: int, shape: Shape) -> Step:
    """Draw the parameters of every key and return the step that applies them.

    A policy sits at its place, and its parts at the places after it, in the order they are written.
    """
    if technique.function is not None:
        return _own(technique, keys, place)
    definition = CATALOGUE[technique.name]
    if definition.compose:
        return definition.compose(technique, keys, place, shape)
    return leaf(technique, keys, place, shape, {})


def leaf(
    technique: Technique, keys: Keys, place: int, shape: Shape, changed: dict[str, NDArray]
) -> Step:
    """Return the step of a technique that is no policy; `changed` are parameters image by image."""
    definition = CATALOGUE[technique.name]
    assert definition.draw is not None
    assert definition.apply is not None
    apply = definition.apply
    draws = Draws(keys, technique.name, place, shape)
    values = definition.draw(draws, **{**technique.parameters, **changed})

    def step(images: Pixels, out: Pixels, start: int, stop: int) -> None:
        # Numba compiles anew for a read-only array, so all are read-only.
        images = images.view()
        images.flags.writeable = False
        apply(images, out, *(value[start:stop] for value in values))

    return step


def route(groups: Sequence[tuple[Rows, Step]], count: int, shape: Shape) -> Step:
    """Return the step that sends rows of `count` through a step each; the others stay clean."""
    clean = np.ones(count, bool)
    for rows, _ in groups:
        clean[rows] = False
    rest = np.flatnonzero(clean)

    def step(images: Pixels, out: Pixels, start: int, stop: int) -> None:
        for rows, inner in groups:
            first, last = np.searchsorted(rows, (start, stop)).tolist()
            if last - first == stop - start:
                inner(images, out, first, last)
            elif last > first:
                here = rows[first:last] - start
                result = np.empty((len(here), *shape), np.uint8)
                inner(images[here], result, first, last)
                out[here] = result
        first, last = np.searchsorted(rest, (start, stop)).tolist()
        here = rest[first:last] - start
        out[here] = images[here]

    return step


def choose(
    choice: NDArray[np.integer], parts: Sequence[Technique], keys: Keys, place: Sequence[int],
    shape: Shape,
) -> Step:  # fmt: skip
    """Return the step that gives each image the part of its choice; -1 leaves it clean."""
    groups = []
    for k, part in enumerate(parts):
        rows = np.flatnonzero(choice == k)
        if len(rows):
            groups.append((rows, draw(part, keys[rows], place[k], shape)))
    return route(groups, len(keys), shape)


def in_turn(steps: Sequence[Step]) -> Step:
    """Return the step that runs several one after the other, block by block while in cache."""

    def step(images: Pixels, out: Pixels, start: int, stop: int) -> None:
        count = stop - start
        block = min(count, max(1, _BLOCK_BYTES // images[0].size))
        spare = np.empty((block, *images.shape[1:]), np.uint8)
        for first in range(0, count, block):
            last = min(first + block, count)
            source, pair = images[first:last], (out[first:last], spare[: last - first])
            for k, inner in enumerate(steps):
                target = pair[(len(steps) - 1 - k) % 2]  # the last one writes to `out`
                inner(source, target, start + first, start + last)
                source = target

    return step


def _own(technique: Technique, keys: Keys, place: int) -> Step:
    """A user's callable, image by image, each with a generator keyed by its address."""
    function = technique.function
    assert function is not None
    high = int(code(technique.name)) | place << 32

    def step(images: Pixels, out: Pixels, start: int, stop: int) -> None:
        for i, key in enumerate(np.asarray(keys)[start:stop].tolist()):
            bits = np.random.Philox(key=[key[0] | key[1] << 32, high])
            result = function(images[i].copy(), np.random.Generator(bits))
            kind = getattr(result, "dtype", type(result).__name__)
            if kind != np.uint8 or result.shape != images[i].shape:
                raise WorkError(
                    f"{technique.name} must return an array of uint8 of shape {images[i].shape}, "
                    f"but returned {kind} of shape {getattr(result, 'shape', None)}."
                )
            out[i] = result

    return step
