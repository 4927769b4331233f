"""`Selection`: what of a source is read, and how; for Python and the command line."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, printable, require, unknown, whole_seed

__all__ = [
    "FITS",
    "FULL",
    "LARGE",
    "LIST",
    "MOST_BYTES",
    "MOST_PIXELS",
    "SMALL",
    "Range",
    "Selection",
]

Range = tuple[int, int]  # the values of sixteen bits that become 0 and 255

FULL: Range = (0, 2**16 - 1)

FITS = ("squash", "crop", "pad")  # see `readers.sizing.resize`
SMALL = 64  # pixels a side: sets of one size up to this keep it
LIST = ".csv"  # how a file of groups ends
LARGE = 160  # what larger pictures are brought to for the default pretrained net
MOST_PIXELS = 100_000_000  # a file of a few bytes can claim any size; this one is 300 MB decoded
MOST_BYTES = 2**28  # of one encoded file
_ROLES = ("path", "image", "label", "group", "split")
_LARGEST = 4096  # pixels a side
_BOUNDS = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
_SHARES = {"test": 0.2, "validation": 0.15}


def _option(default: Any, kind: type, help: str, *names: str) -> Any:
    """Declare a field that is an option of the command line, too, where it is of this kind."""
    return field(default=default, metadata={"kind": kind, "help": help, "names": names})


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a source is read, and how: the options that `load` and all commands share.

    `load` explains each. A field with a help text is an option of every command that reads.

    Raises
    ------
    InputError
        For a value that no source can make right.
    """

    classes: Sequence[str] | None = _option(
        None, str, "Keep these classes, in this order: cat,dog."
    )
    take: Mapping[str, int] | None = _option(
        None, str, "Keep the first so many training images a class: cat=4800,dog=1200."
    )
    long_tail: float | None = _option(
        None,
        float,
        "Thin out training, class by class in their order, to an imbalance ratio of so much: 100.",
    )
    size: int | str | None = _option(
        None,
        str,
        "Bring every image to SIZE×SIZE pixels; [bold]auto[/bold]: up to 64 as they are, larger "
        "ones as the trainer takes them.",
    )
    fit: str = _option("squash", str, "How: [bold]squash[/bold], crop (the centre) or pad.")
    range: str = _option(
        "auto",
        str,
        "Which values of 16-bit images become 0 … 255: [bold]auto[/bold] (those of as many bits "
        "as training needs), full (0:65535) or LO:HI.",
    )
    columns: Mapping[str, str] | None = _option(
        None, str, "Which columns of a table are which: path=file,label=breed."
    )
    follow_links: bool = _option(
        False, bool, "Follow links that leave the data set's folder.", "--follow-links"
    )
    data_dir: str | PathLike[str] | None = _option(None, Path, "Where the CIFAR-10 archive lies.")
    most_pixels: int = _option(MOST_PIXELS, int, "Leave out images of more pixels than this.")
    most_bytes: int = _option(
        MOST_BYTES,
        int,
        "Leave out files and members of archives of more bytes than this.",
        "--most-bytes",
        "--max-bytes",
    )
    test_fraction: float | None = _option(
        None,
        float,
        "Share cut for testing where no test split is: 0.2, or none where a command cuts nothing.",
    )
    validation_fraction: float | None = _option(
        None,
        float,
        "Share of training cut for validation where no such split is: 0.15, or none likewise.",
    )
    groups: str | None = _option(
        None,
        str,
        "Keep images together: [bold]near[/bold] duplicates, those of a [bold]folder[/bold] below "
        "a class, those in whose path a regular expression captures the same ('patient(\\d+)'), or "
        "those of a .csv with columns image,group.",
    )
    drop_classes_below: int | None = _option(
        None, int, "Leave out classes with fewer different images than this."
    )
    drop_conflicts: bool = _option(
        False, bool, "Leave out pictures that stand under two classes.", "--drop-conflicts"
    )
    drop_suspects: str | PathLike[str] | None = _option(
        None,
        Path,
        "Leave the images of this list out of training: suspects.csv of [bold]audit --deep[/bold], "
        "once you have looked at it.",
    )
    seed: int = 0
    cut: bool = True
    large: int = LARGE  # the side that larger pictures are brought to where no size is given
    decode: bool = True  # False: images are counted and not looked at, where nothing else needs it

    @property
    def side(self) -> Any:
        """The side in pixels that is asked for; None where the pictures decide."""
        return None if self.size == "auto" else self.size

    @property
    def given(self) -> dict[str, str]:
        """The options that are not at their defaults, and the seed, as text."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {
            name: str(value)
            for name, (value, default) in values.items()
            if name == "seed" or value != default
        }

    @property
    def whole(self) -> bool:
        """Whether pictures keep their own sizes: where nothing is cut and no size is given."""
        return not self.cut and self.size is None

    @property
    def looks(self) -> bool:
        """Whether the images are decoded: where duplicates have to be known, in any case."""
        cuts = self.share("test") is not None or self.share("validation") is not None
        sifts = self.drop_conflicts or self.drop_classes_below is not None
        return self.decode or cuts or sifts or self.groups == "near"

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", whole_seed(self.seed))
        if isinstance(self.classes, str):
            raise InputError(f"classes must be a list of names, but got the text {self.classes!r}.")
        for role in self.columns or {}:
            if role not in _ROLES:
                raise unknown("column to name", role, _ROLES)
        if self.side is not None:
            rule = f"2 <= size <= {_LARGEST}"
            require(_is_whole(self.side) and 2 <= self.side <= _LARGEST, rule, size=self.size)
        if self.fit not in FITS:
            raise unknown("fit", self.fit, FITS)
        for name in ("test_fraction", "validation_fraction"):
            share = getattr(self, name)
            require(share is None or 0 < share < 1, f"0 < {name} < 1", **{name: share})
        least = self.drop_classes_below
        rule = "drop_classes_below >= 1"
        require(least is None or (_is_whole(least) and least >= 1), rule, drop_classes_below=least)
        if self.groups not in (None, "near", "folder") and not _is_list(self.groups):
            _check_pattern(self.groups)
        require(self.most_pixels >= 4, "most_pixels >= 4", most_pixels=self.most_pixels)
        require(self.most_bytes >= 1, "most_bytes >= 1", most_bytes=self.most_bytes)
        _ = self.bounds

    @property
    def bounds(self) -> Range | None:
        """The values of 16-bit images that become 0 and 255; None where the images decide."""
        if self.range in ("auto", "full"):
            return FULL if self.range == "full" else None
        found = _BOUNDS.fullmatch(self.range) if isinstance(self.range, str) else None
        low, high = map(int, found.groups()) if found else (0, 0)
        if not low < high <= FULL[1]:
            raise InputError(
                "range must be auto, full or LO:HI with 0 <= LO < HI <= 65535, such as 0:4095, but "
                f"got range={self.range!r}."
            )
        return low, high

    def share(self, split: str) -> float | None:
        """The share to cut for 'test' or 'validation'; None where nothing is to be cut."""
        asked = self.test_fraction if split == "test" else self.validation_fraction
        return asked if asked is not None or not self.cut else _SHARES[split]


def _check_pattern(groups: Any) -> None:
    """Refuse groups that are no regular expression with something to capture."""
    require(
        isinstance(groups, str), "groups is near, folder or a regular expression", groups=groups
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python will read otherwise
            found = re.compile(groups).groups
    except (re.error, RecursionError, OverflowError, MemoryError) as error:
        raise InputError(f"--groups {printable(groups)}: no regular expression: {error}.") from None
    if not found:
        raise InputError(
            f"--groups {printable(groups)}: an expression must capture what a group has in common, "
            "in brackets: 'patient(\\d+)'. Or give near, folder or a .csv with columns image,group."
        )


def _is_list(groups: object) -> bool:
    return isinstance(groups, str) and groups.lower().endswith(LIST)


def _is_whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)
