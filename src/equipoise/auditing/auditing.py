"""`audit`: what a data set holds, and what is wrong with it, before anything is trained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from equipoise.auditing.gathering import gather
from equipoise.auditing.near import Near, find_near
from equipoise.auditing.shapes import Shapes, shapes
from equipoise.errors import InputError
from equipoise.images import Broken, LeftOut, Splits

__all__ = ["Audit", "ClassCount", "Same", "audit"]


@dataclass(frozen=True)
class ClassCount:
    """How many images of a class each split holds."""

    name: str
    label: int
    training: int
    validation: int
    test: int


@dataclass(frozen=True)
class Same:
    """Images that are one picture, pixel for pixel: their names, splits and classes."""

    images: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]


Found = TypeVar("Found", Same, Near)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    images : int
        Readable images, in all splits.
    classes : tuple of ClassCount
    imbalance_ratio : float
        Images of the largest to images of the smallest class of the training split; a class
        without any does not count.
    sizes, modes : mapping
        How many images had each size (width×height) and mode in the source.
    broken : tuple of Broken
        Files that were left out: no images, cut short, too large, and so on.
    left_out : tuple of LeftOut
        All that is not used, reason by reason, what is broken too.
    duplicates : tuple of Same
        Every picture that is there more than once; not for copies that `upsample` made of it.
    leaks : tuple of Same
        Those of them that are in more than one split.
    label_conflicts : tuple of Same
        Those of them that are in more than one class.
    straddling_groups : tuple of str
        Groups with images in more than one split.
    shapes : Shapes, or None
        What bringing them to one square size does to images; None where they were not looked at.
    near_duplicates : tuple of Near, or None
        Pictures that are nearly one; None where they were not looked for.
    near_leaks : tuple of Near, or None
        Those of them that are in more than one split.
    blank, tiny : tuple of str, or None
        Images of one colour all over; images whose shorter side is below 8 pixels, or below an
        eighth of the median of the set.
    """

    images: int
    classes: tuple[ClassCount, ...]
    imbalance_ratio: float
    sizes: Mapping[str, int]
    modes: Mapping[str, int]
    broken: tuple[Broken, ...]
    left_out: tuple[LeftOut, ...]
    duplicates: tuple[Same, ...]
    leaks: tuple[Same, ...]
    label_conflicts: tuple[Same, ...]
    straddling_groups: tuple[str, ...]
    shapes: Shapes | None = None
    near_duplicates: tuple[Near, ...] | None = None
    near_leaks: tuple[Near, ...] | None = None
    blank: tuple[str, ...] | None = None
    tiny: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as JSON has it: mappings, lists, text and numbers."""
        return {
            name: [_plain(one) for one in value] if isinstance(value, tuple) else _plain(value)
            for name, value in vars(self).items()
        }


def audit(data: Splits, *, near: bool = False) -> Audit:
    """Count classes, sizes and broken files, and find duplicates, leaks and conflicts.

    Parameters
    ----------
    data : Splits
        What `load` returned. With ``cut=False`` it is the data set as it is; otherwise the splits
        that were cut are audited too.
    near : bool
        Also look at every picture, decoding those in files once more, to find near duplicates and
        blank and tiny images.

    Returns
    -------
    Audit
    """
    if not isinstance(data, Splits):
        raise InputError(
            f"audit takes what load returns, but got {type(data).__name__}: "
            "audit(load(source, cut=False))."
        )
    training, validation, test = (part.counts.tolist() for part in data.parts.values())
    there = [count for count in training if count]
    duplicates = _duplicates(data)
    seen = find_near(data) if near else None
    return Audit(
        images=sum(len(part) for part in data.parts.values()),
        classes=tuple(
            ClassCount(name, label, training[label], validation[label], test[label])
            for label, name in enumerate(data.classes)
        ),
        imbalance_ratio=max(there) / min(there) if there else 1.0,
        sizes=data.sizes,
        modes=data.modes,
        broken=data.broken,
        left_out=data.left_out,
        duplicates=duplicates,
        leaks=_across(duplicates),
        label_conflicts=tuple(same for same in duplicates if len(set(same.classes)) > 1),
        straddling_groups=_straddling(data),
        shapes=shapes(data.sizes, data.fit),
        near_duplicates=seen.near if seen else None,
        near_leaks=_across(seen.near) if seen else None,
        blank=seen.blank if seen else None,
        tiny=seen.tiny if seen else None,
    )


def _across(found: tuple[Found, ...]) -> tuple[Found, ...]:
    return tuple(one for one in found if len(set(one.splits)) > 1)


def _duplicates(data: Splits) -> tuple[Same, ...]:
    """Return the pictures that are there more than once, in the order of their first images.

    Copies that `upsample` made are no fault of the data, but in another split or class.
    """
    digests = np.concatenate([part.digests for part in data.parts.values() if len(part)])
    _, picture, count = np.unique(digests, return_inverse=True, return_counts=True)
    originals = np.bincount(picture, np.concatenate([p.originals for p in data.parts.values()]))
    rows = np.flatnonzero(count[picture] > 1)
    found = {one: Same(*of) for one, of in gather(data, rows, picture[rows]).items()}
    return tuple(
        same
        for one, same in found.items()
        if originals[one] > 1 or len({*same.splits}) > 1 or len({*same.classes}) > 1
    )


def _straddling(data: Splits) -> tuple[str, ...]:
    groups = [set(part.groups.tolist()) for part in data.parts.values() if part.groups is not None]
    seen: set[str] = set()
    twice: set[str] = set()
    for members in groups:
        twice |= seen & members
        seen |= members
    return tuple(sorted(twice))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Same, Near, Broken, LeftOut, ClassCount, Shapes)):
        return {
            name: list(field) if isinstance(field, tuple) else field
            for name, field in asdict(value).items()
        }
    return value
