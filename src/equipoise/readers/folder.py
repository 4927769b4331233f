"""A folder of class folders, ``[train/|val/|test/]class/…/image``, or of a few large files."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import InputError, printable, reason
from equipoise.readers.decoding import too_large
from equipoise.readers.layout import Listing, hidden, is_image_name, lay_out
from equipoise.readers.manifests import MANIFEST
from equipoise.readers.split_names import split_named, split_of
from equipoise.readers.table import Table
from equipoise.selection import MOST_BYTES, Selection

__all__ = [
    "LEAVES",
    "has_shards",
    "is_inside",
    "read_folder",
    "read_inside",
    "read_regular",
    "shards",
    "walk",
]

LEAVES = "symbolic link that leaves the folder"

_MOST_LINKS = 10_000  # to folders, each of which may hold more

_OTHERS = frozenset({MANIFEST})  # our own writers', beside a data set of large files
# Where these lie: as Hugging Face lays them out, and in folders of splits.
_ROOMS = ("", "data", "default")

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_folder(path: Path, selection: Selection = Selection()) -> Table:
    """List a folder of class folders; nothing is opened yet.

    Hidden files are left out. Links are followed where they stay inside the folder, and others
    where the selection says so; each stands under its own name.
    """
    root = os.path.realpath(path)
    listing = walk(root, selection.follow_links)
    table = lay_out(listing, InFolder(root, selection.most_bytes), str(path))
    return replace(table, notes=(*table.notes, *_table_notes(listing.found)))


def _table_notes(found: Iterable[str]) -> list[str]:
    """Return what to tell of a table beside the class folders, which may have groups and splits."""
    there = sorted(name for name in found if name.lower().endswith((".csv", ".tsv")))
    words = "is not read; give it in the place of the folder if it has labels, groups or splits"
    return [f"{printable(name)} {words}" for name in there[:1] if name.count("/") < 2]


def read_inside(
    root: str, name: str, most_bytes: int = MOST_BYTES, follow_links: bool = False
) -> bytes:
    """Return the bytes of a file under `root`; one that links lead out of it is an OSError."""
    real = os.path.realpath(f"{root}/{name}")
    if not (follow_links or is_inside(real, root)):
        raise OSError(LEAVES)
    return read_regular(real, most_bytes)


def is_inside(path: str, root: str) -> bool:
    """Whether one real path is another or lies below it."""
    return os.path.commonpath((path, root)) == root


def read_regular(path: str, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file of bounded size; a link or device is an OSError."""
    # Plain calls: of small images a buffered file costs more than the decoding.
    file = os.open(path, _FLAGS)
    try:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise OSError("not a regular file")
        if refusal := too_large(state.st_size, most_bytes):
            raise OSError(refusal)
        # What grows meanwhile is cut off, and what shrinks ends early: decoding tells.
        data = os.read(file, state.st_size)
        while len(data) < state.st_size and (more := os.read(file, state.st_size - len(data))):
            data += more
        return data
    finally:
        os.close(file)


@dataclass(frozen=True)
class InFolder:
    """Fetches files by their paths: below a folder, or anywhere where a link leads there."""

    root: str
    most_bytes: int = MOST_BYTES

    def __call__(self, name: str) -> bytes:
        return read_regular(self.path(name), self.most_bytes)

    def path(self, name: str) -> str:
        """Return where a file lies."""
        return name if name[0] == "/" else f"{self.root}/{name}"


@dataclass
class _Walk:
    """A walk through a folder, and how many links to folders it has met."""

    root: str
    follow: bool
    listing: Listing = field(default_factory=Listing)
    links: int = 0


class _Open(NamedTuple):
    """A folder to go through: its name, where it lies, and the linked folders that lead there."""

    name: str
    place: str
    above: tuple[str, ...]


def walk(root: str, follow: bool = False) -> Listing:
    """List the files below a real path, hidden ones aside.

    The handle of a file is that of `InFolder`: where it lies, below the folder or anywhere.
    """
    way = _Walk(root, follow)
    listing = way.listing
    open_folders = [_Open("", root, ())]
    while open_folders:
        here = open_folders.pop()
        above = f"{here.name}/" if here.name else ""
        inside = f"{here.place}/".removeprefix(f"{root}/")
        for entry in _entries(here.place):
            if hidden(entry.name):
                continue
            name = above + entry.name
            if entry.is_file(follow_symlinks=False):
                listing.found[name] = name if inside == above else inside + entry.name
            elif entry.is_dir(follow_symlinks=False):
                open_folders.append(_Open(name, f"{here.place}/{entry.name}", here.above))
                listing.folders.append(name)
            elif entry.is_symlink():
                open_folders += _follow(way, here, name, os.path.realpath(entry.path))
            elif is_image_name(name):
                listing.refused[name] = "not a regular file"
    return listing


def _follow(way: _Walk, here: _Open, name: str, target: str) -> Iterator[_Open]:
    """Put down what a link leads to, and yield it where it is a folder to go through."""
    if not (way.follow or is_inside(target, way.root)):
        way.listing.refused[name] = LEAVES
    elif os.path.isdir(target):  # noqa: PTH112  # no error where it must not be looked at
        # A folder may be linked to from many places, but never from below itself.
        if any(is_inside(place, target) for place in (here.place, *here.above)):
            way.listing.refused[name] = "symbolic link to a folder around it"
            return
        way.links += 1
        if way.links > _MOST_LINKS:
            raise InputError(f"{way.root}: more than {_MOST_LINKS:,} links to folders.")
        way.listing.folders.append(name)
        yield _Open(name, target, (*here.above, here.place))
    elif os.path.isfile(target):  # noqa: PTH113
        way.listing.found[name] = target.removeprefix(f"{way.root}/")
    else:
        way.listing.refused[name] = "symbolic link to nothing"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{folder}: {reason(error)}.") from None


def has_shards(folder: Path, suffix: str) -> bool:
    """Whether a folder is a data set of files of this suffix rather than one of class folders."""
    return bool(_found(folder, suffix))


def shards(folder: Path, suffix: str, *, follow_links: bool) -> list[tuple[str, str]]:
    """Return the files of a data set in a folder, sorted by path below it, each with its split.

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
