"""A folder of class folders: ``[train/|val/|test/]class/…/image``."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from equipoise.errors import InputError, reason
from equipoise.images import Broken
from equipoise.readers.decoding import too_large
from equipoise.readers.layout import hidden, is_image_name, lay_out
from equipoise.readers.table import Table
from equipoise.selection import MOST_BYTES, Selection

__all__ = ["read_folder", "read_inside", "read_regular"]

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_folder(path: Path, selection: Selection = Selection()) -> Table:
    """List a folder of class folders; nothing is opened yet.

    Hidden files are left out, links that lead out of the folder and links to folders are refused.
    """
    root = Path(os.path.realpath(path))
    found: dict[str, str] = {}
    refused: list[Broken] = []
    open_folders = [""]
    while open_folders:
        inner = open_folders.pop()
        for entry in _entries(root / inner):
            name = f"{inner}/{entry.name}" if inner else entry.name
            if hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                open_folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                found[name] = name
            else:
                _odd(root, name, entry, found, refused)
    return lay_out(found, InFolder(str(root), selection.most_bytes), str(path), refused)


def read_inside(root: str, name: str, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the bytes of a file under `root`; one that links lead out of it is an OSError."""
    real = os.path.realpath(f"{root}/{name}")
    if os.path.commonpath((real, root)) != root:
        raise OSError("symbolic link that leaves the folder")
    return read_regular(real, most_bytes)


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
    """Fetches the files below a folder."""

    root: str
    most_bytes: int = MOST_BYTES

    def __call__(self, name: str) -> bytes:
        return read_regular(self.path(name), self.most_bytes)

    def path(self, name: str) -> str:
        """Return where a file lies."""
        return f"{self.root}/{name}"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{folder}: {reason(error)}.") from None


def _odd(
    root: Path,
    name: str,
    entry: os.DirEntry[str],
    found: dict[str, str],
    refused: list[Broken],
) -> None:
    """Sort a link, pipe or device: links to files inside the folder are followed."""
    if not entry.is_symlink():
        if is_image_name(name):
            refused.append(Broken(name, "not a regular file"))
        return
    target = Path(os.path.realpath(entry.path))
    if not target.is_relative_to(root):
        refused.append(Broken(name, "symbolic link that leaves the folder"))
    elif target.is_dir():
        refused.append(Broken(name, "symbolic link to a folder"))
    elif target.is_file():
        found[name] = target.relative_to(root).as_posix()
    else:
        refused.append(Broken(name, "symbolic link to nothing"))
