"""Copies learned by heart: what a net makes of the images it was trained on, and of their like.

A static copy is made once and seen again in every pass. A net may learn it by heart instead of
learning what it shows. Then it recognises the copies it was trained on, and fresh copies of the
same pictures by the same technique less well.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import augment_each
from equipoise.extras import with_extra
from equipoise.files import read_json, write_json
from equipoise.images import ImageSet, Splits
from equipoise.metrics import confusions
from equipoise.metrics.decided import balanced_accuracy
from equipoise.recipes import Recipe
from equipoise.studies.estimates import (
    Estimate,
    Key,
    Number,
    Value,
    estimate_of,
    over_runs,
    runs_alone,
)
from equipoise.studies.inference import LEVEL, Difference, differences
from equipoise.studies.multiplicity import holm
from equipoise.training import Model, load_model
from equipoise.training.cached import decided_plainly
from equipoise.training.presenting import Roster, draw_up

__all__ = [
    "MEMORY",
    "Copies",
    "Memory",
    "Recall",
    "measure_memorisation",
    "memorisation_table",
    "memory_words",
]

MEMORY = "memory.json"
_SAMPLE = 300  # images of each kind
# Smaller gaps are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.05

# (images, labels) of one kind.
Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Recall(Estimate):
    """A recall over runs, of so many images."""

    images: int


class Copies(Value):
    """What the nets of a recipe recognise of one technique's images.

    Attributes
    ----------
    copies : Recall, optional
        Of the copies that were trained on; None for a recipe without static copies.
    fresh : Recall, optional
        Of fresh copies of the same images.
    validation : Recall, optional
        Of validation images after the technique.
    gap : Estimate, optional
        What copies are recognised better than fresh ones.
    p : float, optional
        Of the gap, corrected for all recipes and techniques (Holm, 1979).
    learned : bool
        Whether the copies were learned by heart, beyond chance and worth a sentence.
    """

    copies: Recall | None
    fresh: Recall | None
    validation: Recall | None
    gap: Estimate | None = None
    p: Number = None
    learned: bool = False


class Memory(Value):
    """What the nets of a recipe recognise of the rare classes: training images and their like.

    Attributes
    ----------
    classes : tuple of str
    clean, validation : Recall, optional
        Of training and of validation images as they are.
    techniques : dict of str to Copies
    """

    classes: tuple[str, ...]
    clean: Recall | None
    validation: Recall | None
    techniques: dict[str, Copies]


def measure_memorisation(folder: Path, data: Splits, recipe: Recipe, seed: int) -> None:
    """Write one run's recall on training images of the rare classes and on their like.

    Parameters
    ----------
    folder : Path
        Of the run; nothing is done where it has been asked before.
    data : Splits
        What the run was given.
    recipe : Recipe
    seed : int
        Of the run.
    """
    path = folder / MEMORY
    if path.is_file():
        return
    data = with_extra(data, recipe)
    train, model = data.train, load_model(folder)
    roster = draw_up(train.labels, train.ids, recipe, seed=seed, classes=train.classes)
    rare = _rare(train)
    write_json(
        path,
        {
            "classes": [train.classes[label] for label in rare.tolist()],
            "clean": _recall(model, _clean(train, rare)),
            "validation": _recall(model, _clean(data.validation, rare)),
            "techniques": {
                name: {kind: _recall(model, images) for kind, images in of.items()}
                for name, of in _kinds(roster, data, rare, seed)
            },
        },
    )


def _rare(train: ImageSet) -> NDArray[np.int64]:
    """The classes below the largest one; all where they are alike."""
    counts = train.real_counts
    rare = np.flatnonzero(counts < counts.max())
    return rare if len(rare) else np.arange(len(counts))


def _clean(part: ImageSet, rare: NDArray[np.int64]) -> Labelled:
    rows = _some(np.flatnonzero(np.isin(part.labels, rare)))
    return part.array[rows], part.labels[rows]


def _some(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most so many rows, evenly spread."""
    if len(rows) <= _SAMPLE:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp)]


def _kinds(
    roster: Roster, data: Splits, rare: NDArray[np.int64], seed: int
) -> Iterator[tuple[str, dict[str, Labelled | None]]]:
    """Yield each technique's copies that were trained on, fresh ones of them, and on validation."""
    unseen = int(roster.copy.max(initial=0)) + 1
    of_rare = np.isin(roster.labels, rare)
    others = data.validation.select(_some(np.flatnonzero(np.isin(data.validation.labels, rare))))
    for name in dict.fromkeys(technique.name for technique in roster.techniques):
        # The technique at each strength that a class may have; the first stands for validation.
        numbers = [k for k, technique in enumerate(roster.techniques) if technique.name == name]
        made = np.flatnonzero(of_rare & np.isin(roster.technique, numbers))
        rows = _some(made if len(made) else np.flatnonzero(of_rare & roster.touched))
        if not len(rows):
            continue
        choice = roster.technique[rows] if len(made) else _fresh(roster, rows, numbers[0])
        images, ids = data.train.array[roster.source[rows]], roster.ids[rows]
        copies = (roster.copy[rows], roster.copy[rows] + unseen)
        trained, fresh = (_carried(images, roster, choice, seed, ids, copy) for copy in copies)
        first, zeros = np.full(len(others), numbers[0]), np.zeros(len(others), int)
        unknown = _carried(others.array, roster, first, seed, others.ids, zeros)
        yield (
            name,
            {
                "copies": (trained, roster.labels[rows]) if len(made) else None,
                "fresh": (fresh, roster.labels[rows]),
                "validation": (unknown, others.labels),
            },
        )


def _fresh(roster: Roster, rows: NDArray[np.intp], number: int) -> NDArray:
    """The technique of that number at the strength of each row's class."""
    offset = np.zeros(len(rows), int) if roster.offset is None else roster.offset[rows]
    return number + offset


def _carried(
    images: NDArray[np.uint8],
    roster: Roster,
    choice: NDArray,
    seed: int,
    ids: NDArray[np.int64],
    copy: NDArray,
) -> NDArray[np.uint8]:
    return np.asarray(
        augment_each(images, roster.techniques, choice, seed=seed, ids=ids, copy=copy, threads=1)
    )


def _recall(model: Model, of: Labelled | None) -> dict[str, float] | None:
    """The recall of the plain decision, averaged over the classes that are there."""
    if of is None:
        return None
    images, labels = of
    decided, counted = decided_plainly(model, images), np.ones((1, len(labels)))
    confusion = confusions(labels, decided, len(model.classes), counted)
    return {"images": len(labels), "recall": balanced_accuracy(confusion).item()}


def memorisation_table(folders: Mapping[str, Mapping[Key, Path]]) -> dict[str, Memory]:
    """Return `summary.memory`: from recipe to its recalls.

    Parameters
    ----------
    folders : mapping of recipe to its runs' folders, by seed and draw
    """
    read = {
        name: {key: read_json(run / MEMORY) for key, run in of.items() if (run / MEMORY).is_file()}
        for name, of in folders.items()
    }
    read = {name: of for name, of in read.items() if of}
    gaps = _gaps(read)
    return {name: _memory(name, of, gaps) for name, of in read.items()}


Answers = Mapping[Key, Mapping[str, Any]]


def _memory(
    name: str, runs: Answers, gaps: Mapping[tuple[str, str], tuple[Difference, float]]
) -> Memory:
    first = next(iter(runs.values()))
    techniques = {}
    for technique in first["techniques"]:
        if not all(technique in run["techniques"] for run in runs.values()):
            continue
        of = {key: run["techniques"][technique] for key, run in runs.items()}
        kinds = {kind: _recalls(of, kind) for kind in ("copies", "fresh", "validation")}
        gap, p = gaps.get((name, technique), (None, np.nan))
        techniques[technique] = Copies(
            **kinds,
            gap=None if gap is None else estimate_of(gap),
            p=p,
            learned=gap is not None and p < LEVEL and gap.mean >= _WORTH_SAYING,
        )
    ends = {kind: _recalls(runs, kind) for kind in ("clean", "validation")}
    return Memory(classes=first["classes"], **ends, techniques=techniques)


def _recalls(runs: Answers, kind: str) -> Recall | None:
    found = {key: run[kind] for key, run in runs.items() if run[kind] is not None}
    found = {key: of for key, of in found.items() if of["recall"] is not None}
    if not found:
        return None
    mean = over_runs([of["recall"] for of in found.values()], list(found))
    return Recall(**mean.model_dump(), images=next(iter(found.values()))["images"])


def _gaps(read: Mapping[str, Answers]) -> dict[tuple[str, str], tuple[Difference, float]]:
    """What copies that were trained on are recognised better than fresh ones, and how surely.

    Of each recipe and technique with static copies, with a p-value that is corrected for them all.
    """
    keys = sorted({key for of in read.values() for key in of})
    every = dict.fromkeys(
        t for of in read.values() for run in of.values() for t in run["techniques"]
    )
    found: dict[tuple[str, str], Difference] = {}
    for technique in every:
        rows = {
            name: [_gap(of.get(key, {}).get("techniques", {}).get(technique)) for key in keys]
            for name, of in read.items()
        }
        rows = {name: row for name, row in rows.items() if np.isfinite(row).any()}
        # A gap is a difference within a run: what it is set against is nought.
        table = np.array([np.zeros(len(keys)), *rows.values()])
        apart = differences(runs_alone(table, keys, bounds=(-1.0, 1.0)))[1:]
        found |= {(n, technique): d for n, d in zip(rows, apart, strict=True) if d is not None}
    p_values = holm([one.p for one in found.values()])
    return {key: (one, p) for (key, one), p in zip(found.items(), p_values, strict=True)}


def _gap(of: Mapping[str, Any] | None) -> float:
    if of is None or of["copies"] is None or of["fresh"] is None:
        return float("nan")
    ends = (of["copies"]["recall"], of["fresh"]["recall"])
    return float("nan") if None in ends else ends[0] - ends[1]


def memory_words(table: Mapping[str, Memory]) -> list[str]:
    """Say in plain sentences which recipe's net has learned which copies by heart."""
    return [
        sentence
        for recipe, found in table.items()
        if (sentence := _sentence(recipe, found)) is not None
    ]


def _sentence(recipe: str, found: Memory) -> str | None:
    learned = {name: of for name, of in found.techniques.items() if of.learned}
    if not learned:
        return None
    told = ", ".join(
        f"{of.copies.mean:.0%} of its {name} copies but {of.fresh.mean:.0%} of fresh ones"
        for name, of in learned.items()
        if of.copies is not None and of.fresh is not None
    )
    return (
        f"'{recipe}' has learned copies by heart: of the same pictures it recognises {told}. "
        "augmentation: fresh makes every copy anew, so that there is nothing to learn by heart."
    )
