"""Parquet: one file, or a folder of them as Hugging Face lays them out.

An image column (a struct of `bytes` and `path`, or plain binary), a label column (class numbers,
whose names stand in the schema's metadata, or text) and, if wanted, `split` and `group`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, reason
from equipoise.images import leave_out
from equipoise.readers.columns import LONGEST, as_splits, asked_column, is_sure, open_parquet, usual
from equipoise.readers.folder import has_shards, shards
from equipoise.readers.layout import is_image_name
from equipoise.readers.manifests import COMMENT
from equipoise.readers.rows import Block, Rows, blocks_of
from equipoise.readers.table import Files, Table, place_in, sorted_classes, stamp
from equipoise.selection import Selection

__all__ = ["is_parquet", "read_parquet"]

_IMAGES = ("image", "img", "picture", "jpg", "png", "bytes")
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

    `leaf` holds the images' bytes; `path` their names; `split` and `group` are columns, too, or
    empty; `sure` tells whether that of the split certainly is one. `classes` are the names of the
    class numbers, None where labels name the classes themselves.
    """

    leaf: str
    path: str
    label: str
    split: str
    sure: bool
    group: str
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class _Part:
    """The rows of one file; a row without a label has the label None."""

    file: str
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
    files = [(path.name, "train")]
    if folder:
        files = shards(path, ".parquet", follow_links=selection.follow_links)
    places = [str(path / name) if folder else str(path) for name, _ in files]
    layout: _Layout | None = None
    parts, upsampled = [], ""
    for number, ((name, split), place) in enumerate(zip(files, places, strict=True)):
        try:
            with open_parquet(place) as file:
                found = _layout(file.schema_arrow, place, selection.columns)
                if layout not in (None, found):
                    raise InputError(f"{place}: other columns or classes than the files before it.")
                layout, part = found, _part(file, found, (place, number, name), split)
                if (file.schema_arrow.metadata or {}).get(b"equipoise") == COMMENT.encode():
                    upsampled = place
        except InputError:
            raise
        except (pa.ArrowException, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{place}: damaged, or no Parquet file ({reason(error)}).") from None
        parts.append(part)
    assert layout is not None
    stamps = tuple(stamp(place) for place in places)
    table = _table(path, layout, parts, (tuple(places), stamps), selection.most_bytes)
    return replace(table, upsampled=upsampled)


def _part(file: pq.ParquetFile, layout: _Layout, where: tuple[str, int, str], split: str) -> _Part:
    """Read all of a file but its images; `where` is its place, number and name."""
    place, number, name = where
    leaves = filter(None, (layout.label, layout.split, layout.group, layout.path))
    read = file.read(columns=list(dict.fromkeys(leaves)))
    blocks = list(blocks_of(file, number, layout.leaf))
    count = read.num_rows
    if sum(block.rows for block in blocks) != count:
        raise ValueError("its row groups are not what its description says")
    splits = np.full(count, split)
    if layout.split and (layout.sure or _is_text(read[layout.split].type)):
        words = _words(read[layout.split], "split", place).tolist()
        splits = as_splits([word or "" for word in words], layout.sure, place, split)
    paths = pc.struct_field(read[layout.path[:-5]], "path").to_pylist() if layout.path else []
    return _Part(
        file=name,
        names=_names(name, paths, count),
        labels=_labels(read[layout.label], layout.classes, place),
        splits=splits,
        groups=_groups(read[layout.group], place) if layout.group else None,
        blocks=blocks,
    )


def _layout(schema: pa.Schema, place: str, asked: Mapping[str, str] | None) -> _Layout:
    """Find the columns: those asked for, or by Hugging Face's description or type and name."""
    names = schema.names
    if len(set(names)) < len(names):
        raise InputError(f"{place}: two columns of one name; give each its own.")
    features = _features(schema)
    of_kind = {n: f.get("_type") for n, f in features.items() if isinstance(f, dict)}
    image = asked_column("image", asked, names, place) or asked_column("path", asked, names, place)
    images = [n for n in ([image] if image else names) if _image_leaf(schema.field(n))]
    image = _chosen(
        [n for n in images if of_kind.get(n) == "Image"] or images, _IMAGES, "image", place, schema
    )
    label = asked_column("label", asked, names, place)
    if label is None:
        known = [n for n in names if of_kind.get(n) == "ClassLabel"]
        usually = usual("label", names)
        # Of two columns, the one beside the images is of labels.
        others = [n for n in names if n != image] if len(names) == 2 else []
        label = _chosen(
            known or ([usually] if usually else others), (usually or "",), "label", place, schema
        )
    inner = schema.field(image).type
    named = pa.types.is_struct(inner) and inner.get_field_index("path") >= 0
    with_names = of_kind.get(label) == "ClassLabel"
    roles = {r: asked_column(r, asked, names, place) or usual(r, names) for r in ("split", "group")}
    return _Layout(
        leaf=_image_leaf(schema.field(image)),
        path=f"{image}.path" if named and _is_text(inner.field("path").type) else "",
        label=label,
        split=roles["split"] or "",
        sure=is_sure("split", roles["split"] or "", asked),
        group=roles["group"] or "",
        classes=_class_names(features.get(label), place) if with_names else None,
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
        raise InputError(
            f"{place}: several {kind} columns ({there}); call the one to use {kind}, or say "
            f"--columns {kind}={printable(found[0])}."
        )
    wanted = {"image": "image (bytes and path, or plain binary)", "label": "label"}[kind]
    raise InputError(
        f"{place}: a column {wanted} is needed, but there is: {there or 'none'}. Columns of other "
        "names are told by --columns image=photo,label=breed."
    )


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
    if pa.types.is_floating(kind):  # what pandas makes of whole numbers where some are missing
        column, kind = _whole(column, name, place), pa.int64()
    if not any(f(kind) for f in (_is_text, pa.types.is_integer, pa.types.is_boolean)):
        raise InputError(f"{place}: {name} must be text or whole numbers, but got {kind}.")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    # Few different texts in many rows: each is one object.
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = pa.concat_arrays(coded.unify_dictionaries().chunks)
    values = [None if one is None else str(one) for one in coded.dictionary.to_pylist()]
    if long := [one for one in values if one is not None and len(one) > LONGEST]:
        raise InputError(f"{place}: {name} of more than {LONGEST:,} characters: {long[0][:40]!r}.")
    table = np.array([*values, None], object)
    return table[coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)]


def _whole(column: pa.ChunkedArray, name: str, place: str) -> pa.ChunkedArray:
    """Return floating-point numbers that are whole as integers; NaN is null."""
    known = pc.if_else(pc.is_nan(column), None, column)
    if pc.any(pc.not_equal(known, pc.round(known))).as_py():
        raise InputError(f"{place}: {name} must be text or whole numbers, but some are fractions.")
    return known.cast(pa.int64())


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
    starts_of_files = np.cumsum([0, *(len(part.names) for part in parts)]).tolist()
    labels = np.concatenate([part.labels for part in parts])
    kept = np.flatnonzero([label is not None for label in labels])
    if not len(kept):
        raise InputError(f"{path}: holds no {'labels' if names else 'rows'}.")
    fetch = Rows(*files, layout.leaf, tuple(starts), tuple(blocks), most_bytes)
    classes = layout.classes or sorted_classes(labels[kept].tolist())
    place = {name: label for label, name in enumerate(classes)}
    unlabelled = np.setdiff1d(np.arange(len(labels)), kept)
    with_groups = [part.groups for part in parts if part.groups is not None]
    return Table(
        names=_with_endings(names, fetch),
        labels=np.array([place.get(label, -1) for label in labels.tolist()], np.int64),
        classes=classes,
        splits=np.concatenate([part.splits for part in parts]),
        ids=np.arange(len(labels), dtype=np.int64),
        pixels=Files(fetch, range(len(labels))),
        groups=np.concatenate(with_groups) if with_groups else None,
        place=partial(place_in, [f"{part.file}#" for part in parts], starts_of_files),
        left_out=leave_out("rows without a label", (names[row] for row in unlabelled)),
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
