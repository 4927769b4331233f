"""What `equipoise audit --deep` finds of what was planted: wrong labels, and near duplicates.

    python benchmarks/audit_deep.py FOLDER [--only labels twins seconds] [--markdown FILE]

FOLDER holds cifar10-images.tar.gz, trashnet.tar.gz and magnetic-tiles.tar.gz.

Labels: of CIFAR-10's first 4,800 cats and 1,200 dogs a share of the dogs is called cat, and as many
cats are called dog; of TrashNet a share of all pictures gets another class by lot. Where cleanlab
can be imported, its `find_label_issues` judges the same probabilities.
Twins: variants of 200 of TrashNet's photographs are added one kind at a time and looked for; on the
magnetic tiles every pair that is found is held against the groups that come with them.
Seconds: those of the deep audit of TrashNet, embeddings in the cache.
"""

import argparse
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import cv2
import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.deep.pool import Pool, pooled
from equipoise.deep.probing import probe
from equipoise.deep.suspects import find_errors
from equipoise.deep.twins import find_twins
from equipoise.images import ImageSet
from equipoise.readers.splitting import units

PLANTINGS = 5
SHARES = (0.05, 0.2)
CHANGED = 200
Picture = NDArray[np.uint8]
Planted = tuple[NDArray[np.int64], NDArray[np.bool_]]


def set_of(folder: Path, name: str) -> Pool:
    """A set with its embeddings."""
    if name == "CIFAR-10, cats and dogs":
        take = {"cat": 4800, "dog": 1200}
        archive = folder / "cifar10-images.tar.gz"
        data = eq.load(archive, cut=False, classes=["cat", "dog"], take=take)
        data = replace(data, test=data.test.select([]))
    else:
        data = eq.load(folder / "trashnet.tar.gz", cut=False)
    return pooled(data, "lite0", None, lambda what, done, total: None)


def swapped(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> Planted:
    """Labels in which a share of the dogs is called cat, and as many cats dog."""
    count = round(share * int((labels == 1).sum()))
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(labels == label), count, replace=False) for label in (0, 1)]
    )
    wrong = np.zeros(len(labels), bool)
    wrong[rows] = True
    return np.where(wrong, 1 - labels, labels), wrong


def by_lot(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> Planted:
    """Labels of which a share is another class by lot."""
    classes = int(labels.max()) + 1
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    wrong = np.zeros(len(labels), bool)
    wrong[rows] = True
    moved = labels.copy()
    moved[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    return moved, wrong


SETS: dict[str, Callable[..., Planted]] = {"CIFAR-10, cats and dogs": swapped, "TrashNet": by_lot}


def ours(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """What this package suggests to drop."""
    found = np.zeros(len(labels), bool)
    found[find_errors(labels, probabilities).rows] = True
    return found


def judges() -> dict[str, Callable[..., NDArray[np.bool_]]]:
    """Who judges labels."""
    found: dict[str, Callable[..., NDArray[np.bool_]]] = {"equipoise": ours}
    try:
        from cleanlab.filter import find_label_issues  # type: ignore[import-not-found]
    except ImportError:
        return found
    return found | {"cleanlab": lambda labels, p: find_label_issues(labels, p, n_jobs=1)}


def labels_found(folder: Path) -> Iterator[str]:
    """Rows of precision and recall."""
    yield (
        "| set | planted | judge | listed | precision, % | recall, % | range of precision "
        "| of recall |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, plant in SETS.items():
        pool = set_of(folder, name)
        unit = units(pool.digests)
        for share in SHARES:
            figures: dict[str, list[tuple[float, float, float]]] = {}
            for seed in range(PLANTINGS):
                labels, wrong = plant(pool.labels, share, np.random.default_rng([seed, 1]))
                probed = probe(pool.embeddings, labels, unit, len(pool.classes), seed)
                for judge, of in judges().items():
                    found = of(labels, probed.probabilities)
                    right = float((found & wrong).sum())
                    row = (found.sum(), 100 * right / found.sum(), 100 * right / wrong.sum())
                    figures.setdefault(judge, []).append(row)
            planted = int(wrong.sum())
            for judge, rows in figures.items():
                listed, precision, recall = zip(*rows, strict=True)
                yield (
                    f"| {name} | {planted:,} ({share:.0%}) | {judge} | {mean(listed):.0f} "
                    f"| {mean(precision):.1f} | {mean(recall):.1f} "
                    f"| {min(precision):.1f} … {max(precision):.1f} "
                    f"| {min(recall):.1f} … {max(recall):.1f} |"
                )


def window(share: float, width: float | None = None) -> Callable[..., Picture]:
    """A part of a picture, somewhere in it."""

    def crop(picture: Picture, rng: np.random.Generator) -> Picture:
        height = round(share * picture.shape[0])
        wide = round((width or share) * picture.shape[1])
        top = rng.integers(picture.shape[0] - height + 1)
        left = rng.integers(picture.shape[1] - wide + 1)
        return picture[top : top + height, left : left + wide]

    return crop


def light(gain: float, offset: float = 0) -> Callable[..., Picture]:
    """Another exposure."""
    return lambda picture, rng: np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def coded(picture: Picture, rng: np.random.Generator) -> Picture:
    """A JPEG of quality 20."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def halved(picture: Picture, rng: np.random.Generator) -> Picture:
    """Half the size."""
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def several(picture: Picture, rng: np.random.Generator) -> Picture:
    """A darker crop, coded anew."""
    return coded(light(0.7)(window(0.8)(picture, rng), rng), rng)


VARIANTS: dict[str, Callable[..., Picture]] = {
    "crop to 90 % of height and width": window(0.9),
    "crop to 80 %": window(0.8),
    "crop to 70 %": window(0.7),
    "crop to 80 % of the height alone": window(0.8, 1.0),
    "half as bright": light(0.5),
    "1.4 times as bright, clipped": light(1.4, 10),
    "JPEG of quality 20": coded,
    "half the size": halved,
    "crop to 80 %, darker, JPEG of quality 20": several,
}


def twins_found(folder: Path) -> Iterator[str]:
    """Rows of variants found, by the deep audit and by perceptual hashes."""
    data = eq.load(folder / "trashnet.tar.gz", cut=False)
    rows = np.random.default_rng(3).choice(len(data.train), CHANGED, replace=False)
    originals = [np.asarray(data.train.images[int(row)]) for row in rows]
    yield "| variant | found by `--deep`, % | by `--near`, % |"
    yield "|---|---|---|"
    for name, change in VARIANTS.items():
        rng = np.random.default_rng(4)
        test = changed(data.train, [change(picture, rng) for picture in originals])
        both = replace(data, test=test)
        pool = pooled(both, "lite0", None, lambda what, done, total: None)
        wanted = {
            (str(data.train.names[row]), str(test.names[k])) for k, row in enumerate(rows.tolist())
        }
        deep = share_of(wanted, [one.images for one in find_twins(pool).twins])
        near = eq.audit(both, near=True).near_duplicates or ()
        yield f"| {name} | {deep:.1f} | {share_of(wanted, [one.images for one in near]):.1f} |"


def changed(like: ImageSet, pictures: list[Picture]) -> ImageSet:
    """Variants as a set of their own."""
    count = len(pictures)
    return ImageSet(
        images=pictures,
        labels=np.zeros(count, np.int64),
        classes=like.classes,
        ids=np.arange(count) + 2**40,
        names=np.array([f"variant {k}" for k in range(count)]),
        digests=np.array([f"v{k}" for k in range(count)], "S16"),
    )


def share_of(wanted: set[tuple[str, str]], groups: list[tuple[str, ...]]) -> float:
    """The share of pairs that are in one group, in per cent."""
    of = {name: k for k, group in enumerate(groups) for name in group}
    found = sum(one in of and of[one] == of.get(other) for one, other in wanted)
    return 100 * found / len(wanted)


def false_pairs(folder: Path) -> Iterator[str]:
    """Rows of pairs found on the tiles, and those of two groups."""
    with TemporaryDirectory() as place, tarfile.open(folder / "magnetic-tiles.tar.gz") as archive:
        archive.extractall(place, filter="data")
        data = eq.load(Path(place) / "tiles" / "tiles.csv", cut=False)
        pool = pooled(data, "lite0", None, lambda what, done, total: None)
        deep = find_twins(pool).twins
        near = eq.audit(data, near=True).near_duplicates or ()
    names = data.train.names.tolist()
    assert data.train.groups is not None
    group = dict(zip(names, data.train.groups.tolist(), strict=True))
    yield "| | groups | largest | pairs | of two tiles by the groups given, % |"
    yield "|---|---|---|---|---|"
    for how, found in (("`--deep`", deep), ("`--near`", near)):
        members = [one.images for one in found]
        pairs = [pair for images in members for pair in combinations(images, 2)]
        false = sum(group[one] != group[other] for one, other in pairs)
        yield (
            f"| {how} | {len(members):,} | {max(map(len, members))} | {len(pairs):,} "
            f"| {100 * false / len(pairs):.1f} |"
        )


def seconds(folder: Path) -> Iterator[str]:
    """A row of the time that a deep audit takes."""
    data = eq.load(folder / "trashnet.tar.gz", cut=False)
    eq.embed(data.train)
    start, busy = perf_counter(), process_time()
    found = eq.audit_deep(data)
    yield "| pictures | processor s | s |"
    yield "|---|---|---|"
    yield f"| {found.images:,} | {process_time() - busy:.0f} | {perf_counter() - start:.0f} |"


PARTS = {
    "labels": (labels_found,),
    "twins": (twins_found, false_pairs),
    "seconds": (seconds,),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = []
    for part in options.only:
        for table in PARTS[part]:
            for line in table(options.folder):
                print(line, flush=True)
                lines.append(line)
            print()
            lines.append("")
    if options.markdown:
        options.markdown.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
