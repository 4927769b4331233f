"""Finding the files that a table names by less than their paths: a name, an id without ending."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.errors import printable
from equipoise.readers.layout import hidden, is_image_name

__all__ = ["Found", "look_up"]

_TRIED = 20  # paths that are tried as they are


@dataclass(frozen=True)
class Found:
    """Where the files of a table lie.

    Attributes
    ----------
    paths : list of str
        One a name: below the folder, or the name itself where no file fits.
    doubtful : dict
        From the places of names that fit several files to what is wrong.
    notes : tuple of str
    """

    paths: list[str]
    doubtful: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def look_up(names: Sequence[str], root: Path, table: str) -> Found:
    """Find the files of a table below a folder.

    A file is looked for by the end of its path, with any ending of an image's where the name has
    none, only if names have no endings or the first paths do not exist. Of several that fit, one
    below a folder called like the table (``train.csv``, ``train/…``) is taken.

    Parameters
    ----------
    names : sequence of str
    root : Path
        The table's folder.
    table : str
        The table's name without its ending.
    """
    bare = not all(map(is_image_name, names))
    if not bare and any(os.path.exists(root / name) for name in names[:_TRIED]):  # noqa: PTH110
        return Found(list(names))
    files = _files(root)
    fitting = [_fitting(name, files, table) for name in names]
    paths = [fits[0] if len(fits) == 1 else n for n, fits in zip(names, fitting, strict=True)]
    doubtful = {
        row: f"fits several files: {printable(fits[0])}, {printable(fits[1])}"
        for row, fits in enumerate(fitting)
        if len(fits) > 1
    }
    moved = [(name, path) for name, path in zip(names, paths, strict=True) if name != path]
    notes = [
        f"Paths of the table looked up by name: {len(moved):,}, such as {printable(name)} at "
        f"{printable(path)}"
        for name, path in moved[:1]
    ]
    return Found(paths, doubtful, tuple(notes))


def _files(root: Path) -> dict[str, list[str]]:
    """Return the paths of the images below a folder, by their names with and without endings."""
    files = defaultdict(list)
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not hidden(name)]
        below = Path(folder).relative_to(root).as_posix()
        for name in filter(is_image_name, names):
            path = name if below == "." else f"{below}/{name}"
            files[name].append(path)
            files[name.rpartition(".")[0]].append(path)
    return files


def _fitting(name: str, files: dict[str, list[str]], table: str) -> list[str]:
    """Return the files that a name may mean."""
    paths = files.get(name.rpartition("/")[2], ())
    whole = is_image_name(name)
    fits = [p for p in paths if f"/{p if whole else p.rpartition('.')[0]}".endswith(f"/{name}")]
    if name in fits:
        return [name]
    ours = [path for path in fits if table in path.split("/")[:-1]]
    return ours if len(ours) == 1 else fits
