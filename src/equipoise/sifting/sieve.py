"""`sift`: images from elsewhere held against the real ones of a data set.

1. *copy*: near copies of training, validation and test images, mirrored, cropped or coded again.
   Validation and test serve here alone.
2. *probe*: images that a linear probe of embeddings does not take for their class. It is trained on
   real training images, and not on the fold of the one that is nearest to what it judges.
3. *distance*: images farther from the real training images of their class than these are from each
   other.

What is far enough, real training images say: see `likeness`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.backbones import ActivationCache, embed
from equipoise.errors import InputError, plural, printable, require
from equipoise.extras import leaks, with_extra
from equipoise.images import ImageSet, Splits
from equipoise.keys import order
from equipoise.near import thumbnails
from equipoise.readers.splitting import units
from equipoise.recipes import Recipe
from equipoise.sifting.copies import SIDE, find_copies
from equipoise.sifting.likeness import LEAST, Likeness, fit_likeness
from equipoise.sifting.sifted import KEPT, Sifted

__all__ = ["Sieve", "fit_sieve", "sift"]

# The correlation from which a picture is a near copy. Where real pictures are themselves more alike
# than that, such as digits, it is what only one in twenty reaches.
_ALIKE, _MOST_ALIKE, _USUAL = 0.94, 0.985, 0.95
_MOST = 2000  # real images of a class that others are judged by
_MOST_REAL = 200  # that are held against each other for what is usual

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sieve:
    """What is known of the real images, by which others are judged.

    Attributes
    ----------
    references : (R, 32, 32, 3) uint8
        Training, validation and test, small.
    names : (R,) str
        Of these, with their splits.
    data : Splits
        The data set: what its comparisons would refuse falls here.
    alike : (K,) float
        The likeness from which an image of each class is a near copy.
    likeness : Likeness
    real : (K,) int
        Real training images of each class.
    backbone : str
    cache : ActivationCache, optional
    """

    references: NDArray[np.uint8]
    names: NDArray[np.str_]
    data: Splits
    alike: NDArray[np.float64]
    likeness: Likeness
    real: NDArray[np.int64]
    backbone: str
    cache: ActivationCache | None = None

    def judge(self, images: ImageSet, progress: Progress | None = None) -> Sifted:
        """Return what the sieve says of images of the same classes; of each apart from the others.

        Parameters
        ----------
        images : ImageSet
        progress : callable, optional
            Called with how many images are embedded and how many there are.
        """
        verdict = np.full(len(images), KEPT, "U8")
        reason = np.full(len(images), "", object)
        if len(images):
            self._fell_as_copies(images, verdict, reason)
            self._fell_by_likeness(images, verdict, reason, progress)
        return Sifted(images, verdict, reason.astype(np.str_), self._notes(images))

    def _fell_as_copies(self, images: ImageSet, verdict: NDArray, reason: NDArray) -> None:
        small = thumbnails(images.images, np.arange(len(images)), SIDE)
        found = find_copies(small, self.references)
        for row in np.flatnonzero(found.likeness >= self.alike[images.labels]):
            verdict[row] = "copy"
            mirrored = ", mirrored" if found.mirrored[row] else ""
            real = printable(self.names[found.reference[row]])
            reason[row] = f"near {real}{mirrored} (likeness {found.likeness[row]:.2f})"
        refused = leaks(images, self.data)
        for place, name in enumerate(images.names.tolist()):
            if verdict[place] == KEPT and name in refused:
                verdict[place] = "copy"
                reason[place] = f"near {refused[name].split}: {printable(refused[name].theirs)}"

    def _fell_by_likeness(
        self, images: ImageSet, verdict: NDArray, reason: NDArray, progress: Progress | None
    ) -> None:
        likeness, labels = self.likeness, images.labels
        vectors = embed(images, self.backbone, cache=self.cache, progress=progress)
        away, nearest = likeness.distances(vectors, labels)
        margin = likeness.margins(vectors, labels, nearest)
        least, farthest = likeness.least_margin[labels], likeness.farthest[labels]
        for row in np.flatnonzero((verdict == KEPT) & (margin < least)):
            verdict[row] = "probe"
            reason[row] = f"margin {margin[row]:.2f}, real images {least[row]:.2f} at least"
        for row in np.flatnonzero((verdict == KEPT) & (away > farthest)):
            verdict[row] = "distance"
            reason[row] = f"distance {away[row]:.3f}, real images {farthest[row]:.3f} at most"

    def _notes(self, images: ImageSet) -> tuple[str, ...]:
        few = [label for label in np.unique(images.labels).tolist() if self.real[label] < LEAST]
        return tuple(
            f"{printable(images.classes[label])}: {plural(int(self.real[label]), 'real image')} to "
            f"judge by, and {LEAST} are needed: the steps probe and distance are skipped"
            for label in few
        )


def fit_sieve(
    data: Splits,
    *,
    backbone: str = "lite0",
    cache: ActivationCache | None = None,
    progress: Progress | None = None,
) -> Sieve:
    """Learn from the real images of a data set how to judge others.

    Of a class at most 2,000 training images are embedded.

    Parameters
    ----------
    data : Splits
    backbone : str
        See `equipoise.embed`.
    cache : ActivationCache, optional
    progress : callable, optional
        Called with how many images are embedded and how many there are.
    """
    require(len(data.classes) >= 2, "at least two classes", classes=list(data.classes))
    parts = {name: part.real for name, part in data.parts.items() if len(part)}
    small = {
        name: thumbnails(part.images, np.arange(len(part)), SIDE) for name, part in parts.items()
    }
    names = [f"{name}: {one}" for name, part in parts.items() for one in part.names.tolist()]
    train = parts["train"].select(parts["train"].originals)
    unit = units(train.digests, train.groups)
    some = _at_most(train, _MOST)
    vectors = embed(train.select(some), backbone, cache=cache, progress=progress)
    classes = len(data.classes)
    return Sieve(
        references=np.concatenate(list(small.values())),
        names=np.array(names),
        data=data,
        alike=_usually_alike(train, small["train"][parts["train"].originals], unit),
        likeness=fit_likeness(vectors, train.labels[some], unit[some], train.ids[some], classes),
        real=train.counts,
        backbone=backbone,
        cache=cache,
    )


def sift(
    images: str | Path | ImageSet,
    data: Splits,
    *,
    backbone: str = "lite0",
    cache: ActivationCache | None = None,
    progress: Progress | None = None,
) -> Sifted:
    """Hold images from elsewhere against the real ones of a data set.

    Parameters
    ----------
    images : path or ImageSet
        A folder as a recipe's `extra` takes it, or images with the classes of the data set.
    data : Splits
        As `equipoise.load` returns it.
    backbone : str
        The pretrained net whose embeddings are compared: see `equipoise.embed`.
    cache : ActivationCache, optional
        Where embeddings are kept; by default the user's.
    progress : callable, optional
        Called with how many images are embedded and how many there are, of `data` first.

    Returns
    -------
    Sifted
        Which images fell, at which step and why.

    Raises
    ------
    InputError
        If the folder cannot be read, or has a class that the data set lacks.
    """
    if not isinstance(data, Splits):
        raise InputError(f"A loaded data set is needed, but got {data!r}: give equipoise.load(…).")
    if isinstance(images, ImageSet):
        require(
            images.classes == data.classes,
            "images with the classes of the data set",
            classes=list(images.classes),
        )
        given, lines = images, []
    else:
        real = replace(data, train=data.train.real)
        joined = with_extra(real, Recipe(name="sifted", extra=str(images)))
        rows = np.arange(len(real.train), len(joined.train))
        given = replace(joined.train.select(rows), generated=None)
        lines = [one.line for one in joined.left_out[len(data.left_out) :]]
    sieve = fit_sieve(data, backbone=backbone, cache=cache, progress=progress)
    found = sieve.judge(given, progress)
    return replace(found, notes=(*lines, *found.notes))


def _at_most(train: ImageSet, most: int) -> NDArray[np.intp]:
    """The rows of at most so many images of each class, drawn by their ids."""
    ranked = order(0, train.ids, "real images of the sieve")
    kept = [ranked[train.labels[ranked] == label][:most] for label in range(len(train.classes))]
    return np.sort(np.concatenate(kept))


def _usually_alike(
    train: ImageSet, small: NDArray[np.uint8], unit: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The likeness from which an image of each class is a near copy.

    Real images are held against training images alone: nothing but the copies themselves may hang
    on validation and test.
    """
    cuts = np.full(len(train.classes), _ALIKE)
    own = _at_most(train, _MOST_REAL)
    # Of one unit the first alone is a reference: they are near copies, and known to be.
    _, first, place = np.unique(unit, return_index=True, return_inverse=True)
    found = find_copies(small[own], small[first], place.ravel()[own])
    for label in range(len(cuts)):
        mine = found.likeness[train.labels[own] == label]
        if len(mine) >= LEAST:
            cuts[label] = np.clip(np.quantile(mine, _USUAL), _ALIKE, _MOST_ALIKE)
    return cuts
