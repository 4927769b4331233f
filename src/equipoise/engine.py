"""The engine: carries techniques out on batches of images, on all cores.

An augmented image is a pure function of its address (source id, technique and parameters, place in
a chain, seed, copy, epoch) and of its pixels. Threads, batches and order change nothing.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import InputError, require, whole_seed
from equipoise.keys import Addresses, image_keys, uniforms
from equipoise.recycling import recycled, taken
from equipoise.techniques import Technique, resolve
from equipoise.techniques.base import Step
from equipoise.techniques.steps import check_shape, choose, draw

if TYPE_CHECKING:
    from equipoise.planning import Plan

__all__ = ["ENGINE_VERSION", "augment", "augment_each", "carry_out", "fresh", "own_techniques"]

# Bumped whenever any address gives other bytes than before. Within one version the bytes are the
# same on every machine; `jpeg`, which runs OpenCV's codec, may change with OpenCV's version too.
ENGINE_VERSION = 1

Pixels = NDArray[np.uint8]

Shape = tuple[int, int, int]

# A chunk is what one thread takes at a time; it bounds the scratch memory. Its parameters are drawn
# under Python's lock, for which threads wait, so few large chunks are faster than many. For less
# than so many bytes a further thread costs more than it brings.
_CHUNK_BYTES = 4 << 20
_WORKER_BYTES = 256 << 10
_DRAWN = 1 << 15  # images whose parameters are drawn at once, and more where a chunk has more

# Draws by which a function of the user's is known: one may do something now and then alone.
_TRIED = 8


def augment(
    images: Any,
    technique: object,
    *,
    seed: int,
    ids: ArrayLike,
    copy: ArrayLike = 0,
    epoch: ArrayLike = 0,
    place: int = 0,
    threads: int | None = None,
    out: Pixels | None = None,
    **parameters: Any,
) -> Any:
    """Return every image with one technique carried out on it.

    Parameters
    ----------
    images : (N, H, W, C) uint8 array, or a sequence of N (H, W, C) uint8 arrays
        H, W >= 2; C is 1, 3 or 4.
    technique : str, dict, Technique or callable
        As `equipoise.techniques.resolve` takes it.
    seed : int
    ids : (N,) integers
        Stable ids of the source images.
    copy, epoch : int or (N,) integers
    place : int
        Position of the technique in a chain.
    threads : int, optional
        Default: all cores. Changes no byte.
    out : (N, H, W, C) uint8 array, optional
        Filled and returned; must not overlap `images`. Without it, large results take the memory of
        earlier ones that nothing shows any more, so that a loop is as fast either way.
    **parameters
        Of the technique, where it is given by name.

    Returns
    -------
    Array or list, as `images` is.

    Raises
    ------
    InputError
        For images, ids, a technique or a parameter that do not fit.
    """
    if parameters and not isinstance(technique, str):
        raise InputError("Parameters go with a technique given by name.")
    chosen = resolve({technique: parameters} if isinstance(technique, str) else technique)
    addresses = _addresses(len(images), seed, ids, copy, epoch)

    def prepare(rows: slice, shape: Shape) -> Step:
        return draw(chosen, addresses[rows], place, shape)

    return _run(images, None, prepare, [chosen], threads, out)


def augment_each(
    images: Any,
    techniques: Sequence[object],
    choice: ArrayLike,
    *,
    seed: int,
    ids: ArrayLike,
    copy: ArrayLike = 0,
    epoch: ArrayLike = 0,
    threads: int | None = None,
    out: Pixels | None = None,
    source: NDArray[np.int64] | None = None,
) -> Any:
    """Return every image with a technique of its own: `choice` (N,) indexes `techniques`.

    -1 leaves an image as it is. `source` (N,) are rows of `images`, in place of all in their order;
    they are read as they are needed, not side by side at first. The other parameters are those of
    `augment`, with which each image agrees byte for byte.
    """
    return _each(images, source, techniques, choice, seed, ids, copy, epoch, threads, out)


def fresh(
    images: Any,
    techniques: Sequence[object],
    *,
    seed: int,
    ids: ArrayLike,
    epoch: ArrayLike = 0,
    copy: ArrayLike = 0,
    touch: ArrayLike | None = None,
    threads: int | None = None,
    out: Pixels | None = None,
    source: NDArray[np.int64] | None = None,
) -> Any:
    """Return every image, with equal probability, clean or changed by one of the techniques.

    What falls to an image depends on its address alone, so each epoch draws anew. Where the mask
    `touch` (N,) is False an image stays clean. `source` is that of `augment_each`.
    """
    keys = image_keys(seed, ids, copy, epoch)
    count = len(techniques) + 1
    choice = np.floor(uniforms(keys, "fresh", 1)[:, 0] * count).astype(np.int64) - 1
    if touch is not None:
        choice[~np.asarray(touch, bool)] = -1
    return _each(images, source, techniques, choice, seed, ids, copy, epoch, threads, out)


def carry_out(
    images: Any,
    ids: ArrayLike,
    plan: "Plan",
    techniques: Sequence[object],
    *,
    seed: int,
    threads: int | None = None,
) -> Any:
    """Return the copies that a plan lists, in its order.

    Parameters
    ----------
    images, ids
        Of the whole training set; `plan.source` are rows of it.
    plan : Plan
    techniques : sequence
        What `plan.technique` indexes; -1 is a plain duplicate.

    Returns
    -------
    (len(plan), H, W, C) uint8 array, or a list where sizes are mixed.
    """
    source = np.asarray(plan.source, np.int64)
    ids = np.asarray(ids)[source]
    return _each(images, source, techniques, plan.technique, seed, ids, plan.copy, 0, threads, None)


def own_techniques(techniques: Iterable[Technique], images: Any) -> dict[str, str]:
    """Return what techniques that are functions of the user's do, by name: a digest of an image.

    A name says too little of a function: one that was edited has the same. One that does something
    else each time, whatever its generator, has none to be told by.

    Parameters
    ----------
    techniques : iterable of Technique
    images : (N, H, W, C) uint8 array, or a sequence of (H, W, C) uint8 arrays
        The first is what they are tried on.
    """
    found: dict[str, str] = {}
    for technique in techniques if len(images) else ():
        found |= own_techniques(technique.parts, images)
        if technique.function is None:
            continue
        few = np.asarray(images[0])[None].repeat(_TRIED, axis=0)
        ids = range(_TRIED)
        made, again = (augment(few, technique, seed=0, ids=ids, threads=1) for _ in range(2))
        same = np.array_equal(made, again)
        digest = blake2b(made.tobytes(), digest_size=8).hexdigest() if same else "random"
        found[technique.name] = found.get(technique.name, "") + digest
    return found


def _each(
    images: Any, source: NDArray[np.int64] | None, techniques: Sequence[object],
    choice: ArrayLike, seed: int, ids: ArrayLike, copy: ArrayLike, epoch: ArrayLike,
    threads: int | None, out: Pixels | None,
) -> Any:  # fmt: skip
    parts = [resolve(technique) for technique in techniques]
    count = len(images) if source is None else len(source)
    choice = _whole(choice, [(count,)], "choice one whole number an image")
    fits = choice.size == 0 or (choice.min() >= -1 and choice.max() < len(parts))
    if not fits:
        require(False, f"-1 <= choice < {len(parts)}", choice=choice.tolist()[:5])
    addresses = _addresses(count, seed, ids, copy, epoch)

    def prepare(rows: slice, shape: Shape) -> Step:
        return choose(choice[rows], parts, addresses[rows], [0] * len(parts), shape)

    return _run(images, source, prepare, parts, threads, out)


def _addresses(
    count: int, seed: int, ids: ArrayLike, copy: ArrayLike, epoch: ArrayLike
) -> Addresses:
    seed = whole_seed(seed)
    ids = _whole(ids, [(count,)], "ids one whole number an image")
    either = [(count,), ()]
    copies = _whole(copy, either, "copy one whole number an image, or one for all")
    epochs = _whole(epoch, either, "epoch one whole number an image, or one for all")
    return Addresses(seed, ids, copies, epochs)


def _whole(numbers: ArrayLike, shapes: Sequence[tuple[int, ...]], rule: str) -> NDArray[np.integer]:
    found = np.asarray(numbers)
    fits = found.shape in shapes and (found.dtype.kind in "iu" or not found.size)
    if not fits:
        raise InputError(f"{rule} must hold, but got {found.dtype} of shape {found.shape}.")
    return found.astype(np.int64) if not found.size else found


Prepare = Callable[[slice, Shape], Step]


def _run(
    images: Any, source: NDArray[np.int64] | None, prepare: Prepare,
    techniques: Sequence[Technique], threads: int | None, out: Pixels | None,
) -> Any:  # fmt: skip
    """Carry the prepared step out on chunks of rows (of `source` rows, where given)."""
    workers = 1 if any(technique.serial for technique in techniques) else _workers(threads)
    count = len(images) if source is None else len(source)
    if not isinstance(images, np.ndarray):
        if out is not None:
            raise InputError("out goes with images in one array, but got a sequence of images.")
        return _run_list(images, source, prepare, techniques, workers, count)
    shape = _checked(images, techniques)
    result = recycled((count, *shape)) if out is None else _fitting(out, count, images)
    size = math.prod(shape)
    workers = min(workers, 1 + count * size // _WORKER_BYTES)
    # As many chunks for every worker, and all of one size.
    chunks = workers * max(1, -(-count * size // (_CHUNK_BYTES * workers)))
    chunk = max(1, -(-count // chunks))

    # Parameters are drawn for many chunks at once and by one thread: two that draw wait for each
    # other at every call of numpy.
    drawn = chunk * max(1, _DRAWN // chunk)
    for first in range(0, count, drawn):
        last = min(first + drawn, count)
        step = prepare(slice(first, last), shape)

        def work(start: int, first: int = first, last: int = last, step: Step = step) -> None:
            stop = min(start + chunk, last)
            rows = slice(start, stop)
            block = (
                np.ascontiguousarray(images[rows])
                if source is None
                else taken(images, source[rows])
            )
            step(block, result[rows], start - first, stop - first)

        _share_out(work, range(first, last, chunk), workers)
    return result


def _run_list(
    images: Sequence[Pixels], source: NDArray[np.int64] | None, prepare: Prepare,
    techniques: Sequence[Technique], workers: int, count: int,
) -> list[Pixels]:  # fmt: skip
    results: list[Any] = [None] * count

    def work(i: int) -> None:
        image = np.ascontiguousarray(images[i if source is None else int(source[i])])[None]
        shape = _checked(image, techniques)
        out = recycled(image.shape)
        prepare(slice(i, i + 1), shape)(image, out, 0, 1)
        results[i] = out[0]

    _share_out(work, range(count), workers)
    return results


def _checked(images: NDArray[Any], techniques: Sequence[Technique]) -> Shape:
    fits = images.ndim == 4 and images.dtype == np.uint8 and images.shape[3] in (1, 3, 4)
    if not fits:
        got = f"{images.dtype} of shape {images.shape}"
        require(False, "images N×H×W×C of uint8 with 1, 3 or 4 channels", images=got)
    _, height, width, channels = images.shape
    require(min(height, width) >= 2, "height and width >= 2", height=height, width=width)
    for technique in techniques:
        check_shape(technique, (height, width, channels))
    return height, width, channels


def _fitting(out: Pixels, count: int, images: Pixels) -> Pixels:
    shape = (count, *images.shape[1:])
    fits = out.shape == shape and out.dtype == np.uint8 and out.flags.c_contiguous
    if not fits:
        got = f"{out.dtype} of shape {out.shape}"
        require(False, f"out a contiguous array of uint8 and shape {shape}", out=got)
    apart = not np.may_share_memory(out, images)
    require(apart, "out apart from images", out="overlapping memory")
    return out


def _workers(threads: int | None) -> int:
    if threads is None:
        # sched_getaffinity knows of a container's limits, but is not everywhere.
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    require(threads >= 1, "threads >= 1", threads=threads)
    return int(threads)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="equipoise")


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _share_out(work: Callable[[int], None], items: range, workers: int) -> None:
    """Call `work` for every item, this thread and `workers` - 1 others each taking the next."""
    waiting = deque(items)

    def take() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            work(item)

    helpers = min(workers, len(items)) - 1
    if helpers < 1:
        return take()
    futures = [_pool(workers - 1).submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        waiting.clear()  # after an error nothing more is begun
        for future in futures:
            future.exception()
    for future in futures:
        future.result()
    return None
