"""A folder of class folders: ``[train/|val/|test/]class/…/image``."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from equipoise.errors import InputError, printable, reason
from equipoise.images import Broken
from equipoise.readers.decoding import too_large
from equipoise.readers.layout import hidden, is_image_name, lay_out
from equipoise.readers.table import Table
from equipoise.selection import MOST_BYTES, Selection

__all__ = ["LEAVES", "Seen", "is_inside", "read_folder", "read_inside", "read_regular", "walk"]

LEAVES = "symbolic link that leaves the folder"

_MOST_LINKS = 10_000  # to folders, each of which may hold more

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_folder(path: Path, selection: Selection = Selection()) -> Table:
    """List a folder of class folders; nothing is opened yet.

    Hidden files are left out. Links are followed where they stay inside the folder, and others
    where the selection says so; each stands under its own name.
    """
    seen = walk(os.path.realpath(path), selection.follow_links)
    fetch = InFolder(seen.root, selection.most_bytes)
    table = lay_out(seen.found, fetch, str(path), seen.refused, seen.folders)
    return replace(table, notes=(*table.notes, *_table_notes(seen.found)))


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
class Seen:
    """What a walk through a folder found.

    Attributes
    ----------
    root : str
    follow : bool
        Whether links are followed that leave the folder.
    found : dict
        Path to the handle of `InFolder`: where the file lies, below the folder or anywhere.
    folders : list of str
    refused : list of Broken
    links : int
        To folders, so far.
    """

    root: str
    follow: bool
    found: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    refused: list[Broken] = field(default_factory=list)
    links: int = 0


class _Open(NamedTuple):
    """A folder to go through: its name, where it lies, and the linked folders that lead there."""

    name: str
    place: str
    above: tuple[str, ...]


def walk(root: str, follow: bool = False) -> Seen:
    """List the files below a real path, hidden ones aside."""
    seen = Seen(root, follow)
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
                seen.found[name] = name if inside == above else inside + entry.name
            elif entry.is_dir(follow_symlinks=False):
                open_folders.append(_Open(name, f"{here.place}/{entry.name}", here.above))
                seen.folders.append(name)
            elif entry.is_symlink():
                open_folders += _follow(seen, here, name, os.path.realpath(entry.path))
            elif is_image_name(name):
                seen.refused.append(Broken(name, "not a regular file"))
    return seen


def _follow(seen: Seen, here: _Open, name: str, target: str) -> Iterator[_Open]:
    """Put down what a link leads to, and yield it where it is a folder to go through."""
    if not (seen.follow or is_inside(target, seen.root)):
        seen.refused.append(Broken(name, LEAVES))
    elif os.path.isdir(target):  # noqa: PTH112  # no error where it must not be looked at
        # A folder may be linked to from many places, but never from below itself.
        if any(is_inside(place, target) for place in (here.place, *here.above)):
            seen.refused.append(Broken(name, "symbolic link to a folder around it"))
            return
        seen.links += 1
        if seen.links > _MOST_LINKS:
            raise InputError(f"{seen.root}: more than {_MOST_LINKS:,} links to folders.")
        seen.folders.append(name)
        yield _Open(name, target, (*here.above, here.place))
    elif os.path.isfile(target):  # noqa: PTH113
        seen.found[name] = target.removeprefix(f"{seen.root}/")
    else:
        seen.refused.append(Broken(name, "symbolic link to nothing"))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{folder}: {reason(error)}.") from None
