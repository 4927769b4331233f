"""What a run is trained and tested on: another draw of the rare images, a fold, or the oracle's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from equipoise.errors import InputError, printable, require
from equipoise.images import ImageSet, Splits
from equipoise.keys import order
from equipoise.mapped import concatenated
from equipoise.readers.cutting import copies_of_held, grouped
from equipoise.readers.splitting import Cut, cut, folds_of, units

__all__ = ["check_draws", "check_folds", "check_oracle", "drawn", "folded", "with_real"]


def drawn(data: Splits, draw: int) -> Splits:
    """Return the data with another random draw of the training images that were chosen from more.

    Of each class with withheld images, training holds as many as before, drawn from all that
    there are. Validation and test stay as they are. Draw 0 is the data as given.

    Parameters
    ----------
    data : Splits
        With withheld images, unless `draw` is 0.
    draw : int
        With the data's digest it decides the images.
    """
    if draw == 0:
        return data
    withheld = _withheld(data, f"draw {draw}")
    joined = _joined((data.train, withheld))
    rows = np.arange(len(data.train))
    for label in np.unique(withheld.labels):
        places = np.flatnonzero(data.train.labels == label)
        pool = np.flatnonzero(joined.labels == label)
        ranked = pool[order(_seed(data), joined.ids[pool], "draw", epoch=draw)]
        rows[places] = np.sort(ranked[: len(places)])
    left = np.setdiff1d(np.arange(len(joined)), rows)
    return replace(data, train=joined.select(rows), withheld=joined.select(left))


def with_real(data: Splits) -> Splits:
    """Return the data with its rare classes brought up by their withheld, real images.

    Each class goes up to the largest one, or as far as its images reach.
    """
    withheld = _withheld(data, "the oracle")
    counts = data.train.counts
    added = []
    for label in np.unique(withheld.labels):
        pool = np.flatnonzero(withheld.labels == label)
        ranked = pool[order(_seed(data), withheld.ids[pool], "oracle")]
        added.append(np.sort(ranked[: counts.max() - counts[label]]))
    more = withheld.select(np.concatenate(added))
    return replace(data, train=_joined((data.train, more)), withheld=None)


def folded(data: Splits, fold: int, folds: int) -> Splits:
    """Return one fold of all images as test, and the others as training and validation.

    Folds are stratified by class; groups and exact duplicates stay together. Copies that `upsample`
    made are trained on alone, where their originals are. Validation is cut from what is not the
    fold, in the proportion to training that `data` has. Suspects are validated and tested on, and
    never trained on.
    """
    dropped = () if data.dropped is None else (data.dropped,)
    whole = _joined((data.train, data.validation, data.test, *dropped))
    unit = units(whole.digests, whole.groups)
    own = np.flatnonzero(whole.originals)
    how = grouped(whole, unit, own)
    number = folds_of(
        whole.labels[own], unit[own], folds, seed=_seed(data), classes=whole.classes, grouped=how
    )
    test, rest = own[number == fold], own[number != fold]
    left = sum(int(part.originals.sum()) for part in (data.train, *dropped))
    share = len(data.validation) / (left + len(data.validation))
    wanted = Cut("validation", share, _seed(data) + fold)
    chosen = cut(whole.labels[rest], unit[rest], wanted, whole.classes, grouped=how)
    validation = rest[chosen]
    held = np.zeros(len(whole), bool)
    held[np.concatenate([test, validation])] = True
    kept = ~held & ~copies_of_held(whole, unit, held)
    if data.suspects is not None:
        kept &= ~np.isin(whole.ids, data.suspects)
        if lost := np.setdiff1d(whole.labels, whole.labels[kept]).tolist():
            raise InputError(
                f"--folds {folds}: without the suspects no training image of class "
                f"{printable(whole.classes[lost[0]])!r} is left beside fold {fold + 1}. Give more "
                "folds, or drop fewer suspects."
            )
    return replace(
        data,
        train=whole.select(kept),
        validation=whole.select(validation),
        test=whole.select(test),
    )


def check_draws(data: Splits, draws: int) -> None:
    """Refuse more than one draw where there is nothing to draw from."""
    require(draws >= 1, "draws >= 1", draws=draws)
    if draws > 1 and data.withheld is None:
        rare = printable(data.classes[data.rarest])
        raise InputError(
            f"--draws {draws} needs more images of a class than are trained on, but all are. Leave "
            f"some out, as with --take {rare}={max(data.train.counts[data.rarest] // 2, 1)}, or "
            "ask for more --seeds instead."
        )


def check_oracle(data: Splits) -> None:
    """Refuse the oracle where it would have no real images to add."""
    withheld = _withheld(data, "--oracle")
    counts = data.train.counts
    if not (counts[np.unique(withheld.labels)] < counts.max()).any():
        raise InputError(
            "--oracle adds real images to the rare classes, but what is left out is of the largest "
            "class alone. Choose fewer of a rare class with --take."
        )


def check_folds(data: Splits, folds: int | None, draws: int, *, oracle: bool) -> None:
    """Refuse folds that do not go with the data or the other options, and cut them once."""
    if folds is None:
        return
    require(folds >= 2, "folds >= 2", folds=folds)
    if draws > 1:
        raise InputError("--folds and --draws are two ways to vary the data: give one.")
    if "test" in data.given:
        raise InputError(
            f"--folds {folds} is for data without a test split, but {printable(data.source)} "
            "brings its own. Leave --folds away."
        )
    if data.withheld is not None or oracle:
        raise InputError(
            f"--folds {folds} is for data too small to hold out, and uses every image: it does not "
            "go with --take, --long-tail or --oracle."
        )
    for fold in range(folds):
        folded(data, fold, folds)


def _withheld(data: Splits, what: str) -> ImageSet:
    if data.withheld is None:
        raise InputError(
            f"{what} needs images of a class that are not trained on. Leave some out with --take "
            "or --long-tail."
        )
    return data.withheld


def _seed(data: Splits) -> int:
    """The data's own number, so that what is drawn follows from the data alone."""
    return int(data.digest[:15], 16)


def _joined(parts: Sequence[ImageSet]) -> ImageSet:
    """Return images of one size as one set, in order."""

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        images=concatenated([part.array for part in parts]),
        labels=column("labels"),
        ids=column("ids"),
        names=column("names"),
        digests=column("digests"),
        groups=None if parts[0].groups is None else column("groups"),
        copies=None if parts[0].copies is None else column("copies"),
    )
