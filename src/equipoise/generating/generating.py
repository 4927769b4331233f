"""`generate`: images for the rare classes, made from the training split alone, and sifted."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.backbones import ActivationCache
from equipoise.errors import InputError, plural, printable, require, whole_seed
from equipoise.files import claim, read_json, write_json, write_text
from equipoise.generating.candidates import Candidates, read_sifted
from equipoise.generating.making import Workplace
from equipoise.generating.method import get_method
from equipoise.images import ImageSet, LeftOut, Splits
from equipoise.planning import Strategy, targets
from equipoise.readers import check_apart, read
from equipoise.readers.manifests import GENERATED, RECIPE, SUMMARY
from equipoise.selection import Selection
from equipoise.sifting import Sieve, Sifted, fit_sieve
from equipoise.training.devices import get_device
from equipoise.writers.manifest import VERSION

__all__ = ["Generated", "generate"]

_MOST = 3  # times as many images as are wanted are made, where many fall
_WORK = ".generator"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Generated:
    """What `generate` made.

    Attributes
    ----------
    out : str
        The folder, which a recipe's `extra` takes.
    source : str
        The data set.
    method : str
    parameters : dict
    seed : int
    model : str
        A digest of the model.
    wanted : dict
        From class to how many images were asked for.
    counts : dict
        From class to how many were made (`images`), fell at each step of the sieve (`copy`,
        `probe`, `distance`) and are `kept`.
    left_out : tuple of LeftOut
        All of the source that is not used, reason by reason.
    notes : tuple of str
        What a user should know, such as which steps were skipped.
    """

    out: str
    source: str
    method: str
    parameters: dict[str, Any]
    seed: int
    model: str
    wanted: dict[str, int]
    counts: dict[str, dict[str, int]]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def kept(self) -> int:
        """How many images lie in the folder."""
        return sum(count["kept"] for count in self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    def sifted(self) -> Sifted:
        """Return all images that were made, with what the sieve said of them."""
        lines = (*(one.line for one in self.left_out), *self.notes)
        return read_sifted(Path(self.out), lines)


def generate(
    data: Splits | str | Path | tuple,
    out: str | Path,
    *,
    method: str | Mapping[str, Mapping[str, Any] | None] = "deepsmote",
    sampling_strategy: Strategy = "auto",
    seed: int = 0,
    backbone: str = "lite0",
    device: str = "auto",
    cache: ActivationCache | None = None,
    progress: Progress | None = None,
) -> Generated:
    """Make images for the rare classes by a generative model, and sift them.

    The model sees the training split alone. What the sieve drops is made up for until there are as
    many images as the strategy asks for, or three times as many have been made. The same call goes
    on where an interrupted one stopped.

    Parameters
    ----------
    data : Splits, or anything that `load` reads
        A source is loaded as for a comparison, with `seed`: validation and test are cut where there
        are none. So the same source, seed and options must be given to both.
    out : path
        An absent or empty folder, or that of an earlier run of the same call. It will hold class
        folders, `manifest.parquet`, `summary.json` and `generated.yaml`, a recipe that adds these
        images to training; what fell stays in its hidden folders.
    method : str or dict
        A name in `equipoise.generating.METHODS`, or ``{name: {parameter: value}}``.
    sampling_strategy : str, float, dict or callable
        imbalanced-learn's: which classes are brought up, and how far. Keys are class names.
    seed : int
    backbone : str
        Whose embeddings the sieve compares: see `equipoise.embed`.
    device : {'auto', 'cpu', 'cuda'}
        Where the model learns and makes. On the CPU of one machine the same call gives the same
        images.
    cache : ActivationCache, optional
        Of embeddings; by default the user's.
    progress : callable, optional
        Called with (done, in all, what is done).

    Returns
    -------
    Generated

    Raises
    ------
    InputError
        Before anything is written: the source, an argument or the output folder does not fit.
    WorkError
        If writing fails, such as on a full disk. What is finished stays valid.
    """
    seed = whole_seed(seed)
    name, parameters, begin = get_method(method)
    place = get_device(device)
    splits = data if isinstance(data, Splits) else read(data, Selection(seed=seed))
    train = _originals(splits)
    wanted = _wanted(train, sampling_strategy)
    learn = begin(train)
    folder = Path(out)
    check_apart(folder, splits.source)
    fingerprint = {
        "data": splits.digest,
        "method": name,
        "parameters": parameters,
        "sampling strategy": {train.classes[label]: count for label, count in wanted.items()},
        "seed": seed,
        "backbone": backbone,
        "version": VERSION,
    }
    tell = progress or (lambda done, total, what: None)
    with claim(folder, GENERATED, fingerprint, splits.read_with):
        if (folder / SUMMARY).is_file() and Candidates.finished(folder):
            return _read(folder)
        maker = learn(Workplace(folder / _WORK, seed, place, tell))
        sieve = fit_sieve(
            splits,
            backbone=backbone,
            cache=cache,
            progress=lambda done, total: tell(done, total, "embedding real images"),
        )
        made = Candidates(folder, name, train, maker)
        sifted = _make_up(made, wanted, sieve, tell)
        result = Generated(
            out=str(out),
            source=splits.source,
            method=name,
            parameters=parameters,
            seed=seed,
            model=maker.model,
            wanted={train.classes[label]: count for label, count in wanted.items()},
            counts=sifted.counts(),
            left_out=splits.left_out,
            notes=(*maker.notes, *sifted.notes, *_short(sifted, wanted)),
        )
        made.finish(sifted, {"parameters": parameters, "seed": seed})
        write_text(folder / RECIPE, "extra: .\n")
        write_json(folder / SUMMARY, result.to_dict())
        return result


def _originals(splits: Splits) -> ImageSet:
    """The real training images that no upsampling made."""
    train = splits.train.real
    return train.select(train.originals)


def _wanted(train: ImageSet, strategy: Strategy) -> dict[int, int]:
    """How many images each class lacks, by label."""
    require(len(train.classes) >= 2, "at least two classes", classes=list(train.classes))
    wanted = {k: n for k, n in targets(train.labels, strategy, train.classes).items() if n}
    if not wanted:
        raise InputError(
            "sampling_strategy asks for no image: no class has fewer than it wants. Name counts, "
            f"such as {printable(train.classes[0])}={2 * int(train.counts[0])}."
        )
    for label in wanted:
        if not train.counts[label]:
            raise InputError(
                f"Class {printable(train.classes[label])!r} has no training image to make others "
                "from. Leave it out of sampling_strategy."
            )
    return wanted


def _make_up(made: Candidates, wanted: Mapping[int, int], sieve: Sieve, tell: Progress) -> Sifted:
    """Make images until enough are kept, or three times as many as are wanted have been made."""
    count, kept = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
    parts: list[Sifted] = []
    while True:
        more = {
            label: min(number - kept[label], _MOST * number - count[label])
            for label, number in wanted.items()
        }
        asked = [(label, count[label] + k) for label, number in more.items() for k in range(number)]
        if not asked:
            break
        images = made.images(asked, tell)
        part = sieve.judge(images, lambda done, total: tell(done, total, "sifting"))
        parts.append(part)
        for label, number in more.items():
            count[label] += number
            kept[label] += int((part.kept & (part.images.labels == label)).sum())
    return _joined(parts)


def _joined(parts: list[Sifted]) -> Sifted:
    every = [part.images for part in parts]
    images = ImageSet(
        images=[image for one in every for image in one.images],
        labels=np.concatenate([one.labels for one in every]),
        classes=every[0].classes,
        ids=np.concatenate([one.ids for one in every]),
        names=np.concatenate([one.names for one in every]),
        digests=np.concatenate([one.digests for one in every]),
    )
    return Sifted(
        images,
        np.concatenate([part.verdict for part in parts]),
        np.concatenate([part.reason for part in parts]),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _short(sifted: Sifted, wanted: Mapping[int, int]) -> list[str]:
    """What to tell of classes for which too few images passed."""
    classes, counts = sifted.images.classes, sifted.counts()
    return [
        f"{printable(classes[label])}: {counts[classes[label]]['kept']:,} of "
        f"{plural(number, 'image')} passed the sieve, of {counts[classes[label]]['images']:,} made"
        for label, number in wanted.items()
        if counts[classes[label]]["kept"] < number
    ]


def _read(folder: Path) -> Generated:
    found = read_json(folder / SUMMARY)
    left_out = tuple(
        LeftOut(one["reason"], one["count"], tuple(one["names"])) for one in found["left_out"]
    )
    changed = {"out": str(folder), "left_out": left_out, "notes": tuple(found["notes"])}
    return Generated(**{**found, **changed})
