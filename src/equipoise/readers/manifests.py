"""Manifests that lie with a data set: what `upsample` wrote there, and which images are copies."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, reason
from equipoise.files import MARK
from equipoise.readers.columns import open_parquet

__all__ = [
    "COMMENT",
    "GENERATED",
    "MANIFEST",
    "SUMMARY",
    "UPSAMPLED",
    "Manifest",
    "above",
    "is_ours",
    "unfinished",
    "within",
]

MANIFEST = "manifest.parquet"
# The kinds of output folders that a mark names.
UPSAMPLED, GENERATED = "upsampled data set", "generated images"
SUMMARY = "summary.json"
# What files of many images say in their headers where `upsample` wrote them: nothing else in them
# tells copies from originals.
COMMENT = "equipoise upsample: manifest.parquet tells copies from originals"
# What `generate` writes beside its images: a recipe that takes them, and the page of the sieve.
RECIPE, SIEVE = "generated.yaml", "sieve.html"

_NEEDED = {
    "path": pa.string(),
    "class": pa.string(),
    "source_id": pa.int64(),
    "technique": pa.string(),
    "copy": pa.int32(),
    "source_digest": pa.string(),
}
# Manifests of earlier versions do not have these.
_LATER = {"generated": pa.bool_(), "group": pa.string()}
_LEVELS = 3  # folders looked at: that of the data, and those above it
_MOST_MARK = 1 << 20
_AGAIN = "Upsample the originals again, or name the originals themselves."

Fetch = Callable[[Any], bytes]


@dataclass(frozen=True)
class Manifest:
    """What a manifest says, a row an image.

    Attributes
    ----------
    name : str
        Where it lies, for messages.
    below, after : str
        Paths in it are those below the folder `below` of the data set, with `after` put before
        them: "train/" where the data set is that folder of what was written.
    rows : dict
        From an image's path, or FILE#KEY in a larger file, to its row.
    classes : (M,) str
        The name of each one's class.
    sources : (M,) str
        A digest of the picture that each image is, or is made from.
    copies : (M,) bool
        Augmented images, duplicates, and what came from elsewhere.
    groups : (M,) str, optional
        The group of each; empty where it has none.
    techniques : frozenset of str
    """

    name: str
    below: str
    after: str
    rows: dict[str, int]
    classes: NDArray[np.str_]
    sources: NDArray[np.str_]
    copies: NDArray[np.bool_]
    groups: NDArray[np.str_] | None
    techniques: frozenset[str]

    def local(self, place: str) -> str | None:
        """Return how it would call the image at a place of the data set; None: not below it."""
        if not place.startswith(self.below):
            return None
        return self.after + place[len(self.below) :]


def within(
    found: Mapping[str, Any], fetch: Fetch, source: str
) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Return the manifests among the files of a data set, and remarks.

    Parameters
    ----------
    found : mapping
        Path to the handle that `fetch` takes.
    fetch : callable
        Handle to bytes.
    source : str
        For messages.

    Raises
    ------
    InputError
        Where one is damaged, or is missing beside what `upsample` wrote: copies could then not be
        told from originals.
    """
    manifests, notes = [], []
    for path in sorted(path for path in found if _file(path) in (MANIFEST, MARK)):
        folder = path[: -len(_file(path))]
        name = f"{source}/{path}"
        if _file(path) == MANIFEST:
            one = _read(fetch, found[path], name, below=folder)
            if one is None and f"{folder}{MARK}" in found and _is_mark(fetch, found[folder + MARK]):
                raise _edited(name, "columns are missing")
            manifests += [] if one is None else [one]
            notes += [_foreign(name)] if one is None else []
        elif f"{folder}{MANIFEST}" not in found and _is_mark(fetch, found[path]):
            raise unfinished(f"{source}/{folder}".rstrip("/"))
    return tuple(manifests), tuple(notes)


def above(path: Path) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Return the manifests beside a data set's file, in its folder and above, and remarks.

    What lies above counts only where it lists images of the data set, which is for others to say.
    """
    manifests, notes = [], []
    for folder, after in _levels(path):
        name = str((folder if after else _folder(path)) / MANIFEST)  # as it was given
        ours = _is_mark(_bytes, folder / MARK)
        if not (folder / MANIFEST).is_file():
            if ours:
                raise unfinished(str(folder))
            continue
        try:
            one = _read(_bytes, folder / MANIFEST, name, after=after)
        except InputError:
            if ours or not after:
                raise
            continue
        if one is None and ours:
            raise _edited(name, "columns are missing")
        manifests += [] if one is None else [one]
        notes += [_foreign(name)] if one is None and not after else []
    return tuple(manifests), tuple(notes)


def is_ours(path: str, found: Iterable[str]) -> bool:
    """Whether a file is one that `upsample` or `generate` writes beside its images."""
    folder = path[: -len(_file(path))]
    return (
        _file(path) in (MANIFEST, MARK, SUMMARY, RECIPE, SIEVE) and f"{folder}{MANIFEST}" in found
    )


def _levels(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders that a manifest may lie in, and what it puts before the images' paths."""
    folder = _folder(path).resolve()
    after = ""
    for _ in range(_LEVELS):
        yield folder, after
        after = f"{folder.name}/{after}"
        folder = folder.parent


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _read(
    fetch: Fetch, handle: Any, name: str, *, below: str = "", after: str = ""
) -> Manifest | None:
    """Read a manifest; None where it is a Parquet file of another make."""
    shown = printable(name)
    try:
        data = fetch(handle)
        with open_parquet(pa.BufferReader(data)) as file:
            there = set(file.schema_arrow.names)
            if not set(_NEEDED) <= there:
                return None
            if file.metadata.num_rows > len(data):
                raise ValueError("it promises more rows than it can hold")
            wanted = _NEEDED | {key: kind for key, kind in _LATER.items() if key in there}
            table = file.read(columns=list(wanted)).select(list(wanted)).cast(pa.schema(wanted))
    except (OSError, pa.ArrowException, ValueError, TypeError, MemoryError) as error:
        raise InputError(
            f"{shown} is damaged ({reason(error)}), so copies cannot be told from originals. "
            f"{_AGAIN}"
        ) from None
    _check(table, shown)
    return _manifest(table, name, below, after)


def _manifest(table: pa.Table, name: str, below: str, after: str) -> Manifest:
    technique = table["technique"].to_pylist()
    copies = np.array([one != "original" for one in technique], bool)
    copies |= table["copy"].to_numpy() >= 0
    if "generated" in table.column_names:
        copies |= table["generated"].fill_null(False).to_numpy()
    groups = None
    if "group" in table.column_names:
        groups = np.array([one or "" for one in table["group"].to_pylist()])
    return Manifest(
        name=name,
        below=below,
        after=after,
        rows={path: row for row, path in enumerate(table["path"].to_pylist())},
        classes=np.array(table["class"].to_pylist(), np.str_),
        sources=np.array(table["source_digest"].to_pylist(), np.str_),
        copies=copies,
        groups=groups,
        techniques=frozenset(technique) - {"original"},
    )


def _check(table: pa.Table, shown: str) -> None:
    """Refuse what `upsample` does not write."""
    if not table.num_rows:
        raise _edited(shown, "it lists no image")
    gaps = [name for name in _NEEDED if table[name].null_count]
    digests = table["source_digest"].unique().to_pylist()
    if gaps or "" in digests:
        raise _edited(shown, f"{(gaps or ['source_digest'])[0]} has gaps")
    paths = table["path"].to_pylist()
    if len(set(paths)) < len(paths):
        raise _edited(shown, "it lists a path twice")
    pairs = table.select(["source_id", "source_digest"]).group_by(["source_id", "source_digest"])
    if len(pairs.aggregate([])) > len(table["source_id"].unique()):
        raise _edited(shown, "one source has two digests")


def _is_mark(fetch: Fetch, handle: Any) -> bool:
    """Whether a file marks its folder as one that `upsample` writes, or wrote, to."""
    try:
        data = fetch(handle)
        fields = json.loads(data) if len(data) <= _MOST_MARK else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("kind") in (UPSAMPLED, GENERATED)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _foreign(name: str) -> str:
    return f"{printable(name)} is not of equipoise's making: it tells nothing of copies"


def unfinished(folder: str) -> InputError:
    """Return the refusal of what `upsample` wrote where nothing tells its copies."""
    return InputError(
        f"{printable(folder)} is what upsample or generate wrote, but has no {MANIFEST}, so copies "
        "cannot be told from originals: it is unfinished, or the file was left behind. Put it "
        "there, or give the same command again."
    )


def _edited(name: str, how: str) -> InputError:
    return InputError(f"{printable(name)} was edited: {how}. {_AGAIN}")
