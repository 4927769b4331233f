"""Activations of a frozen trunk, each computed once and kept on disk.

What a trunk makes of a picture is a pure function of the picture's pixels and of the trunk: its
weights, where it is cut, and what runs it. The cache is addressed by digests of just these, so that
commands, recipes, seeds and processes share it and nothing in it can be out of date.

A cache is a folder a trunk. In it, rows that were computed together are two files: their values,
and their addresses, which are written last: without them the values do not count. So a process
that is killed leaves nothing half-written, and two that compute the same at once do no harm.
"""

import os
import platform
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from equipoise.errors import WorkError, reason
from equipoise.files import atomic
from equipoise.mapped import filled
from equipoise.readers.digests import digest

__all__ = [
    "BATCH",
    "MOST_BYTES",
    "ActivationCache",
    "Trunk",
    "activations",
    "cache_folder",
    "computed",
]

MOST_BYTES = 10 * 2**30
BATCH = 16  # pictures a call of the trunk
_TOGETHER = 256  # pictures whose activations are written together
_VALUES, _ADDRESSES = ".values.npy", ".addresses.npy"
_ADDRESS = "V16"

Pictures = NDArray[np.uint8]
Values = NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True)
class Trunk:
    """The frozen part of a backbone.

    Attributes
    ----------
    run : callable
        From (N, H, W, 3) uint8 pictures to (N, …) float32 activations; called by many threads.
    identity : str
        Says all that the activations depend on besides the pictures: weights, cut, runtime.
    graph : bytes, optional
        The same as an ONNX model from `pictures` to `activations`, where there is one.
    module : nn.Module, optional
        The same as a module of torch, where it is one.
    """

    run: Callable[[Pictures], NDArray[np.float32]]
    identity: str
    graph: bytes | None = None
    module: Any = None

    @property
    def digest(self) -> str:
        """Stands for the identity and the kind of processor, whose kernels round differently."""
        return blake2b(f"{self.identity} {_processor()}".encode(), digest_size=12).hexdigest()


def cache_folder() -> Path:
    """Return where activations are kept: EQUIPOISE_CACHE, else the system's folder for caches."""
    import pooch

    return Path(os.environ.get("EQUIPOISE_CACHE") or pooch.os_cache("equipoise")) / "activations"


@dataclass
class ActivationCache:
    """Activations on disk.

    Attributes
    ----------
    folder : Path
    most_bytes : int
        What was used the longest ago is deleted where more than this would be kept.
    """

    folder: Path = field(default_factory=cache_folder)
    most_bytes: int = MOST_BYTES

    def size(self) -> int:
        """Return how many bytes there are."""
        return sum(path.stat().st_size for path in self.folder.glob("*/*.npy"))

    def clear(self) -> int:
        """Delete everything; return how many bytes that were."""
        freed = self.size()
        for path in self.folder.glob("*/*.npy"):
            path.unlink(missing_ok=True)
        return freed

    def open(self, trunk: Trunk) -> "Shelf":
        """Return what there is of a trunk."""
        return Shelf(self, self.folder / trunk.digest)

    def trim(self, room: int) -> None:
        """Delete the rows that were used the longest ago until there is room for so many bytes."""
        kept = self.size() + room
        oldest_first = sorted(self.folder.glob(f"*/*{_ADDRESSES}"), key=_last_use)
        for addresses in oldest_first:
            if kept <= self.most_bytes:
                return
            values = addresses.with_name(addresses.name.replace(_ADDRESSES, _VALUES))
            for path in (addresses, values):  # in this order: values alone do not count
                with suppress(OSError):
                    kept -= path.stat().st_size
                    path.unlink()


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has deleted it
        return 0.0


class Shelf:
    """The activations of one trunk: address to the place of a row."""

    def __init__(self, cache: ActivationCache, folder: Path) -> None:
        self.cache, self.folder = cache, folder
        self.parts: list[Values] = []
        self.places: dict[bytes, tuple[int, int]] = {}
        for addresses in sorted(folder.glob(f"*{_ADDRESSES}")):
            self._open(addresses)

    def __contains__(self, address: bytes) -> bool:
        return address in self.places

    def __getitem__(self, address: bytes) -> Values:
        part, row = self.places[address]
        return self.parts[part][row]

    def add(self, addresses: NDArray[np.void], values: NDArray[np.float32]) -> None:
        """Keep rows, in float16 where they fit it, and in float32 where they do not."""
        halves, fit = _halves(values)
        for rows, kept in ((fit, halves), (~fit, values)):
            if rows.any():
                self._write(addresses[rows], kept[rows])

    def _write(self, addresses: NDArray[np.void], values: Values) -> None:
        self.cache.trim(values.nbytes)
        name = uuid.uuid4().hex
        last = self.folder / f"{name}{_ADDRESSES}"
        try:
            _save(self.folder / f"{name}{_VALUES}", values)
            _save(last, addresses.view(np.uint8).reshape(-1, 16))
        except OSError as error:
            remedy = "EQUIPOISE_CACHE names another folder."
            raise WorkError(f"{self.folder}: {reason(error)}. {remedy}") from None
        self._open(last)

    def _open(self, path: Path) -> None:
        # What is damaged, or deleted meanwhile, is computed again.
        with suppress(OSError, ValueError, EOFError):
            addresses = np.load(path)
            values = np.load(path.with_name(path.name.replace(_ADDRESSES, _VALUES)), mmap_mode="r")
            if addresses.shape != (len(values), 16):
                return
            os.utime(path)
            part = len(self.parts)
            self.parts.append(values)
            self.places |= {row.tobytes(): (part, k) for k, row in enumerate(addresses)}


def _save(path: Path, array: NDArray) -> None:
    with atomic(path) as part, part.open("wb") as file:
        np.save(file, array)


def activations(
    pictures: Callable[[int, int], Pictures],
    count: int,
    trunk: Trunk,
    cache: ActivationCache | None = None,
    *,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Values:
    """Return a trunk's activations of pictures, from the cache where they are there.

    Parameters
    ----------
    pictures : callable
        From start and stop to the (stop - start, H, W, 3) uint8 pictures in between; they are
        asked for a few hundred at a time.
    count : int
        How many pictures there are.
    trunk : Trunk
    cache : ActivationCache, optional
    jobs : int, optional
        Threads; by default one a core. The result does not depend on it.
    progress : callable, optional
        Called with how many pictures are done and how many there are.

    Returns
    -------
    (count, …) array
        float16, or float32 where any value does not fit that; a map of a file.
    """
    shelf = (cache or ActivationCache()).open(trunk)
    addresses = []
    with ThreadPoolExecutor(jobs or cpu_count()) as pool:
        for start in range(0, count, _TOGETHER):
            stop = min(start + _TOGETHER, count)
            some = pictures(start, stop)
            found = np.array(list(pool.map(digest, some)), _ADDRESS)
            new = _unseen(shelf, found)
            if len(new):
                shelf.add(found[new], _computed(some[new], trunk, pool))
            addresses.append(found)
            if progress:
                progress(stop, count)
    return _gathered(shelf, np.concatenate(addresses))


def computed(pictures: Pictures, trunk: Trunk, jobs: int) -> NDArray[np.float32]:
    """Return a trunk's activations of (N, H, W, 3) pictures, rounded as those of the cache are."""
    with ThreadPoolExecutor(jobs) as pool:
        return _rounded(_computed(pictures, trunk, pool))


def _computed(pictures: Pictures, trunk: Trunk, pool: ThreadPoolExecutor) -> NDArray[np.float32]:
    batches = [pictures[i : i + BATCH] for i in range(0, max(1, len(pictures)), BATCH)]
    return np.concatenate(list(pool.map(trunk.run, batches)))


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    halves, fit = _halves(values)
    return np.where(fit.reshape(-1, *[1] * (values.ndim - 1)), halves, values).astype(np.float32)


def _halves(values: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Return rows in half precision, and which of them fit it."""
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    fit = np.asarray(np.isfinite(halves).reshape(len(values), -1).all(axis=1))
    return halves, fit


def _unseen(shelf: Shelf, addresses: NDArray[np.void]) -> NDArray[np.intp]:
    """Return the rows that have to be computed: one of each picture that is not kept yet."""
    first = {address.tobytes(): row for row, address in reversed(list(enumerate(addresses)))}
    return np.array(sorted(row for a, row in first.items() if a not in shelf), np.intp)


def _gathered(shelf: Shelf, addresses: NDArray[np.void]) -> Values:
    keys = [address.tobytes() for address in addresses]
    kinds = {shelf[key].dtype for key in keys}
    kind = np.dtype(np.float32 if np.dtype(np.float32) in kinds else np.float16)
    return filled(
        (len(keys), *shelf[keys[0]].shape),
        lambda start, stop: np.stack([shelf[key] for key in keys[start:stop]]),
        kind,
    )


def _processor() -> str:
    """Return the kind of processor, as far as the system tells."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return platform.processor() or platform.machine()
