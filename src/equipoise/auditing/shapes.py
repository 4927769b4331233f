"""What bringing pictures to one square size would do to them, by their sizes alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.selection import LARGE, SMALL

__all__ = ["Shapes", "shapes"]

_LONG = 3.0  # squashing distorts a picture that is so many times as long as wide
_CUT = 0.1  # a crop that cuts away more than this share of the average picture may cut what counts
_FEW = 0.05  # of the pictures: not worth a remark
_COARSE = 4.0  # so many pixels of a picture's side become one


@dataclass(frozen=True)
class Shapes:
    """How elongated and how large pictures are.

    Attributes
    ----------
    elongation, largest_elongation : float
        Longer by shorter side: of the median picture, and of the most elongated one.
    cropped, largest_cropped : float
        The share of its pixels that a centre crop cuts away: of a picture on average, at most.
    detail_size : int
        The side in pixels at which nine of ten pictures lose no detail: none of these is longer.
    remarks : tuple of str
        Where the fit or the default size harms.
    """

    elongation: float
    largest_elongation: float
    cropped: float
    largest_cropped: float
    detail_size: int
    remarks: tuple[str, ...]

    @property
    def line(self) -> str:
        """What to tell of pictures that a net is not given as they are; empty for others."""
        if self.detail_size <= SMALL and self.largest_elongation == 1:
            return ""
        detail = f"a side of {self.detail_size} pixels keeps the detail of nine in ten"
        if self.largest_elongation == 1:
            return f"All images are square; {detail}"
        return (
            f"Images are {self.elongation:.3g} times as long as wide (median; "
            f"{self.largest_elongation:.3g} at most): a centre crop would cut {self.cropped:.0%} "
            f"of an image away on average, {self.largest_cropped:.0%} at most; {detail}"
        )


def shapes(sizes: Mapping[str, int], fit: str) -> Shapes | None:
    """Return what a fit does to pictures of these sizes, "width×height" to how many; None of none.

    Parameters
    ----------
    sizes : mapping of str to int
    fit : {'squash', 'crop', 'pad'}
    """
    if not sizes:
        return None
    sides = np.array([[int(side) for side in size.split("×")] for size in sizes])
    sides = np.repeat(sides, list(sizes.values()), axis=0)
    short, long = sides.min(axis=1), sides.max(axis=1)
    ratio, cut = long / short, 1 - short / long
    return Shapes(
        elongation=round(float(np.median(ratio)), 3),
        largest_elongation=round(float(ratio.max()), 3),
        cropped=round(float(cut.mean()), 4),
        largest_cropped=round(float(cut.max()), 4),
        detail_size=int(np.quantile(long, 0.9, method="higher")),
        remarks=tuple(_remarks(ratio, cut, long, fit)),
    )


def _remarks(ratio: NDArray, cut: NDArray, long: NDArray, fit: str) -> Iterator[str]:
    elongated = float((ratio > _LONG).mean())
    if fit == "squash" and elongated > _FEW:
        yield (
            f"{elongated:.0%} of the images are more than {_LONG:g} times as long as wide, and "
            "squashing distorts them: compare with --fit pad, which keeps their shape"
        )
    if fit == "crop" and cut.mean() > _CUT:
        yield (
            f"The centre crop cuts {cut.mean():.0%} of an image away on average, {cut.max():.0%} "
            "at most: what the label is about may be there; --fit squash cuts nothing"
        )
    coarse = float(np.median(long)) / LARGE
    if long.max() > SMALL and coarse > _COARSE:
        yield (
            f"At the default of {LARGE}×{LARGE}, {coarse:.0f} pixels of half of the images become "
            f"one: for labels that hang on small things give a larger --size, such as {2 * LARGE}"
        )
