"""WebDataset's convention: ``KEY.jpg`` and ``KEY.cls`` (or .txt, .json) are one sample.

A key is a path up to the first dot of its file's name. Of several images of a key, the one with the
fewest dots is meant (``KEY.png`` rather than ``KEY.depth.png``), or one whose name says so
(``KEY.image.png``). A label is a whole number or the name of a
class; in a .json it stands under `label`, `cls` or `class`.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np

from equipoise.errors import InputError, printable, reason
from equipoise.images import Broken, leave_out
from equipoise.readers.layout import Listing, is_image_name
from equipoise.readers.table import Files, Table, path_ids, sorted_classes

__all__ = ["MOST_LABEL", "are_samples", "is_class_name", "is_label_name", "lay_out_samples"]

MOST_LABEL = 1 << 16  # bytes of a label's file

_LABELS = (".cls", ".json", ".txt")  # the first that a key has counts
_IMAGES = frozenset(("image", "img", "rgb", "color", "colour", "photo", "input"))
_FIELDS = ("label", "cls", "class")
_LONGEST = 1024  # characters of a class


def is_label_name(path: str) -> bool:
    """Whether a path ends as those of labels do."""
    return path.lower().endswith(_LABELS)


def is_class_name(path: str) -> bool:
    """Whether a path ends as those of labels do that nothing else has."""
    return path.lower().endswith(".cls")


def are_samples(names: Collection[str]) -> bool:
    """Whether the files of an archive are samples rather than images in class folders.

    They are where any label is a .cls, or where images lie in no folder and have labels.
    """
    if any(is_class_name(name) for name in names):
        return True
    images = [name for name in names if is_image_name(name)]
    if any("/" in name for name in images):
        return False  # a .txt beside it may be anything
    labels = {_key(name) for name in names if is_label_name(name)}
    return any(_key(name) in labels for name in images)


def lay_out_samples(
    listing: Listing,
    fetch: Callable[[Any], bytes],
    source: str,
    split_of: Callable[[str], str] = lambda name: "train",
    classes: Sequence[str] | None = None,
) -> Table:
    """Put images and labels together.

    Parameters
    ----------
    listing : Listing
    fetch : callable
        Handle to bytes; labels are read at once, images are not.
    source : str
        For messages.
    split_of : callable
        Path to split.
    classes : sequence of str, optional
        The names of the class numbers.

    Returns
    -------
    Table
        In the order of the sorted paths.
    """
    found, broken = listing.found, list(listing.broken)
    images, labels, second = _by_key(found)
    rows, unlabelled = [], []
    for key, name in images.items():
        if key not in labels:
            unlabelled.append(name)
            continue
        try:
            rows.append((name, _label(labels[key], fetch(found[labels[key]]))))
        except (OSError, ValueError, RecursionError) as error:
            ending = labels[key].rpartition(".")[2]
            broken.append(Broken(name, f"label {ending}: {reason(error)}"))
    without = [labels[key] for key in labels if key not in images]
    others = _without_images(found, fetch, without, dict(enumerate(classes or ())))
    if not rows:
        first = f"; {printable(broken[0].name)}: {broken[0].reason}." if broken else "."
        raise InputError(f"{source}: holds no image with a label (KEY.jpg and KEY.cls){first}")
    rows.sort()
    names, found_labels = zip(*rows, strict=True)
    table = Table(
        names=np.array(names),
        labels=np.zeros(len(rows), np.int64),
        classes=(),
        splits=np.array([split_of(name) for name in names]),
        ids=path_ids(names),
        pixels=Files(fetch, [found[name] for name in names]),
        place=lambda name, _: _place(name, PurePath(source).name),
        broken=tuple(sorted(broken, key=lambda one: one.name)),
        upsampled=listing.upsampled,
        others=others,
        left_out=(
            *leave_out("files of other kinds", filter(_is_other, found)),
            *leave_out("second images of a sample", second),
            *leave_out("images without a label", unlabelled),
            *leave_out("files under a path of another one", listing.doubled),
        ),
    )
    table = _with_labels(table, found_labels, classes, source)
    return replace(table, classes=(*table.classes, *sorted(set(others) - set(table.classes))))


def _without_images(
    found: Mapping[str, Any],
    fetch: Callable[[Any], bytes],
    labels: Iterable[str],
    names: Mapping[int, str],
) -> Counter[str]:
    """Return how many samples of each class have no image, or one of another kind."""
    count: Counter[str] = Counter()
    for name in labels:
        with suppress(OSError, ValueError, RecursionError):
            label = _label(name, fetch(found[name]))
            number = int(label) if label.isascii() and label.isdigit() else -1
            count[names.get(number, label)] += 1
    return count


def _by_key(found: Iterable[str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the image and the label of each key, by path, and the keys' other images."""
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    second: list[str] = []
    for name in found:
        key = _key(name)
        if is_image_name(name):
            if key in images:
                images[key], other = sorted((images[key], name), key=_likelihood)
                second.append(other)
            else:
                images[key] = name
        elif is_label_name(name) and (key not in labels or _rank(name) < _rank(labels[key])):
            labels[key] = name
    return images, labels, second


def _rank(name: str) -> int:
    return next(i for i, ending in enumerate(_LABELS) if name.lower().endswith(ending))


def _likelihood(name: str) -> tuple[int, bool, str]:
    """Return what sorts the images of a key, the one that is meant first."""
    words = name.rpartition("/")[2].lower().split(".")[1:-1]
    return len(words), not _IMAGES.intersection(words), name


def _key(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}"


def _place(name: str, source: str) -> str:
    shard, _, key = _key(name).rpartition("/")
    return f"{shard or source}#{key}"


def _label(name: str, data: bytes) -> str:
    """Return the text of a label's file."""
    if len(data) > MOST_LABEL:
        raise ValueError(f"more than {MOST_LABEL:,} bytes")
    text = data.decode("utf-8").strip()
    if name.lower().endswith(".json"):
        value = json.loads(text)
        fields = value if isinstance(value, dict) else {}
        value = next((fields[field] for field in _FIELDS if field in fields), None)
        if isinstance(value, list):
            raise ValueError("one class an image is needed; multi-label data is not supported")
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError("holds no whole number or text under 'label'")
        text = str(value).strip()
    if not text or len(text) > _LONGEST:
        raise ValueError(f"a class of 1 to {_LONGEST:,} characters is needed")
    return text


def _with_labels(
    table: Table, labels: Sequence[str], classes: Sequence[str] | None, source: str
) -> Table:
    """Return the table with its labels; numbers are the names of classes unless they have some."""
    own = sorted_classes(labels)
    numbers = {str(i): i for i in range(len(classes or ()))}
    if classes and all(name in numbers for name in own):
        place, names = numbers, tuple(classes)
    elif classes and all(name.isascii() and name.isdigit() for name in own):
        strange = next(name for name in own if name not in numbers)
        raise InputError(f"{source}: label {strange} is none of its {len(classes)} classes.")
    else:
        place, names = {name: i for i, name in enumerate(own)}, own
    positions = np.array([place[label] for label in labels], np.int64)
    return replace(table, labels=positions, classes=names)


def _is_other(name: str) -> bool:
    return not (is_image_name(name) or is_label_name(name))
