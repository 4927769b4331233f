"""A folder of WebDataset shards: tar files of samples, read in place."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from equipoise.errors import InputError
from equipoise.images import Broken
from equipoise.readers.archives import list_tar, tar_fetch
from equipoise.readers.samples import are_samples, lay_out_samples
from equipoise.readers.shards import has_shards, shards
from equipoise.readers.table import Table
from equipoise.selection import Selection

__all__ = ["is_shards", "read_shards"]

_SUMMARY = "summary.json"  # our writer's, which tells the names of the classes
_MOST_SUMMARY = 1 << 24  # bytes

ShardPlace = tuple[int, int, int]  # number of the shard; place and size in it


def is_shards(folder: Path) -> bool:
    """Whether a folder is a data set of tar shards."""
    return has_shards(folder, ".tar")


def read_shards(path: Path, selection: Selection = Selection()) -> Table:
    """List the samples of a folder of .tar shards; a shard's name tells its split."""
    listed = shards(path, ".tar", follow_links=selection.follow_links)
    files = [name for name, _ in listed]
    found: dict[str, ShardPlace] = {}
    refused: list[Broken] = []
    upsampled = ""
    for number, file in enumerate(files):
        listing = list_tar(path / file, selection.most_bytes)
        found |= {f"{file}/{name}": (number, *place) for name, place in listing.found.items()}
        upsampled = str(path / file) if listing.upsampled else upsampled
        refused += [Broken(f"{file}/{one.name}", one.reason) for one in listing.refused]
    if not are_samples([name[len(files[place[0]]) + 1 :] for name, place in found.items()]):
        raise InputError(
            f"{path}: its .tar files hold no samples (KEY.jpg and KEY.cls). Give one archive of "
            "class folders, or a folder that holds them unpacked."
        )
    places = tuple(str(path / file) for file in files)
    splits = [split for _, split in listed]
    table = lay_out_samples(
        found,
        partial(_fetch, places),
        str(path),
        refused,
        lambda name: splits[found[name][0]],
        _class_names(path / _SUMMARY),
    )
    return replace(table, upsampled=upsampled)


def _fetch(paths: tuple[str, ...], place: ShardPlace) -> bytes:
    number, offset, size = place
    return tar_fetch(paths[number], (offset, size))


def _class_names(path: Path) -> list[str] | None:
    """Return the names of the class numbers where our writer left them."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_SUMMARY:
            return None
        names = json.loads(path.read_text("utf-8"))["classes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    return names if whole and len(set(names)) == len(names) else None
