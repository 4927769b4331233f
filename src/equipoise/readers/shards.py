"""Data sets of a few large files in a folder: which files, and which split each holds."""

import os
from pathlib import Path

from equipoise.errors import InputError, printable
from equipoise.readers.folder import is_inside
from equipoise.readers.layout import hidden
from equipoise.readers.manifests import MANIFEST
from equipoise.readers.split_names import split_named, split_of

__all__ = ["Shard", "has_shards", "shards"]

_OTHERS = frozenset({MANIFEST})  # our own writers', beside the data
# Where the files of a data set lie: as Hugging Face lays them out, and in folders of splits.
_ROOMS = ("", "data", "default")

Shard = tuple[str, str]  # path below the folder, split


def has_shards(folder: Path, suffix: str) -> bool:
    """Whether a folder is a data set of files of this suffix rather than one of class folders."""
    return bool(_found(folder, suffix))


def shards(folder: Path, suffix: str, *, follow_links: bool) -> list[Shard]:
    """Return the files of a data set in a folder, sorted by path, each with its split.

    Raises
    ------
    InputError
        Where one of them is a link that leads out of the folder and such are not followed.
    """
    root = os.path.realpath(folder)
    found = _found(folder, suffix)
    for name in found:
        if not (follow_links or is_inside(os.path.realpath(f"{root}/{name}"), root)):
            raise InputError(
                f"{folder}: {printable(name)} is a link that leaves the folder; --follow-links "
                "follows it."
            )
    return [(name, split_of(name)) for name in found]


def _found(folder: Path, suffix: str) -> list[str]:
    names: list[str] = []
    for room in _ROOMS:
        files, folders = _listed(folder, room, suffix)
        splits = [one for one in folders if split_named(one)]
        # Beside class folders such a file is something else, such as a table of remarks.
        if room == "data" or not set(folders) - {*_ROOMS, *splits}:
            names += files
        for split in splits:
            files, folders = _listed(folder, f"{room}/{split}" if room else split, suffix)
            names += [] if folders else files
    return sorted(names)


def _listed(folder: Path, room: str, suffix: str) -> tuple[list[str], list[str]]:
    """Return the files of a suffix in a folder, by path, and the names of its folders."""
    files, folders = [], []
    try:
        with os.scandir(folder / room) as entries:
            for entry in entries:
                if hidden(entry.name) or entry.name in _OTHERS:
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.name.lower().endswith(suffix) and entry.is_file():
                    files.append(f"{room}/{entry.name}" if room else entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    return files, folders
