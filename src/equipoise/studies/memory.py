"""Copies learned by heart: what a net makes of the images it was trained on, and of their like.

A static copy is made once and seen again in every pass. A net may learn it by heart instead of
learning what it shows. Then it recognises the copies it was trained on, and fresh copies of the
same pictures by the same technique less well.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from equipoise.studies.statistics import Estimate, estimate
from equipoise.training import Model, load_model
from equipoise.training.presenting import Roster, draw_up

__all__ = ["MEMORY", "memory_table", "memory_words", "remember"]

MEMORY = "memory.json"
_SAMPLE = 300  # images of each kind
# Smaller gaps are not worth a sentence, however sure they are.
_WORTH_SAYING = 0.05

# (images, labels) of one kind.
Kind = tuple[NDArray[np.uint8], NDArray[np.int64]]


def remember(folder: Path, data: Splits, recipe: Recipe, seed: int) -> None:
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


def _clean(part: ImageSet, rare: NDArray[np.int64]) -> Kind:
    rows = _some(np.flatnonzero(np.isin(part.labels, rare)))
    return part.array[rows], part.labels[rows]


def _some(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most so many rows, evenly spread."""
    if len(rows) <= _SAMPLE:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp)]


def _kinds(
    roster: Roster, data: Splits, rare: NDArray[np.int64], seed: int
) -> Iterator[tuple[str, dict[str, Kind | None]]]:
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


def _recall(model: Model, of: Kind | None) -> dict[str, float] | None:
    """The recall of the plain decision, averaged over the classes that are there."""
    if of is None:
        return None
    images, labels = of
    decided, counted = model.predict(images, "plain"), np.ones((1, len(labels)))
    confusion = confusions(labels, decided, len(model.classes), counted)
    return {"images": len(labels), "recall": balanced_accuracy(confusion).item()}


def memory_table(folders: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Return `summary["memory"]`: from recipe to its recalls, means over runs with intervals.

    A technique's ``gap`` is what its copies that were trained on are recognised better than fresh
    copies of the same pictures; None for a recipe without static copies.
    """
    table = {}
    for name, runs in folders.items():
        read = [read_json(run / MEMORY) for run in runs if (run / MEMORY).is_file()]
        if read:
            table[name] = {
                "classes": read[0]["classes"],
                "clean": _over(run["clean"] for run in read),
                "validation": _over(run["validation"] for run in read),
                "techniques": {
                    technique: _technique([run["techniques"][technique] for run in read])
                    for technique in read[0]["techniques"]
                    if all(technique in run["techniques"] for run in read)
                },
            }
    return table


def _technique(runs: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {kind: _over(run[kind] for run in runs) for kind in ("copies", "fresh", "validation")}
    pairs = [(run["copies"], run["fresh"]) for run in runs]
    gaps = [mine["recall"] - theirs["recall"] for mine, theirs in pairs if mine is not None]
    return {**figures, "gap": estimate(gaps).to_dict() if gaps else None}


def _over(figures: Any) -> dict[str, Any] | None:
    found = [figure for figure in figures if figure is not None and figure["recall"] is not None]
    if not found:
        return None
    mean: Estimate = estimate([figure["recall"] for figure in found])
    return {**mean.to_dict(), "images": found[0]["images"]}


def memory_words(table: Mapping[str, Any]) -> list[str]:
    """Say in plain sentences which recipe's net has learned which copies by heart."""
    return [
        sentence
        for recipe, found in table.items()
        if (sentence := _sentence(recipe, found)) is not None
    ]


def _sentence(recipe: str, found: Mapping[str, Any]) -> str | None:
    static = {name: of for name, of in found["techniques"].items() if of["gap"] is not None}
    if not static:
        return None
    gaps = {name: of["gap"] for name, of in static.items()}
    learned = [
        name
        for name, gap in gaps.items()
        if gap["mean"] >= _WORTH_SAYING and (gap["low"] is None or not gap["low"] <= 0)
    ]
    if not learned:
        return (
            f"'{recipe}': no sign that its copies were learned by heart; fresh copies of the same "
            "pictures are recognised about as well."
        )
    told = ", ".join(
        f"{static[name]['copies']['mean']:.0%} of its {name} copies but "
        f"{static[name]['fresh']['mean']:.0%} of fresh ones"
        for name in learned
    )
    runs = len(gaps[learned[0]]["values"])
    doubt = "" if runs > 1 else " (one run: this may be chance)"
    return (
        f"'{recipe}' has learned copies by heart: of the same pictures it recognises "
        f"{told}{doubt}. "
        "augmentation: fresh makes every copy anew, so that there is nothing to learn by heart."
    )
