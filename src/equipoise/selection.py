"""`Selection`: what of a source is read, and how; for Python and the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, require, unknown

__all__ = ["FITS", "MOST_BYTES", "MOST_PIXELS", "Selection"]

FITS = ("squash", "crop", "pad")  # see `readers.sizing.resize`
MOST_PIXELS = 100_000_000  # a file of a few bytes can claim any size; this one is 300 MB decoded
MOST_BYTES = 2**28  # of one encoded file
_ROLES = ("path", "image", "label", "group", "split")
_LARGEST = 4096  # pixels a side


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
    size: int | None = _option(None, int, "Bring every image to SIZE×SIZE pixels.")
    fit: str = _option("squash", str, "How: squash, crop (the centre) or pad.")
    large: int = 160
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
    test_fraction: float = _option(0.2, float, "Share cut for testing where no test split is.")
    validation_fraction: float = _option(
        0.15, float, "Share of training cut for validation where no such split is."
    )
    seed: int = 0
    cut: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            raise InputError(f"classes must be a list of names, but got the text {self.classes!r}.")
        for role in self.columns or {}:
            if role not in _ROLES:
                raise unknown("column to name", role, _ROLES)
        if self.size is not None:
            rule = f"2 <= size <= {_LARGEST}"
            require(_is_whole(self.size) and 2 <= self.size <= _LARGEST, rule, size=self.size)
        if self.fit not in FITS:
            raise unknown("fit", self.fit, FITS)
        for name in ("test_fraction", "validation_fraction"):
            share = getattr(self, name)
            require(0 < share < 1, f"0 < {name} < 1", **{name: share})
        require(self.most_pixels >= 4, "most_pixels >= 4", most_pixels=self.most_pixels)
        require(self.most_bytes >= 1, "most_bytes >= 1", most_bytes=self.most_bytes)


def _is_whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)
