"""Reading DATA as the selection options say."""

from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.cli import show
from equipoise.cli.options import counts_of, names_of

if TYPE_CHECKING:
    from equipoise.images import Splits

__all__ = ["cut_splits", "whole"]


def cut_splits(
    data: str,
    classes: str | None,
    take: str | None,
    size: int | None,
    data_dir: Path | None,
    fractions: tuple[float, float],
    seed: int,
    quiet: bool,
    long_tail: float | None = None,
) -> "Splits":
    """Return DATA ready for training: the missing splits cut, images of one size.

    `fractions` are the shares cut for test and for validation.
    """
    from equipoise.readers import load

    splits = load(
        data,
        classes=names_of(classes),
        take=counts_of("--take", take),
        long_tail=long_tail,
        size=size,
        data_dir=data_dir,
        test_fraction=fractions[0],
        validation_fraction=fractions[1],
        seed=seed,
    )
    return _noted(splits, quiet)


def whole(
    data: str,
    classes: str | None,
    take: str | None,
    size: int | None,
    data_dir: Path | None,
    seed: int,
    quiet: bool,
    most_pixels: int | None = None,
    most_bytes: int | None = None,
    long_tail: float | None = None,
) -> "Splits":
    """Return DATA as it is: nothing cut, and nothing resized unless asked for."""
    from equipoise.readers import load
    from equipoise.readers.decoding import MOST_BYTES, MOST_PIXELS

    splits = load(
        data,
        classes=names_of(classes),
        take=counts_of("--take", take),
        long_tail=long_tail,
        size=size,
        data_dir=data_dir,
        seed=seed,
        cut=False,
        most_pixels=MOST_PIXELS if most_pixels is None else most_pixels,
        most_bytes=MOST_BYTES if most_bytes is None else most_bytes,
    )
    return _noted(splits, quiet)


def _noted(splits: "Splits", quiet: bool) -> "Splits":
    for line in () if quiet else splits.notes:
        show.note(line)
    return splits
