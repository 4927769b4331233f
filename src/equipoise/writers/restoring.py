"""From a manifest back to the images it lists."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.engine import ENGINE_VERSION
from equipoise.errors import InputError, plural, printable
from equipoise.images import ImageSet, Splits
from equipoise.readers.lineage import hexadecimal
from equipoise.techniques import Technique, resolve
from equipoise.writers.manifest import READING, SCHEMA, Namer, clean, reading
from equipoise.writers.outputs import DUPLICATE, ORIGINAL, Outputs

__all__ = ["listed", "restore"]

_OF_SOURCES = ("generated", "group")
# Of each column of `READING`: what it is, and the options that set it.
_READING = {"range": ("16-bit range", "--range"), "sizing": ("size and fit", "--size and --fit")}
_PLAIN = {"original": ORIGINAL, "duplicate": DUPLICATE}


def restore(data: Splits, path: Path) -> tuple[Outputs, list[str]]:
    """Return what a manifest lists as outputs of `data`, and their paths.

    Raises
    ------
    InputError
        If the file is no manifest of this version, or a source is missing from the data, has
        changed, or bears another label.
    """
    table = _read(path)
    columns = {name: table[name].to_numpy() for name in ("source_id", "label", "copy", "epoch")}
    _check_reading(data, table, path)
    seeds = table["seed"].unique().to_pylist()
    if len(seeds) > 1 or columns["epoch"].any():
        raise InputError(f"{path} mixes runs: one seed and epoch 0 must hold.")
    names = list(data.parts)
    if unknown := set(table["split"].unique().to_pylist()) - set(names):
        raise InputError(
            f"{path}: split {printable(min(unknown))!r} is none of {', '.join(names)}."
        )
    split = _positions(table["split"].to_numpy(), names)
    source = _find(data, split, columns["source_id"], path)
    order = np.argsort(split, kind="stable")
    techniques, technique = _techniques(table, path)
    outputs = Outputs(
        data=data,
        techniques=techniques,
        seed=seeds[0],
        split=split[order].astype(np.int8),
        source=source[order],
        technique=technique[order],
        copy=columns["copy"][order],
    )
    table = table.take(order)
    _compare(outputs, table, path)
    return outputs, table["path"].to_pylist()


def _read(path: Path) -> pa.Table:
    """Read a manifest, whole or filtered, and check that this version makes the same bytes."""
    try:
        # These are told by the sources, and manifests of earlier versions do not say them.
        needed = pa.schema([field for field in SCHEMA if field.name not in _OF_SOURCES])
        there = pq.read_schema(path).names
        needed = pa.schema([*needed, *(field for field in READING if field.name in there)])
        table = pq.read_table(path, columns=needed.names).cast(needed)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}.") from None
    except (pa.ArrowException, ValueError) as error:
        raise InputError(f"{path} is no manifest: {' '.join(str(error).split())}") from None
    if not len(table) or any(column.null_count for column in table.columns):
        raise InputError(f"{path} is no manifest: it has no rows, or rows with gaps.")
    for version in table["version"].unique().to_pylist():
        if version.rpartition("+engine.")[2] != str(ENGINE_VERSION):
            raise InputError(
                f"{path} was made by version {printable(version)}, whose images differ from those "
                f"of this version's engine ({ENGINE_VERSION}). Install that version."
            )
    return table


def _check_reading(data: Splits, table: pa.Table, path: Path) -> None:
    """Refuse sources that are read by another range, size or fit: the copies would be others."""
    for name, now in reading(data).items():
        written = table[name].unique().to_pylist() if name in table.column_names else [""]
        if other := [text for text in written if text != now]:
            what, options = _READING[name]
            before = printable(other[0]) or "(none)"
            raise InputError(
                f"{path}: the {what} of its images was {before}, but it is {now or '(none)'} now. "
                f"Name the data set and {options} of the run that wrote it."
            )


def _positions(values: NDArray, known: Sequence[str]) -> NDArray[np.int64]:
    sorter = np.argsort(known)
    return sorter[np.searchsorted(np.asarray(known)[sorter], values.astype(str))]


def _find(data: Splits, split: NDArray, ids: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
    """The row of each source in its split."""
    rows = np.full(len(ids), -1, np.int64)
    for number, part in enumerate(data.parts.values()):
        mine = np.flatnonzero(split == number)
        rows[mine] = _rows_of(part, ids[mine])
    if len(lost := ids[rows < 0]):
        raise InputError(
            f"{path}: the data set lacks {plural(len(np.unique(lost)), 'source')} of it, such as "
            f"{lost[0]}. Name the data set, classes and selection of the run that wrote the "
            "manifest."
        )
    return rows


def _rows_of(part: ImageSet, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(part):
        return np.full(len(ids), -1, np.int64)
    order = np.argsort(part.ids, kind="stable")
    place = np.minimum(np.searchsorted(part.ids[order], ids), len(part) - 1)
    rows = order[place]
    return np.where(part.ids[rows] == ids, rows, -1)


def _techniques(table: pa.Table, path: Path) -> tuple[tuple[Technique, ...], NDArray[np.int16]]:
    """The techniques that a manifest names, and which of them made each row."""
    pairs = pc.binary_join_element_wise(table["technique"], table["parameters"], "\n")
    pairs = pairs.combine_chunks().dictionary_encode()
    techniques: list[Technique] = []
    numbers = []
    for name, parameters in (pair.split("\n", 1) for pair in pairs.dictionary.to_pylist()):
        if name in _PLAIN:
            numbers.append(_PLAIN[name])
        else:
            numbers.append(len(techniques))
            techniques.append(_technique(name, parameters, path))
    return tuple(techniques), np.array(numbers, np.int16)[pairs.indices.to_numpy()]


def _technique(name: str, parameters: str, path: Path) -> Technique:
    try:
        return resolve({name: json.loads(parameters)})
    except ValueError as error:
        raise InputError(f"{path}: {printable(error)}") from None


def _compare(outputs: Outputs, table: pa.Table, path: Path) -> None:
    """Refuse sources that are not what they were when the manifest was written."""
    rows = np.arange(len(outputs))
    labels = outputs.labels(rows)
    names = np.array([clean(name) for name in outputs.data.classes], object)[labels]
    if (labels != table["label"].to_numpy()).any() or (names != table["class"].to_numpy()).any():
        raise InputError(
            f"{path} has other classes or labels than the data set. Name the classes of the run "
            "that wrote it, in their order."
        )
    digests = np.array(hexadecimal(outputs.digests(rows)), object)
    changed = np.flatnonzero(digests != table["source_digest"].to_numpy())
    if len(changed):
        first = printable(table["path"][int(changed[0])].as_py())
        raise InputError(f"{path}: the source of {first} has changed since; it makes other bytes.")


def listed(outputs: Outputs, paths: list[str], path: Path) -> Namer:
    """Return the function from outputs to the paths that a manifest gives them in a folder.

    Raises
    ------
    InputError
        If one is no path that `upsample` writes: a manifest may come from anyone. Or if the copies
        are of another coding.
    """
    for place in paths:
        parts = place.split("/")
        fits = len(parts) > 1 and not any(part[:1] in ("", ".") for part in parts)
        if not (fits and place.isprintable() and not set(place) & set('<>:"\\|?*')):
            raise InputError(f"{path}: {printable(place)!r} is no path of an upsampled image.")
    for row in np.flatnonzero(outputs.technique >= 0).tolist():
        if not paths[row].endswith(outputs.coding.ending):
            raise InputError(
                f"{path}: {printable(paths[row])} is no {outputs.coding.name} file. Name the "
                "coding of copies, and its quality, of the run that wrote it."
            )
    if len(set(paths)) < len(paths):
        raise InputError(f"{path} lists a path twice.")
    return lambda rows: [paths[row] for row in rows.tolist()]
