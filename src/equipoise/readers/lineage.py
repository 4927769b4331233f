"""Which images are copies of which: by manifests that lie with a data set, or by their names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import printable
from equipoise.images import ImageSet
from equipoise.readers.manifests import MANIFEST, Manifest

__all__ = ["Lineage", "hexadecimal", "may_name_copies", "trace"]

# As `upsample` names copies: SOURCE__TECHNIQUE__COPY.
_COPY = re.compile(r"(?P<source>.+)__(?P<technique>.+?)__\d+")
_AGREE = 0.5  # share of originals that a file under another name must have

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Lineage:
    """Where images come from, one entry an image.

    Attributes
    ----------
    pictures : (N,) str
        The digest of the picture that each image is, or is made from, in hexadecimal.
    sources : (N,) str
        The name of the image that each is, or is a copy of; of the first copy where it is missing.
    groups : (N,) str
        The groups of the data set that was upsampled; empty where there is none.
    copies : (N,) bool
        Augmented images and duplicates that `upsample` made, and what came from elsewhere.
    lost : (N,) bool
        Copies whose source is not known.
    notes : tuple of str
    """

    pictures: NDArray[np.str_]
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    copies: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    notes: tuple[str, ...]


def trace(data: ImageSet, places: Sequence[str], manifests: Sequence[Manifest]) -> Lineage | None:
    """Find each image in the manifests that lie with it.

    An image is found by its place; one in a larger file (FILE#KEY) that was renamed by the key,
    where the classes or the pictures are the same. A file that is in no manifest and is named as
    copies are is one of the original of that name; otherwise it counts as an original. So it is
    where there is no manifest at all, as where class folders were copied or linked without it.

    Parameters
    ----------
    data : ImageSet
    places : sequence of N str
        Where each image lies below the folder or in the archive of the data set.
    manifests : sequence of Manifest

    Returns
    -------
    Lineage, or None
        None where no manifest lists any of the images, and none is named as a copy of another.
    """
    digests, classes = hexadecimal(data.digests), np.array(data.classes)[data.labels]
    pictures = digests.copy()
    groups = np.full(len(data), "", object)
    copies, known = np.zeros(len(data), bool), np.zeros(len(data), bool)
    notes: list[str] = []
    used = []
    # The nearest first: a manifest further up lists an image only where none below it does.
    for one in sorted(manifests, key=lambda one: (len(one.after), -len(one.below))):
        left = np.flatnonzero(~known)
        local = [one.local(places[row]) for row in left.tolist()]
        found = np.array([one.rows.get(name or "", -1) for name in local], np.intp)
        found = _renamed(one, local, found, _Seen(digests[left], classes[left]))
        mine, rows = left[found >= 0], found[found >= 0]
        known[mine], copies[mine], pictures[mine] = True, one.copies[rows], one.sources[rows]
        if one.groups is not None:
            groups[mine] = one.groups[rows]
        if len(rows):
            seen = _Seen(digests[mine], classes[mine])
            notes += _changed(one, rows, seen) if "#" in places[mine[0]] else []
        if len(rows) or not one.after:
            used.append(one)
    lost = _by_names(data, pictures, copies, known, used)
    related = copies | known
    for one in used:
        related |= np.isin(digests, one.sources)
    if not related.any():
        return None
    notes += _unlisted(data, ~related) if used else _unproven(data, copies)
    sources = _names(data.names, pictures, copies)
    return Lineage(pictures, sources, groups.astype(np.str_), copies, lost, tuple(notes))


def may_name_copies(names: Iterable[str]) -> bool:
    """Whether any name can be one that `upsample` gives: sets without need no tracing."""
    return any("__" in name for name in names)


def hexadecimal(digests: NDArray[np.bytes_]) -> NDArray[np.str_]:
    """Return digests as text; NumPy cuts the zeros off the end of bytes."""
    return np.array([digest.ljust(16, b"\0").hex() for digest in digests.tolist()], "U32")


def _names(
    names: NDArray[np.str_], pictures: NDArray[np.str_], copies: NDArray[np.bool_]
) -> NDArray[np.str_]:
    """Return the name of the first image of each one's picture, an original where there is one."""
    order = np.argsort(copies, kind="stable")
    _, first, which = np.unique(pictures[order], return_index=True, return_inverse=True)
    named = np.empty_like(names)
    named[order] = names[order][first][which.ravel()]
    return named


class _Seen(NamedTuple):
    """The digests and classes of some images, for a manifest to be held against."""

    digests: NDArray[np.str_]
    classes: NDArray[np.str_]


def _renamed(one: Manifest, local: Sequence[str | None], found: Rows, seen: _Seen) -> Rows:
    """Return the rows with those of larger files that now bear another name."""
    strange: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(local):
        if name is not None and "#" in name and found[i] < 0:
            strange[name.partition("#")[0]].append(i)
    files: dict[str, dict[str, int]] = defaultdict(dict)
    for path, row in one.rows.items() if strange else ():
        file, _, key = path.partition("#")
        files[file][key] = row
    present = {(name or "").partition("#")[0] for name in local} - set(strange)
    for places in strange.values():
        keys = [(local[i] or "").partition("#")[2] for i in places]
        for file in sorted(set(files) - present):
            rows = np.array([files[file].get(key, -1) for key in keys], np.intp)
            if _agree(one, rows, _Seen(seen.digests[places], seen.classes[places])):
                found[places] = rows
                present.add(file)
                break
    return found


def _agree(one: Manifest, rows: Rows, seen: _Seen) -> bool:
    """Whether the images are those of the rows: their classes tell, or most of the originals."""
    if (rows < 0).any():
        return False
    if (one.classes[rows] == seen.classes).all():
        return True
    originals = ~one.copies[rows]
    same = one.sources[rows[originals]] == seen.digests[originals]
    return bool(len(same)) and float(same.mean()) >= _AGREE


def _changed(one: Manifest, rows: Rows, seen: _Seen) -> list[str]:
    """Tell where images in a larger file are not those that were written there."""
    if _agree(one, rows, seen):
        return []
    return [f"{printable(one.name)} lists other images than there are: have they been changed?"]


def _by_names(
    data: ImageSet,
    pictures: NDArray[np.str_],
    copies: NDArray[np.bool_],
    known: NDArray[np.bool_],
    manifests: Sequence[Manifest],
) -> NDArray[np.bool_]:
    """Mark images that are named as copies, and return those that no one original explains.

    Without a manifest nothing tells the techniques: a copy is then what has an original.
    """
    techniques = {name for one in manifests for name in one.techniques}
    keys = list(zip(data.labels.tolist(), map(_stem, data.names.tolist()), strict=True))
    lost = np.zeros(len(data), bool)
    named: dict[int, tuple[int, str]] = {}
    for row in np.flatnonzero(~known).tolist():
        found = _COPY.fullmatch(keys[row][1])
        if found and (found["technique"] in techniques or not manifests):
            named[row] = (keys[row][0], found["source"])
    originals: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in np.flatnonzero(~copies).tolist() if named else ():
        if row not in named:
            originals[keys[row]].append(row)
    for row, key in named.items():
        here = originals.get(key, [])
        if not (here or manifests):
            continue
        copies[row], lost[row] = True, len(here) != 1
        if len(here) == 1:
            pictures[row] = pictures[here[0]]
    return lost


def _stem(name: str) -> str:
    file = name.rpartition("/")[2]
    return file.rpartition(".")[0] or file


def _unproven(data: ImageSet, copies: NDArray[np.bool_]) -> list[str]:
    """Tell of copies that their names alone give away."""
    first = printable(data.names[int(np.argmax(copies))])
    return [f"No {MANIFEST} lies with the copies, which are told by their names, such as {first}"]


def _unlisted(data: ImageSet, rows: NDArray[np.bool_]) -> list[str]:
    """Tell of images that lie with a manifest and are not in it."""
    if not rows.any():
        return []
    count, first = int(rows.sum()), printable(data.names[int(np.argmax(rows))])
    return [f"Images in no manifest, which count as originals: {count:,}, such as {first}"]
