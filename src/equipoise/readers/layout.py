"""From relative paths to a table: ``[split/]class/…/file``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, printable
from equipoise.images import Broken, leave_out
from equipoise.readers.arranging import Arrangement, arrange
from equipoise.readers.decoding import UndecodableError, decode
from equipoise.readers.manifests import is_ours, within
from equipoise.readers.masks import find_masks
from equipoise.readers.table import Files, Table, path_ids, positions, sorted_classes

__all__ = ["Listing", "hidden", "is_image_name", "lay_out"]

_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_JUNK = frozenset(
    ("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "__pycache__", "node_modules")
)


@dataclass
class Listing:
    """What a folder or an archive holds.

    Attributes
    ----------
    found : dict
        Relative path to what fetches the file; hidden files are left out.
    refused : dict of str to str
        Relative path to the reason why the file must not be read.
    folders : list of str
    doubled : list of str
        Paths of an archive under which several files lie, of which the last one is found.
    upsampled : str
        The archive, where it says of itself that `upsample` wrote it.
    """

    found: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    upsampled: str = ""

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What is refused, in the order of the paths."""
        return tuple(Broken(name, why) for name, why in sorted(self.refused.items()))


def hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system or tool, not to the data."""
    return name.startswith(".") or name.lower() in _JUNK


def is_image_name(path: str) -> bool:
    """Whether a path ends as those of images do."""
    return path.lower().endswith(_SUFFIXES)


def lay_out(listing: Listing, fetch: Callable[[Any], bytes], source: str) -> Table:
    """Read splits and classes off relative posix paths.

    Parameters
    ----------
    listing : Listing
        Its folders tell of classes that are empty.
    fetch : callable
        Handle to bytes. Of images that may be masks a few are looked at.
    source : str
        For messages.

    Returns
    -------
    Table
        In the order of the sorted paths. A folder that wraps everything (``photos/cat/1.jpg`` in
        ``photos.zip``) is passed over.

    Raises
    ------
    InputError
        Where there is no image in a class folder, or the folders can be taken in several ways.
    """
    found, broken = listing.found, listing.broken
    rest = {path: handle for path, handle in found.items() if not is_image_name(path)}
    images = sorted(found.keys() - rest.keys())
    manifests, remarks = within(rest, fetch, source)
    others = [path for path in rest if not is_ours(path, rest)]
    if not images:
        raise InputError(_nothing(source, others, broken))
    parted = [path.rpartition("/") for path in images]
    one = {folder: path for path, (folder, _, _) in zip(images, parted, strict=True)}
    first = {folder: path.split("/") for folder, path in one.items()}
    arrangement = arrange(list(first.values()), source)
    heads = {folder: _head(arrangement, parts) for folder, parts in first.items()}
    rows, outside = [], []
    for path, (folder, _, file) in zip(images, parted, strict=True):
        head = heads[folder]
        if head is None:
            outside.append(path)
        else:
            rows.append(_Row(head.folder + file, path, head.split, head.label))
    if not rows:
        raise InputError(_no_classes(source, images[0], others))
    masks, twins = find_masks(
        [row.path for row in rows], [row.label for row in rows], partial(_look, found, fetch)
    )
    if masks:
        gone = set(masks)
        rows = [row for row in rows if row.path not in gone]
    left_out = (
        *leave_out("files of other kinds", others),
        *leave_out("images in no class folder", outside),
        *leave_out("masks beside photos", masks),
        *leave_out("files under a path of another one", listing.doubled),
    )
    lost = _lost(arrangement, others, listing.folders)
    table = _table(rows, lost, Files(fetch, [found[row.path] for row in rows]))
    notes = (*arrangement.notes, *_twin_notes(twins), *remarks)
    top = "".join(f"{folder}/" for folder in arrangement.top)
    return replace(
        table,
        broken=broken,
        left_out=left_out,
        place=lambda name, _: f"{top}{name}",
        manifests=manifests,
        notes=notes,
    )


class _Head(NamedTuple):
    """A folder as names of images begin with it, its split and its class."""

    folder: str
    split: str
    label: str


def _head(arrangement: Arrangement, parts: list[str]) -> _Head | None:
    """Return what an image's folder says of it; None where it is in no class folder."""
    inner = arrangement.within(parts)
    place = arrangement.place(inner) if inner else None
    return _Head("/".join([*inner[:-1], ""]), *place) if inner and place else None


class _Row(NamedTuple):
    """An image: its name, its path in the source, its split and its class."""

    name: str
    path: str
    split: str
    label: str


def _look(
    found: Mapping[str, Any], fetch: Callable[[Any], bytes], path: str
) -> NDArray[np.uint8] | None:
    try:
        return decode(fetch(found[path])).pixels
    except (UndecodableError, OSError):
        return None


def _lost(
    arrangement: Arrangement, others: Iterable[str], folders: Iterable[str]
) -> dict[str, int]:
    """Return how many files of other kinds there are in the place of each class."""
    count: dict[str, int] = {}
    empty = [f"{folder}/" for folder in folders if folder]
    for path in (*others, *empty):
        head = _head(arrangement, path.split("/"))
        if head:
            count[head.label] = count.get(head.label, 0) + (not path.endswith("/"))
    return count


def _table(rows: list[_Row], lost: Mapping[str, int], files: Files) -> Table:
    names = [row.name for row in rows]
    classes = sorted_classes(row.label for row in rows)
    return Table(
        names=np.array(names),
        labels=positions((row.label for row in rows), classes),
        # After the others, so that an empty folder does not change their order.
        classes=(*classes, *sorted(set(lost) - set(classes))),
        splits=np.array([row.split for row in rows]),
        ids=path_ids(names),
        pixels=files,
        others=lost,
    )


def _nothing(source: str, others: list[str], broken: tuple[Broken, ...]) -> str:
    expected = "expected class folders of .jpg, .png, .bmp, .webp or .tif files."
    if broken:
        first = broken[0]
        return f"{source}: holds no images; {printable(first.name)} is refused: {first.reason}."
    if others:
        files = [path for path in others if path.lower().endswith((".npz", ".csv", ".zip"))]
        hint = f" If {printable(min(files))} is the data set, give that." if files else ""
        return (
            f"{source}: holds no images, only others such as {printable(others[0])}; "
            f"{expected}{hint}"
        )
    return f"{source}: holds no images; {expected}"


def _no_classes(source: str, image: str, others: list[str]) -> str:
    tables = [path for path in others if path.lower().endswith((".csv", ".tsv", ".parquet"))]
    hint = f" If {printable(min(tables))} is a table of them, give that." if tables else ""
    return (
        f"{source}: images must lie in class folders (class/image or train/class/image), but "
        f"{printable(image)} does not.{hint}"
    )


def _twin_notes(twins: list[str]) -> tuple[str, ...]:
    if not twins:
        return ()
    return (
        f"Images with the same name as one beside them: {len(twins):,}, such as "
        f"{printable(min(twins))}. If they are masks, or the same pictures again, move them away",
    )
