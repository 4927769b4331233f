"""Which folders of a path are its split and its class, found from all paths together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from equipoise.errors import InputError, printable
from equipoise.readers.split_names import split_named

__all__ = ["Arrangement", "Place", "arrange"]

Parts = Sequence[str]  # of a path: folders, and the file last
Place = tuple[str, str]  # split and class

_WRAPPERS = frozenset(("data", "dataset", "images", "imgs", "classes", "photos", "pictures"))
_PARTS = _WRAPPERS | {"mask", "masks", "ground_truth", "annotations", "labels"}  # of a class
# Folders of a project that is no data set itself.
_PROJECT = frozenset(
    ("doc", "docs", "documentation", "src", "scripts", "notebooks", "code", "lib", "assets", "logs")
)
_LISTED = 3
_LONGEST = 80  # characters of an option in a note


@dataclass(frozen=True)
class Arrangement:
    """How a source's folders are laid out.

    Attributes
    ----------
    top : tuple of str
        The folders that hold everything, outermost first.
    splits : mapping
        From a folder that is a split, below those, to that split; empty where there are none.
    wrapped : frozenset of str
        Those of them in which one more folder holds everything.
    inside : bool
        Whether splits are folders inside the classes rather than above them.
    alone : bool
        Whether what lies in no split is left out, for training has a folder of its own.
    notes : tuple of str
        What may have been meant otherwise.
    """

    top: tuple[str, ...]
    splits: dict[str, str]
    wrapped: frozenset[str] = frozenset()
    inside: bool = False
    alone: bool = False
    notes: tuple[str, ...] = ()

    def within(self, parts: Parts) -> Parts | None:
        """Return a path below the folders that hold everything, or None where it is not there."""
        count = len(self.top)
        return parts[count:] if tuple(parts[:count]) == self.top else None

    def place(self, inner: Parts) -> Place | None:
        """Return the split and class of a path as `within` gives it; None in no class folder."""
        if self.inside:
            split = split_named(inner[1]) if len(inner) == 3 else None
            return (split, inner[0]) if split else None
        split = self.splits.get(inner[0]) if len(inner) > 1 else None
        inner = self.below(inner)
        if len(inner) < 2 or (self.alone and not split):
            return None
        return split or "train", inner[0]

    def below(self, inner: Parts) -> Parts:
        """Return a path without the folders of its split, where that stands above the class."""
        if len(inner) < 2 or inner[0] not in self.splits:
            return inner
        return inner[1 + (inner[0] in self.wrapped) :]


def arrange(images: Sequence[Parts], source: str) -> Arrangement:
    """Find the arrangement of a source from the paths of its images.

    Raises
    ------
    InputError
        Where they can be taken in several ways.
    """
    top = _wrapper(images)
    inner = [parts[len(top) :] for parts in images]
    below = _below(inner)
    _check_project(below, source)
    splits = _splits(below)
    if splits:
        wrapped = frozenset(name for name in splits if _is_wrapped(below[name]))
        alone = "train" in splits.values()
        found = Arrangement(top, splits, wrapped, alone=alone)
        placed = [found.below(parts) for parts in inner if found.place(parts)]
        return replace(found, notes=tuple(_doubts(_below(placed))))
    if _are_inside(below, source):
        return Arrangement(top, {}, inside=True, notes=_inside_notes(below))
    return Arrangement(top, {}, notes=tuple(_doubts(below)))


def _wrapper(paths: Sequence[Parts]) -> tuple[str, ...]:
    """Return the folders that hold everything and are neither a split nor a class."""
    top: list[str] = []
    while True:
        first = paths[0][len(top)]
        same = all(p[len(top)] == first and len(p) > len(top) + 2 for p in paths)
        if split_named(first) or not same:
            return tuple(top)
        top.append(first)


def _below(inner: Sequence[Parts]) -> dict[str, list[Parts]]:
    """Return, for each folder, its images' paths below it."""
    below = defaultdict(list)
    for parts in inner:
        if len(parts) > 1:
            below[parts[0]].append(parts[1:])
    return dict(sorted(below.items()))


def _splits(below: dict[str, list[Parts]]) -> dict[str, str]:
    """Return the folders that are splits.

    Beside classes, a folder of images called train is the class of trains.
    """
    splits = {name: split for name in below if (split := split_named(name))}
    flat = {name for name in below if all(len(parts) == 1 for parts in below[name])}
    if flat - set(splits):
        return {n: split for n, split in splits.items() if split != "train" or n not in flat}
    return splits


def _is_wrapped(paths: Sequence[Parts]) -> bool:
    """Whether one folder holds a whole split and is no class: train/train/cat, test/images/dog."""
    first = paths[0][0]
    known = split_named(first) is not None or first.lower() in _WRAPPERS
    return known and all(len(parts) > 2 and parts[0] == first for parts in paths)


def _are_inside(below: dict[str, list[Parts]], source: str) -> bool:
    """Whether splits are folders inside classes: cat/train, cat/test, dog/train."""
    named = {
        name: {split_named(parts[0]) for parts in paths if len(parts) > 1} - {None}
        for name, paths in below.items()
    }
    several = [name for name, splits in named.items() if "train" in splits and len(splits) > 1]
    if not several:
        return False
    deep = [p for name in several for p in below[name] if len(p) > 2 and split_named(p[0])]
    if deep:
        raise InputError(
            f"{source}: there are splits below {_listed(several)}, and folders below those. "
            f"Give one folder of splits, such as {source}/{printable(several[0])}."
        )
    for name, paths in below.items():
        for parts in paths:
            if len(parts) < 2 or not split_named(parts[0]):
                raise InputError(
                    f"{source}: {_listed(_inside_paths(below, several))} look like splits inside "
                    f"classes, but {printable('/'.join((name, *parts)))} is in none. Put all "
                    "images into split/class folders, or all into class/split folders."
                )
    return True


def _inside_paths(below: dict[str, list[Parts]], names: Sequence[str]) -> list[str]:
    return sorted(
        f"{name}/{folder}"
        for name in names
        for folder in {parts[0] for parts in below[name] if len(parts) > 1}
        if split_named(folder)
    )


def _inside_notes(below: dict[str, list[Parts]]) -> tuple[str, ...]:
    found = _listed(_inside_paths(below, list(below)))
    return (f"Splits were found inside the class folders: {found}",)


def _check_project(below: dict[str, list[Parts]], source: str) -> None:
    """Refuse the root of a project whose data lie in one of its folders."""
    ours = [name for name in below if name.lower() in _PROJECT]
    rest = [name for name in below if name not in ours]
    if not ours or len(rest) != 1 or split_named(rest[0]):
        return
    if all(len(parts) > 1 for parts in below[rest[0]]):
        raise InputError(
            f"{source}: looks like a project, with images in {_listed(ours)} too. Give the folder "
            f"that holds the class folders, such as {source}/{printable(rest[0])}."
        )


def _doubts(below: dict[str, list[Parts]]) -> Iterator[str]:
    """Yield what is told of folders that are taken for classes and may be none."""
    if trains := [name for name in below if split_named(name)]:
        yield f"Taken for a class, as it holds images and others beside it do: {_listed(trains)}"
    if ours := [name for name in below if name.lower() in _PROJECT]:
        rest = ",".join(name for name in below if name not in ours)
        hint = f"; --classes {printable(rest)} leaves them out" if len(rest) < _LONGEST else ""
        yield f"Taken for classes, though named like a project's folders: {_listed(ours)}{hint}"
    if len(below) < 2 or not all(len(p) > 1 for paths in below.values() for p in paths):
        return
    shared = set.intersection(*({p[0] for p in paths} for paths in below.values()))
    shared = {name for name in shared if name.lower() not in _PARTS}
    if len(shared) > 1:
        yield (
            f"The classes are {_listed(list(below))}, and each of them holds "
            f"{_listed(sorted(shared))}. If those are the classes, give one of the folders above "
            "them, or a .csv with all images"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(f"{printable(name)}/" for name in names[:_LISTED]) + more
