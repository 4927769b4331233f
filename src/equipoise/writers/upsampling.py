"""`upsample`: the rebalanced data set on disk."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from equipoise.engine import own_techniques
from equipoise.errors import InputError, WorkError, printable, require, unknown, whole_seed
from equipoise.extras import check_extra, generated_counts, with_extra
from equipoise.files import claim, write_json
from equipoise.images import LeftOut, Splits, leave_out
from equipoise.parallel import check_backend
from equipoise.planning import Strategy, share_out, targets, undersample
from equipoise.readers import check_apart, read
from equipoise.readers.manifests import MANIFEST, SUMMARY, UPSAMPLED
from equipoise.recipes import Recipe, get_recipe
from equipoise.selection import Selection
from equipoise.strengths import class_strengths
from equipoise.techniques import Technique, resolve
from equipoise.writers import folder, npz, parquet, webdataset
from equipoise.writers.encoding import encode
from equipoise.writers.manifest import VERSION, Namer, write_manifest
from equipoise.writers.outputs import CODINGS, Coding, Outputs, blocks, lay_out
from equipoise.writers.restoring import listed, restore
from equipoise.writers.working import Hands

__all__ = ["FORMATS", "Summary", "upsample"]

_GO_ON = "What is finished is whole; give the same command again to go on."


@dataclass(frozen=True)
class Format:
    """A way to write a data set.

    Attributes
    ----------
    namer : callable
        From outputs to the function that tells the path of each; raises `InputError` where the
        format cannot hold them.
    write : callable
        ``(outputs, namer, out, hands, progress)``: writes what is not there yet.
    """

    namer: Callable[[Outputs], Namer]
    write: Callable[[Outputs, Namer, Path, Hands, Callable[[int], None]], None]


FORMATS = {
    "folder": Format(folder.namer, folder.write),
    "npz": Format(npz.namer, npz.write),
    "parquet": Format(parquet.namer, parquet.write),
    "webdataset": Format(webdataset.namer, webdataset.write),
}


@dataclass(frozen=True)
class Summary:
    """What `upsample` made, or would make.

    Attributes
    ----------
    out : str
        The folder; empty after a dry run.
    format : str
    classes : tuple of str
    before, after : dict
        From split to class to number of images.
    copies : int
        Augmented images and duplicates among them.
    generated : dict
        From class to number of images of the recipe's `extra` folder among them.
    images : int
        All images written.
    broken : int
        Files of the source that could not be read and are left out.
    left_out : tuple of LeftOut
        All of the source that is not used, reason by reason.
    held_out : tuple of str
        Which of 'validation' and 'test' hold images: these were not brought up.
    notes : tuple of str
    """

    out: str
    format: str
    classes: tuple[str, ...]
    before: dict[str, dict[str, int]]
    after: dict[str, dict[str, int]]
    copies: int
    generated: dict[str, int]
    images: int
    broken: int
    left_out: tuple[LeftOut, ...]
    held_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def data(self) -> str:
        """What to read again: the folder, or the one file in it."""
        return str(Path(self.out) / npz.FILE) if self.format == "npz" else self.out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def upsample(
    data: Splits | str | Path | tuple,
    out: str | Path | None,
    *,
    recipe: str | Path | Recipe | None = None,
    strategy: Strategy = "auto",
    techniques: Sequence[object] = ("crop", "flip", "noise"),
    scope: str = "minority",
    format: str = "folder",
    copies: str = "png",
    quality: int = 90,
    link: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    dry_run: bool = False,
    from_manifest: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write the data set with its training classes brought up by augmented copies.

    Splits are kept; validation and test are written as they are. Originals that are files stay
    the files they are. The same call goes on where an interrupted one stopped, and the bytes
    depend neither on that nor on the number of jobs.

    Parameters
    ----------
    data : Splits, or anything that `load` reads
        A source is loaded without cutting splits and without resizing; to hold some out first, load
        it with ``cut=False`` and a `test_fraction`. Copies that an earlier upsampling made are left
        out.
    out : path
        An absent or empty folder, or that of an earlier run of the same call. A dry run needs
        none.
    recipe : name, path or Recipe, optional
        Gives strategy, techniques and scope in place of the next three, and the techniques'
        weights and strength, undersampling and extra images. One of balanced draws becomes a
        balanced set.
    strategy : str, float, dict or callable
        imbalanced-learn's `sampling_strategy`; the keys of a dict are class names.
    techniques : sequence
        Names, one-key dicts ``{name: {parameter: value}}`` or callables. Empty: plain duplicates.
    scope : {'minority', 'all'}
        With 'all' every class gets the same share of augmented images, which replace originals
        in the classes that get fewer copies.
    format : {'folder', 'npz', 'parquet', 'webdataset'}
        An image folder; one file of arrays under MedMNIST's keys; files that Hugging Face's
        `load_dataset` opens; tar shards that `webdataset` streams.
    copies : {'png', 'jpeg', 'webp'}
        The coding of augmented copies; PNG alone loses nothing.
    quality : int
        Of JPEG and WebP copies, 1 to 100.
    link : bool
        In a folder: originals become hard links to the files of the source and take no room, where
        both are on one file system. A program that writes into such a file changes both.
    seed : int
    jobs : int, optional
        By default one a core.
    backend : {'loky', 'ray'}
        Threads of this process, or the processes of a Ray cluster (see `equipoise.parallel`), whose
        machines must all see the source and `out`. Changes no byte.
    dry_run : bool
        Only count: nothing is written, and no image of a source opened.
    from_manifest : path, optional
        Make the images that a manifest lists, whole or filtered, byte for byte as they were. It
        stands in the place of strategy, techniques, scope and seed, and of all of a recipe but its
        extra images; name the format that it was written with.
    progress : callable, optional
        Called with the number of images done and to do.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        Before anything is written: the source, an argument or the output folder does not fit.
    WorkError
        If writing fails, such as on a full disk. What is finished stays valid.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    seed = whole_seed(seed)
    require(jobs is None or jobs >= 1, "jobs >= 1", jobs=jobs)
    check_backend(backend)
    coding = _coding(copies, quality, link, format)
    if backend == "ray" and format == "npz":
        raise InputError("format='npz' is one file, which a cluster cannot share out: take loky.")
    require(dry_run or out is not None, "an output folder, or dry_run=True", out=out)
    measure = None if recipe is None else get_recipe(recipe)
    if measure is not None:
        strategy, techniques, scope = _measure(measure)
    chosen = tuple(resolve(technique) for technique in techniques)
    look = not dry_run or from_manifest is not None  # a manifest names its sources' pixels
    splits = _originals(
        data if isinstance(data, Splits) else read(data, Selection(cut=False, decode=look))
    )
    if len(splits.classes) < 2:
        raise InputError(
            f"At least two classes are needed, but there is only {printable(splits.classes[0])!r}."
        )
    before, splits = splits, with_extra(splits, measure)
    if measure is not None and not dry_run:
        check_extra(splits, measure)
    if coding.name != "png":
        _check_depth(splits, coding)
    if from_manifest is None:
        outputs = _planned(splits, strategy, chosen, scope, measure, seed)
        outputs = replace(outputs, coding=coding)
        namer = FORMATS[format].namer(outputs)
    else:
        manifest = Path(from_manifest)
        outputs, paths = restore(splits, manifest)
        outputs = replace(outputs, coding=coding)
        namer = (
            listed(outputs, paths, manifest)
            if format == "folder"
            else FORMATS[format].namer(outputs)
        )
    summary = _summary(before, outputs, "" if dry_run else str(out), format)
    if out is None or dry_run:
        return summary
    for source in (splits.source, "" if measure is None else measure.extra or ""):
        check_apart(Path(out), source)
    _try_out(outputs)
    with claim(Path(out), UPSAMPLED, _fingerprint(outputs, namer, format), outputs.data.read_with):
        _write(outputs, namer, summary, Hands(jobs, backend), progress)
    return summary


def _coding(copies: str, quality: int, link: bool, format: str) -> Coding:
    if copies not in CODINGS:
        raise unknown("coding of copies", copies, CODINGS)
    require(1 <= quality <= 100, "1 <= quality <= 100", quality=quality)
    if format == "npz" and copies != "png":
        raise InputError(f"format='npz' holds pixels and no files: copies={copies!r} does not fit.")
    if link and format != "folder":
        raise InputError(f"Only a folder can hold links, but got format={format!r}.")
    return Coding(copies, quality, link)


def _check_depth(data: Splits, coding: Coding) -> None:
    """Refuse copies that could not be as deep as their sources."""
    is_wide = getattr(data.train.images, "is_wide", None)
    if is_wide is not None and any(map(is_wide, range(len(data.train)))):
        raise InputError(
            f"16-bit images have 16-bit copies, which {coding.name} cannot hold: take png copies."
        )


def _originals(splits: Splits) -> Splits:
    """The splits without what an earlier upsampling made: copies of copies would bear no trace."""
    copies = [part.names[~part.originals] for part in splits.parts.values()]
    left_out = leave_out("copies that upsample made before", np.concatenate(copies).tolist())
    if not left_out:
        return splits
    train, validation, test = (part.select(part.originals) for part in splits.parts.values())
    lost = np.flatnonzero(train.counts == 0)
    if len(lost):
        raise InputError(
            f"Class {printable(splits.classes[int(lost[0])])!r} has copies and no original in "
            "training. Name the data set that was upsampled."
        )
    return replace(
        splits,
        train=train,
        validation=validation,
        test=test,
        left_out=(*splits.left_out, *left_out),
    )


def _left(splits: Splits, recipe: Recipe | None, seed: int) -> Splits:
    """The splits with what the recipe's undersampling leaves of training."""
    if recipe is None or recipe.undersample is None:
        return splits
    train = splits.train
    rows = undersample(
        train.labels, recipe.undersample, seed=seed, ids=train.ids, classes=splits.classes
    )
    return replace(splits, train=train.select(rows))


def _planned(
    splits: Splits,
    strategy: Strategy,
    techniques: tuple[Technique, ...],
    scope: str,
    measure: Recipe | None,
    seed: int,
) -> Outputs:
    left = _left(splits, measure, seed)
    train = left.train
    weights, strength = (None, None) if measure is None else (measure.weights, measure.strength)
    new = targets(train.labels, strategy, splits.classes)
    plan = share_out(
        train.labels, new, len(techniques), seed=seed, ids=train.ids, scope=scope, weights=weights
    )
    if strength is not None:
        each = class_strengths(techniques, strength, splits.train.counts, splits.classes)
        plan = replace(plan, technique=each.of(plan.technique, train.labels[plan.source]))
        techniques = each.techniques
    return lay_out(left, plan, techniques, seed)


def _measure(recipe: Recipe) -> tuple[Strategy, tuple, str]:
    """What a recipe asks for on disk."""
    if recipe.synthesise is not None:
        raise InputError(
            f"Recipe {recipe.name} makes embeddings ({recipe.synthesise}), which cannot be written "
            "as images. Train with it: equipoise train DATA --trainer probe."
        )
    strategy = recipe.strategy
    if strategy is None and recipe.draws == "balanced":
        strategy = "auto"
    if strategy is None and recipe.undersample is None and recipe.extra is None:
        raise InputError(
            f"Recipe {recipe.name} adds no images, so there is nothing to write. Name one that "
            "upsamples or balances, or give strategy and techniques."
        )
    return strategy, recipe.techniques, recipe.scope


def _try_out(outputs: Outputs) -> None:
    """Make one copy by each technique: one that does not fit the images is told before work."""
    first: dict[int, int] = {}
    for rows in blocks(outputs):
        numbers, places = np.unique(outputs.technique[rows], return_index=True)
        first = dict(zip(numbers.tolist(), rows[places].tolist(), strict=True)) | first
    tried = [row for number, row in sorted(first.items()) if number >= 0]
    for _ in encode(outputs, np.array(tried, np.intp)):
        pass


def _fingerprint(outputs: Outputs, namer: Namer, format: str) -> dict[str, Any]:
    """What decides the bytes, so that a run goes on only with its own beginning."""
    rows = blake2b(digest_size=16)
    for column in (outputs.split, outputs.source, outputs.technique, outputs.copy):
        rows.update(column.data)
    for some in blocks(outputs):
        rows.update("\n".join(namer(some)).encode())
    kind, quality = outputs.coding.name, outputs.coding.quality
    own = own_techniques(outputs.techniques, outputs.data.train.images)
    train = outputs.data.train
    extra = None if train.generated is None else train.select(train.generated).digest
    return {
        # First: the data hold it too, and what has changed is to be named.
        **({} if extra is None else {"content of the extra folder": extra}),
        "data": outputs.data.digest,
        "techniques": [technique.spec for technique in outputs.techniques],
        **({"technique of your own": own} if own else {}),
        "seed": outputs.seed,
        "format": format,
        "version": VERSION,
        **({} if kind == "png" else {"copies": f"{kind} of quality {quality}"}),
        "plan": rows.hexdigest(),
    }


def _write(
    outputs: Outputs,
    namer: Namer,
    summary: Summary,
    hands: Hands,
    progress: Callable[[int, int], None] | None,
) -> None:
    out, done = Path(summary.out), 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, len(outputs))

    try:
        if (out / folder.PARTS).is_dir():  # what a killed run had begun and not finished
            rmtree(out / folder.PARTS)
        FORMATS[summary.format].write(outputs, namer, out, hands, step)
        write_manifest(outputs, namer, out / MANIFEST)
        write_json(out / SUMMARY, summary.to_dict())
    except InputError as error:  # an image further on that a technique does not fit
        raise WorkError(f"{error} What is finished is whole.") from None


def _summary(data: Splits, outputs: Outputs, out: str, format: str) -> Summary:
    classes = outputs.data.classes
    written = np.zeros((len(data.parts), len(classes)), np.int64)
    copies = 0
    for rows in blocks(outputs):
        np.add.at(written, (outputs.split[rows], outputs.labels(rows)), 1)
        copies += int((outputs.copy[rows] >= 0).sum())
    before, after = {}, {}
    for (name, part), counts in zip(data.parts.items(), written.tolist(), strict=True):
        before[name] = dict(zip(classes, part.counts.tolist(), strict=True))
        after[name] = dict(zip(classes, counts, strict=True))
    return Summary(
        out=out,
        format=format,
        classes=classes,
        before=before,
        after=after,
        copies=copies,
        generated=generated_counts(outputs.data),
        images=len(outputs),
        broken=len(outputs.data.broken),
        left_out=outputs.data.left_out,
        held_out=tuple(name for name in ("validation", "test") if len(data.parts[name])),
        notes=outputs.data.notes,
    )
