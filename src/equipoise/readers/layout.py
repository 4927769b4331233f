"""From relative paths to a table: ``[split/]class/…/file``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from equipoise.errors import InputError, printable
from equipoise.images import Broken, LeftOut, leave_out
from equipoise.readers.manifests import is_ours, within
from equipoise.readers.table import Files, Table, path_ids, sorted_classes

__all__ = ["SPLITS", "hidden", "is_image_name", "lay_out"]

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"})


def hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system or tool, not to the data."""
    return name.startswith(".") or name.lower() in _JUNK


def is_image_name(path: str) -> bool:
    """Whether a path ends as those of images do."""
    return path.lower().endswith(_SUFFIXES)


def lay_out(
    found: Mapping[str, Any],
    fetch: Callable[[Any], bytes],
    source: str,
    refused: Iterable[Broken] = (),
) -> Table:
    """Read splits and classes off relative posix paths.

    Parameters
    ----------
    found : mapping
        Relative path to the handle that `fetch` takes. Hidden files must have been left out.
    fetch : callable
        Handle to bytes.
    source : str
        For messages.
    refused : iterable of Broken
        What was found and must not be read.

    Returns
    -------
    Table
        In the order of the sorted paths. A folder that wraps everything (``photos/cat/1.jpg`` in
        ``photos.zip``) is passed over.
    """
    broken = tuple(sorted(refused, key=lambda one: one.name))
    images = [path for path in found if is_image_name(path)]
    manifests, notes = within(found, fetch, source)
    others = [path for path in found if not (is_image_name(path) or is_ours(path, found))]
    if not images:
        raise InputError(_nothing(source, others, broken))
    parts = _unwrap([path.split("/") for path in images])
    beside_train = any(len(p) > 2 and SPLITS.get(p[0].lower()) == "train" for p in parts)
    skipped = []
    rows = []
    for path, inner in zip(images, parts, strict=True):
        name = "/".join(inner)
        split = SPLITS.get(inner[0].lower()) if len(inner) > 1 else None
        if split:
            inner = inner[1:]
        if len(inner) < 2 or (beside_train and not split):
            skipped.append(name)
        else:
            rows.append((name, found[path], split or "train", inner[0]))
    if not rows:
        raise InputError(
            f"{source}: images must lie in class folders (class/image or train/class/image), "
            f"but {printable(images[0])} does not."
        )
    rows.sort(key=lambda row: row[0])
    left_out = (
        *leave_out("files of other kinds", others),
        *leave_out("images in no class folder", skipped),
    )
    table = _table(rows, fetch, broken, left_out)
    top = images[0].removesuffix("/".join(parts[0]))
    return replace(table, place=lambda name, _: f"{top}{name}", manifests=manifests, notes=notes)


def _table(
    rows: list[tuple[str, Any, str, str]],
    fetch: Callable[[Any], bytes],
    broken: tuple[Broken, ...],
    left_out: tuple[LeftOut, ...],
) -> Table:
    names, handles, splits, labels = zip(*rows, strict=True)
    classes = sorted_classes(labels)
    position = {name: label for label, name in enumerate(classes)}
    return Table(
        names=np.array(names),
        labels=np.array([position[label] for label in labels], np.int64),
        classes=classes,
        splits=np.array(splits),
        ids=path_ids(names),
        pixels=Files(fetch, handles),
        broken=broken,
        left_out=left_out,
    )


def _unwrap(paths: list[list[str]]) -> list[list[str]]:
    """Take off folders that hold everything and are neither a split nor a class."""
    while True:
        top = paths[0][0]
        if top.lower() in SPLITS or not all(p[0] == top and len(p) > 2 for p in paths):
            return paths
        paths = [path[1:] for path in paths]


def _nothing(source: str, others: list[str], broken: tuple[Broken, ...]) -> str:
    expected = "expected class folders of .jpg, .png, .bmp, .webp or .tif files."
    if broken:
        first = broken[0]
        return f"{source}: holds no images; {printable(first.name)} is refused: {first.reason}."
    if others:
        return f"{source}: holds no images, only others such as {printable(others[0])}; {expected}"
    return f"{source}: holds no images; {expected}"
