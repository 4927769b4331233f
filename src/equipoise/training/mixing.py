"""Mixed images: each image of a batch joined with another's, its label in the same shares.

The pixels are mixed by `equipoise.techniques.mixing`; here is which batches are, and with what.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.techniques import Parameter
from equipoise.techniques.mixing import cmo, cutmix, mixup
from equipoise.training.catalogue import Entry, Spec, pick
from equipoise.training.draws import Draws
from equipoise.training.presenting import Batch

__all__ = ["MIXINGS", "Mixing", "get_mixing", "mix"]

# (batch, foregrounds or None, number of classes, seed, ids of the draws) -> images, (B, K) shares.
Form = Callable[
    [Batch, Batch | None, int, int, NDArray[np.int64]],
    tuple[NDArray[np.uint8], NDArray[np.float32]],
]


@dataclass(frozen=True)
class Mixing:
    """How a run mixes its images.

    Attributes
    ----------
    form : callable
    until : float
        The share of the budget after which images are no longer mixed.
    foreground : Draws, optional
        The stream of what is pasted, where it does not come from the batch itself.
    """

    form: Form
    until: float
    foreground: Draws | None


def _mixup(alpha: float) -> Form:
    return lambda batch, _, classes, seed, ids: mixup(
        batch.images, batch.labels, classes, seed=seed, ids=ids, alpha=alpha
    )


def _cutmix(alpha: float) -> Form:
    return lambda batch, _, classes, seed, ids: cutmix(
        batch.images, batch.labels, classes, seed=seed, ids=ids, alpha=alpha
    )


def _cmo(alpha: float, probability: float) -> Form:
    def form(
        batch: Batch, pool: Batch | None, classes: int, seed: int, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        assert pool is not None
        return cmo(
            batch.images, batch.labels, pool.images, pool.labels, classes,
            seed=seed, ids=ids, alpha=alpha, probability=probability,
        )  # fmt: skip

    return form


_ALPHA = Parameter(1.0, 0.01, 100, "", "α of the shares' Beta(α, α)", name="alpha")
_UNTIL = Parameter(
    1.0, 0, 1, "of the budget", "images are mixed until then, and no more after it", name="until"
)

MIXINGS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "mixup",
            "Each image and its label a weighted mean with another of the batch.",
            "Zhang, Cissé, Dauphin and Lopez-Paz, \"mixup: beyond empirical risk minimization\", "
            "ICLR 2018",
            (_ALPHA, _UNTIL),
            _mixup,
        ),
        Entry(
            "cutmix",
            "A box of another image of the batch pasted into each, labels mixed by area.",
            "Yun et al., \"CutMix: regularization strategy to train strong classifiers with "
            "localizable features\", ICCV 2019",
            (_ALPHA, _UNTIL),
            _cutmix,
        ),
        Entry(
            "cmo",
            "A box pasted in from images drawn in inverse proportion to the size of their class, "
            "so that each class gives equally many; labels mixed by area.",
            "Park, Hong, Heo, Yun and Choi, \"The majority can help the minority: context-rich "
            "minority oversampling for long-tailed classification\", CVPR 2022",
            (
                _ALPHA,
                Parameter(0.5, 0, 1, "", "share of the images that get a box", name="probability"),
                _UNTIL,
            ),
            _cmo,
        ),
    )
}  # fmt: skip

# Foregrounds are draws of their own, not those of the batch.
_APART = 2**63


def get_mixing(spec: Spec, labels: ArrayLike, *, seed: int) -> Mixing:
    """Return a mixing for a training set as it is presented, with these labels.

    Parameters
    ----------
    spec : str or dict
        A name in `MIXINGS`, or a one-key dict from name to parameters.
    labels : (N,) integers
    seed : int

    Raises
    ------
    InputError
        For an unknown name or parameter, or a value out of range.
    """
    entry, parameters = pick("mixing", spec, MIXINGS)
    until = parameters.pop("until")
    pastes = entry.name == "cmo"
    foreground = Draws(labels, "balanced", seed=seed + _APART) if pastes else None
    return Mixing(entry.make(**parameters), until, foreground)


def mix(
    mixing: Mixing, batch: Batch, pool: Batch | None, *, classes: int, seed: int, start: int
) -> Batch:
    """Return a batch of mixed images.

    Parameters
    ----------
    mixing : Mixing
    batch : Batch
    pool : Batch, optional
        The foregrounds, where `mixing` has a stream of them.
    classes, seed : int
    start : int
        Where the batch starts in the stream of draws: what is drawn for an image is a function of
        its position there.
    """
    place = np.arange(len(batch.labels))
    images, shares = mixing.form(batch, pool, classes, seed, start + place)
    own = shares[place, batch.labels]
    shares[place, batch.labels] = 0
    # Mixed with its own class, or not at all: one label.
    others = np.where(own < 1 - 1e-6, shares.argmax(axis=1), batch.labels)
    return replace(batch, images=images, others=others, share=own)
