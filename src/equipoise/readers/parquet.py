"""Parquet: one file, or a folder of them as Hugging Face lays them out.

An image column (a struct of `bytes` and `path`, or plain binary), a label column (class numbers,
whose names stand in the schema's metadata, or text) and, if wanted, `split` and `group`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, reason
from equipoise.readers.layout import SPLITS, is_image_name
from equipoise.readers.rows import Block, Rows, blocks_of, open_file
from equipoise.readers.shards import has_shards, shards
from equipoise.readers.table import Files, Table, sorted_classes, stamp
from equipoise.selection import Selection

__all__ = ["is_parquet", "read_parquet"]

_IMAGES = ("image", "img", "picture", "jpg", "png", "bytes")
_LABELS = ("label", "labels", "class", "target", "category")
_LONGEST = 1024  # characters of a class or group
_LONGEST_NAME = 255  # of a file

_ENDINGS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"GIF8": ".gif",
}


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what; equal in all files of a data set.

    `leaf` holds the images' bytes; `path` their names, or is empty. `classes` are the names of the
    class numbers, None where labels name the classes themselves.
    """

    leaf: str
    path: str
    label: str
    split: bool
    group: bool
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class _Part:
    """The rows of one file; a row without a label has the label None."""

    names: list[str]
    labels: NDArray[np.object_]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_] | None
    blocks: list[Block]


def is_parquet(folder: Path) -> bool:
    """Whether a folder is a data set of Parquet files, other than our own manifest."""
    return has_shards(folder, ".parquet")


def read_parquet(path: Path, selection: Selection = Selection()) -> Table:
    """List the rows of a .parquet file or a folder of them; an id is a row's number.

    A file's split is its column `split`, or else, in a folder, the split that its name begins
    with. Rows without a label (null or -1) are left out.
    """
    folder = path.is_dir()
    files = shards(path, ".parquet") if folder else [(path.name, "train")]
    places = [str(path / name) if folder else str(path) for name, _ in files]
    layout: _Layout | None = None
    parts = []
    for number, ((name, split), place) in enumerate(zip(files, places, strict=True)):
        try:
            layout, part = _file(place, number, name, split, layout)
        except InputError:
            raise
        except (pa.ArrowException, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{place}: damaged, or no Parquet file ({reason(error)}).") from None
        parts.append(part)
    assert layout is not None
    stamps = tuple(stamp(place) for place in places)
    return _table(path, layout, parts, (tuple(places), stamps), selection.most_bytes)


def _file(
    place: str, number: int, name: str, split: str, known: _Layout | None
) -> tuple[_Layout, _Part]:
    """Read all of a file but its images."""
    with open_file(place) as file:
        layout = _layout(file.schema_arrow, place)
        if known is not None and layout != known:
            raise InputError(f"{place}: other columns or classes than the files before it.")
        leaves = [layout.label, *(n for n in ("split", "group") if getattr(layout, n))]
        read = file.read(columns=leaves + ([layout.path] if layout.path else []))
        blocks = list(blocks_of(file, number, layout.leaf))
    count = read.num_rows
    if sum(block.rows for block in blocks) != count:
        raise ValueError("its row groups are not what its description says")
    splits = _splits(read["split"], place) if layout.split else np.full(count, split)
    paths = pc.struct_field(read[layout.path[:-5]], "path").to_pylist() if layout.path else []
    return layout, _Part(
        names=_names(name, paths, count),
        labels=_labels(read[layout.label], layout.classes, place),
        splits=splits,
        groups=_groups(read["group"], place) if layout.group else None,
        blocks=blocks,
    )


def _layout(schema: pa.Schema, place: str) -> _Layout:
    """Find the columns, by Hugging Face's description of them or by type and name."""
    if len(set(schema.names)) < len(schema.names):
        raise InputError(f"{place}: two columns of one name; give each its own.")
    features = _features(schema)
    of_kind = {n: f.get("_type") for n, f in features.items() if isinstance(f, dict)}
    images = [n for n in schema.names if _image_leaf(schema.field(n))]
    image = _chosen(
        [n for n in images if of_kind.get(n) == "Image"] or images, _IMAGES, "image", place, schema
    )
    labels = [n for n in schema.names if of_kind.get(n) == "ClassLabel"]
    label = _chosen(
        labels or [n for n in schema.names if n in _LABELS], _LABELS, "label", place, schema
    )
    inner = schema.field(image).type
    named = pa.types.is_struct(inner) and inner.get_field_index("path") >= 0
    return _Layout(
        leaf=_image_leaf(schema.field(image)),
        path=f"{image}.path" if named and _is_text(inner.field("path").type) else "",
        label=label,
        split="split" in schema.names,
        group="group" in schema.names,
        classes=_class_names(features.get(label), place) if label in labels else None,
    )


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Return Hugging Face's description of the columns, empty where there is none."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(text)["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _class_names(feature: Any, place: str) -> tuple[str, ...] | None:
    names = feature.get("names")
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{place}: the names of its classes must be a list of text.")
    if len(set(names)) < len(names):
        raise InputError(f"{place}: two of its classes have one name.")
    return tuple(names)


def _image_leaf(field: pa.Field) -> str:
    """Return the leaf that holds bytes of images, or nothing."""
    if _is_bytes(field.type):
        return field.name
    inside = pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
    return f"{field.name}.bytes" if inside and _is_bytes(field.type.field("bytes").type) else ""


def _chosen(
    found: Sequence[str], usual: Sequence[str], kind: str, place: str, schema: pa.Schema
) -> str:
    """Return the one column of a kind, or the one that bears its usual name."""
    named = [name for name in usual if name in found]
    if len(found) == 1 or named:
        return named[0] if named else found[0]
    there = printable(", ".join(found or schema.names))
    if found:
        raise InputError(f"{place}: several {kind} columns ({there}); call the one to use {kind}.")
    wanted = {"image": "image (bytes and path, or plain binary)", "label": "label"}[kind]
    raise InputError(f"{place}: a column {wanted} is needed, but there is: {there or 'none'}.")


def _is_bytes(kind: pa.DataType) -> bool:
    return any(f(kind) for f in (pa.types.is_binary, pa.types.is_large_binary))


def _is_text(kind: pa.DataType) -> bool:
    return any(f(kind) for f in (pa.types.is_string, pa.types.is_large_string))


def _words(column: pa.ChunkedArray, name: str, place: str) -> NDArray[np.object_]:
    """Return a column of text or whole numbers as text; None where it is null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return np.full(len(column), None)
    if pa.types.is_nested(kind):
        hint = " Multi-label data is not supported." if name == "label" else ""
        raise InputError(f"{place}: one {name} an image is needed, but got {kind}.{hint}")
    if not any(f(kind) for f in (_is_text, pa.types.is_integer, pa.types.is_boolean)):
        raise InputError(f"{place}: {name} must be text or whole numbers, but got {kind}.")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    # Few different texts in many rows: each is one object.
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = pa.concat_arrays(coded.unify_dictionaries().chunks)
    values = [None if one is None else str(one) for one in coded.dictionary.to_pylist()]
    if long := [one for one in values if one is not None and len(one) > _LONGEST]:
        raise InputError(f"{place}: {name} of more than {_LONGEST:,} characters: {long[0][:40]!r}.")
    table = np.array([*values, None], object)
    return table[coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)]


def _labels(
    column: pa.ChunkedArray, classes: tuple[str, ...] | None, place: str
) -> NDArray[np.object_]:
    found = _words(column, "label", place)
    if classes is None:
        found[found == ""] = None
        return found
    if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        raise InputError(f"{place}: class numbers were expected, but label is {column.type}.")
    names: dict[str | None, str | None] = {str(i): name for i, name in enumerate(classes)}
    names |= {"-1": None, None: None}
    if strange := [label for label in set(found.tolist()) if label not in names]:
        raise InputError(f"{place}: label {strange[0]} is none of its {len(classes)} classes.")
    return np.array([names[label] for label in found.tolist()], object)


def _splits(column: pa.ChunkedArray, place: str) -> NDArray[np.str_]:
    found = _words(column, "split", place)
    if strange := [s for s in set(found.tolist()) if s is None or s.lower() not in SPLITS]:
        raise InputError(
            f"{place}: split must be train, validation or test, but got {printable(strange[0])!r}."
        )
    return np.array([SPLITS[split.lower()] for split in found.tolist()], "U10")


def _groups(column: pa.ChunkedArray, place: str) -> NDArray[np.str_]:
    found = _words(column, "group", place)
    empty = np.flatnonzero([one is None or one == "" for one in found])
    if len(empty):
        raise InputError(f"{place}: row {empty[0]} has no group.")
    return found.astype(np.str_)


def _names(file: str, paths: list[str | None], count: int) -> list[str]:
    """Name rows by their images' own names where each has one; otherwise by their numbers."""
    own = [(path or "").replace("\\", "/").rpartition("/")[2].replace("\0", "") for path in paths]
    whole = all(is_image_name(name) and len(name) <= _LONGEST_NAME for name in own)
    if count and whole and len(set(own)) == count:
        return [f"{file}/{name}" for name in own]
    return [f"{file}/{row:05d}" for row in range(count)]


def _table(
    path: Path,
    layout: _Layout,
    parts: list[_Part],
    files: tuple[tuple[str, ...], tuple[Any, ...]],
    most_bytes: int,
) -> Table:
    names = [name for part in parts for name in part.names]
    blocks = [block for part in parts for block in part.blocks]
    starts = np.cumsum([0, *(block.rows for block in blocks)])[:-1].tolist()
    labels = np.concatenate([part.labels for part in parts])
    kept = np.flatnonzero([label is not None for label in labels])
    if not len(kept):
        raise InputError(f"{path}: holds no {'labels' if names else 'rows'}.")
    fetch = Rows(*files, layout.leaf, tuple(starts), tuple(blocks), most_bytes)
    classes = layout.classes or sorted_classes(labels[kept].tolist())
    place = {name: label for label, name in enumerate(classes)}
    left = len(labels) - len(kept)
    with_groups = [part.groups for part in parts if part.groups is not None]
    return Table(
        names=_with_endings(names, fetch),
        labels=np.array([place.get(label, -1) for label in labels.tolist()], np.int64),
        classes=classes,
        splits=np.concatenate([part.splits for part in parts]),
        ids=np.arange(len(labels), dtype=np.int64),
        pixels=Files(fetch, range(len(labels))),
        groups=np.concatenate(with_groups) if with_groups else None,
        notes=(f"{left:,} row{'s'[: left != 1]} without a label left out",) if left else (),
    ).pick(kept)


def _with_endings(names: list[str], fetch: Rows) -> NDArray[np.str_]:
    """Give nameless rows the ending of the first image's format, for writers to go by."""
    if not is_image_name(names[0]):
        try:
            start = fetch(0)[:4]
        except OSError:
            start = b""
        ending = next((e for magic, e in _ENDINGS.items() if start.startswith(magic)), ".png")
        names = [name if is_image_name(name) else name + ending for name in names]
    return np.array(names)
