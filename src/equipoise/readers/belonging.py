"""Which images belong together: by a table's column, folders, names, likeness, or manifests."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, printable
from equipoise.images import ImageSet
from equipoise.near import find_alike
from equipoise.readers.lineage import Lineage, may_name_copies, trace
from equipoise.readers.lists import read_list
from equipoise.readers.manifests import unfinished
from equipoise.readers.split_names import split_named
from equipoise.readers.splitting import units
from equipoise.readers.table import Table
from equipoise.selection import LIST

__all__ = ["belonging", "lineage_of"]

# An expression can be so made that it never ends; it runs in a process that can be ended.
_MATCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
found = (re.search(pattern, name) for name in names)
json.dump([one and one.group(1) for one in found], sys.stdout)
"""
_LEAST_SECONDS, _NAMES_A_SECOND = 10, 20_000
_TOGETHER = 1 << 18  # names at a time

Groups = NDArray[np.str_]


def belonging(
    data: ImageSet, table: Table, by: str | None
) -> tuple[ImageSet, NDArray[np.bool_], tuple[str, ...]]:
    """Return the images with their groups, and those that `upsample` made marked as copies.

    What a table says, what is asked for and what manifests tell is joined: images that any of them
    puts together are of one group.

    Parameters
    ----------
    data : ImageSet
        Images of the table.
    table : Table
    by : 'near', 'folder', the path of a .csv or a regular expression, optional
        What `--groups` asks for.

    Returns
    -------
    ImageSet, (N,) bool, tuple of str
        The images; which of them are copies whose source is not known; remarks.
    """
    lost = np.zeros(len(data), bool)
    columns = [] if data.groups is None else [data.groups]
    notes: tuple[str, ...] = ()
    if by is not None:
        column, notes = _asked(data, table, by)
        columns.append(column)
    lineage = lineage_of(data, table)
    if lineage is not None:
        columns += [lineage.groups, lineage.sources]
        data, lost = replace(data, copies=lineage.copies), lineage.lost
        notes += (*_made(lineage), *lineage.notes)
    return replace(data, groups=_joined(columns, data.names)), lost, notes


def _made(lineage: Lineage) -> list[str]:
    count = int(lineage.copies.sum())
    return [f"Copies that upsample made, for training alone: {count:,}"] if count else []


def lineage_of(data: ImageSet, table: Table) -> Lineage | None:
    """Return what manifests that lie with a table, or names, tell of its images.

    Raises
    ------
    InputError
        Where a file says that `upsample` wrote it and no manifest lists its images.
    """
    place = table.place
    names = data.names.tolist()
    if place is None or not (table.manifests or table.upsampled or may_name_copies(names)):
        return None
    pairs = zip(names, data.ids.tolist(), strict=True)
    lineage = trace(data, [place(name, number) for name, number in pairs], table.manifests)
    if lineage is None and table.upsampled:
        raise unfinished(table.upsampled)
    return lineage


def _joined(columns: Sequence[Groups], names: Groups) -> Groups | None:
    """Return one column of groups from several, in which nothing stands for a group of its own.

    A group bears the first name that any of the columns gives its first image, or else the image's.
    """
    if not columns:
        return None
    _, first, unit = np.unique(units(*columns), return_index=True, return_inverse=True)
    labels = names[first].astype(object)
    for column in reversed(columns):
        there = column[first] != ""
        labels[there] = column[first][there]
    _, which, count = np.unique(labels.astype(np.str_), return_inverse=True, return_counts=True)
    for group in np.flatnonzero(count[which] > 1).tolist():
        labels[group] = f"{labels[group]} ({names[first[group]]})"
    return labels.astype(np.str_)[unit.ravel()]


def _asked(data: ImageSet, table: Table, by: str) -> tuple[Groups, tuple[str, ...]]:
    """Return the groups that `--groups` asks for, empty where an image is in none; and remarks."""
    names = data.names.tolist()
    if by == "near":
        return _near(data), ()
    if by.lower().endswith(LIST):
        return _from_list(data, table, by)
    if by == "folder":
        place = table.place
        if place is None or not names or "#" in place(names[0], int(data.ids[0])):
            raise InputError("--groups folder needs a data set of image files in folders.")
        folders = [
            _folder(name, data.classes[k]) for name, k in zip(names, data.labels, strict=True)
        ]
        missing = "no image lies in a folder below its class (class/FOLDER/image)"
    else:
        folders = _matched(by, names)
        missing = f"it matches none of the {len(names):,} images, such as {printable(names[0])}"
    if not any(folders):
        raise InputError(f"--groups {printable(by)}: {missing}.")
    left = [name for name, folder in zip(names, folders, strict=True) if not folder]
    notes = (
        [f"--groups: images in no group: {len(left):,}, such as {printable(left[0])}"]
        if left
        else []
    )
    return np.array(folders), tuple(notes)


def _from_list(data: ImageSet, table: Table, path: str) -> tuple[Groups, tuple[str, ...]]:
    """Return the groups of a list of images."""
    rows = read_list(path, "--groups", needed=("group",))
    group = {row.name: row.fields[0] for row in rows}
    strange = sorted(set(group) - set(table.names.tolist()))
    if rows and len(strange) == len(group):
        raise InputError(
            f"--groups {printable(path)}, line {rows[0].line}: there is no image "
            f"{printable(rows[0].name)!r}, nor any other of the list. Give a list of the same data."
        )
    notes = (
        [
            f"--groups: images of the list that are not there: {len(strange):,}, such as "
            f"{printable(strange[0])}"
        ]
        if strange
        else []
    )
    return np.array([group.get(name, "") for name in data.names.tolist()]), tuple(notes)


def _folder(name: str, class_name: str) -> str:
    """The folders between an image's class and its file; splits are none."""
    inner = name.split("/")[:-1]
    if class_name in inner:
        inner = inner[inner.index(class_name) + 1 :]
    while inner and split_named(inner[0]):
        inner = inner[1:]
    return "/".join(inner)


def _near(data: ImageSet) -> Groups:
    """Groups of near duplicates, each under the name of its first image."""
    found = find_alike([data.images], data.digests)
    _, first, group, count = np.unique(
        found.groups[found.picture], return_index=True, return_inverse=True, return_counts=True
    )
    group = group.ravel()
    return np.where(count[group] > 1, data.names[first[group]], "")


def _matched(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the first group that an expression captures in each name, or nothing."""
    found: list[str] = []
    for start in range(0, len(names), _TOGETHER):
        some = names[start : start + _TOGETHER]
        limit = _LEAST_SECONDS + len(some) / _NAMES_A_SECOND
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _MATCH],
                input=json.dumps([pattern, some]),
                capture_output=True,
                text=True,
                check=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"--groups {printable(pattern)}: not through after {limit:.0f} seconds. Write it "
                "without a repeat within a repeat, such as (a+)+."
            ) from None
        except subprocess.CalledProcessError as error:
            raise InputError(f"--groups {printable(pattern)}: {error.stderr.strip()}") from None
        found += [text or "" for text in json.loads(done.stdout)]
    return found
