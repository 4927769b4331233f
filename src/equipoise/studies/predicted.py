"""Predictions made elsewhere: a table in, one `Outcome` a run out, and every mistake a line.

A row is what one run says of one image: `recipe`, `seed`, `split`, `id`, `label`, a column a class
(`logit_0`, `logit_1`, … or `p_0`, `p_1`, …) and, where the training images were drawn several times
or the data cut into folds, `draw`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from equipoise.errors import InputError, printable, reason
from equipoise.studies.trials import Outcome
from equipoise.training.predictions import Predictions, log_of

__all__ = ["read_predictions_table"]

_NEEDED = ("recipe", "seed", "split", "id", "label")
_SPLITS = {"validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
_SCORE = re.compile(r"(logit|p)_(0|[1-9][0-9]*)")
# How far the probabilities of a row may be from a sum of 1: tables are written with few digits.
_OFF = 0.02

RunKey = tuple[str, int, int]  # recipe, seed, draw


@dataclass(frozen=True)
class _Rows:
    """The rows of one file, checked one by one."""

    source: str
    recipe: NDArray[np.str_]
    seed: NDArray[np.int64]
    draw: NDArray[np.int64]
    split: NDArray[np.str_]
    id: NDArray[np.str_]
    label: NDArray[np.int64]
    logits: NDArray[np.float64]


def read_predictions_table(source: Any) -> list[Outcome]:
    """Return the runs of a table of predictions, in the order of their first rows.

    Parameters
    ----------
    source : path, sequence of paths, pyarrow.Table, pandas.DataFrame or mapping of columns
        A path is of a .csv or .parquet file; several make one table.

    Raises
    ------
    InputError
        In one line with file, column and row, for whatever is not as it should be.
    """
    parts = [_checked(name, table) for name, table in _tables(source)]
    classes = {part.logits.shape[1]: part.source for part in parts}
    if len(classes) > 1:
        (few, one), (many, other) = sorted(classes.items())[:2]
        raise InputError(f"{one} has predictions for {few} classes, but {other} for {many}.")
    rows = _joined(parts)
    runs = dict.fromkeys(
        zip(rows.recipe.tolist(), rows.seed.tolist(), rows.draw.tolist(), strict=True)
    )
    found = [_outcome(rows, run) for run in runs]
    _check_together(found)
    return found


def _tables(source: Any) -> Iterator[tuple[str, pa.Table]]:
    """Yield each table with what messages call it."""
    if isinstance(source, str | Path):
        yield str(source), _read(Path(source))
    elif isinstance(source, pa.Table):
        yield "the table", source
    elif isinstance(source, Mapping):
        try:
            yield "the table", pa.table(dict(source))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise InputError(f"The columns make no table: {reason(error)}.") from None
    elif hasattr(source, "columns") and hasattr(source, "index"):
        yield "the table", pa.Table.from_pandas(source, preserve_index=False)
    elif isinstance(source, Sequence) and source:
        for one in source:
            yield from _tables(one)
    else:
        raise InputError(
            "Predictions are a path of a .csv or .parquet file, a table or a mapping of columns, "
            f"but got {type(source).__name__}."
        )


def _read(path: Path) -> pa.Table:
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise InputError(f"{path} must be a .csv or a .parquet file of predictions.")
    # Names of recipes and ids that look like numbers are names all the same.
    names = {name: pa.string() for name in ("recipe", "split", "id")}
    options = pa.csv.ConvertOptions(column_types=names, strings_can_be_null=False)
    try:
        if kind == ".csv":
            return pa.csv.read_csv(path, convert_options=options)
        return pa.parquet.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from None


def _checked(source: str, table: pa.Table) -> _Rows:
    """Return a file's rows, each right by itself."""
    scores = _score_columns(source, table)
    if not len(table):
        raise InputError(f"{source} has no row.")
    splits = _texts(source, table, "split")
    for row, name in enumerate(splits):
        if name not in _SPLITS:
            raise _wrong(source, "split", row, "validation or test", name)
    label = _integers(source, table, "label")
    outside = np.flatnonzero((label < 0) | (label >= len(scores)))
    if len(outside):
        rule = f"from 0 to {len(scores) - 1}, as there are {len(scores)} classes"
        raise _wrong(source, "label", outside[0], rule, label[outside[0]])
    return _Rows(
        source,
        np.array(_texts(source, table, "recipe"), dtype=np.str_),
        _integers(source, table, "seed"),
        _integers(source, table, "draw")
        if "draw" in table.column_names
        else np.zeros(len(table), np.int64),
        np.array([_SPLITS[name] for name in splits], dtype=np.str_),
        np.array(_texts(source, table, "id"), dtype=np.str_),
        label,
        _logits(source, table, scores),
    )


def _score_columns(source: str, table: pa.Table) -> list[str]:
    """Return the columns of logits or probabilities, class by class."""
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{source} has two columns {printable(twice)!r}.")
    missing = [name for name in _NEEDED if name not in names]
    kinds: dict[str, set[int]] = {"logit": set(), "p": set()}
    for found in filter(None, map(_SCORE.fullmatch, names)):
        kinds[found[1]].add(int(found[2]))
    if missing or not any(kinds.values()):
        lacks = missing[0] if missing else "logit_0"
        raise InputError(
            f"{source} has no column {lacks!r}. Needed are {', '.join(_NEEDED)}, and logit_0, "
            "logit_1, … or p_0, p_1, …, one a class."
        )
    if all(kinds.values()):
        raise InputError(f"{source} has both logits and probabilities: leave one of them out.")
    kind = "logit" if kinds["logit"] else "p"
    classes = max(kinds[kind]) + 1
    absent = next((k for k in range(classes) if k not in kinds[kind]), None)
    if absent is not None:
        raise InputError(f"{source} has a column {kind}_{classes - 1}, but no {kind}_{absent}.")
    if classes < 2:
        raise InputError(
            f"{source} has one class, but at least two are needed: {kind}_0, {kind}_1."
        )
    return [f"{kind}_{k}" for k in range(classes)]


def _wrong(source: str, column: str, row: int, rule: str, got: object) -> InputError:
    shown = "nothing" if got is None else repr(printable(got))
    return InputError(f"{source}, column {column}, row {row + 1}: must be {rule}, but is {shown}.")


def _texts(source: str, table: pa.Table, column: str) -> list[str]:
    values = table[column].to_pylist()
    for row, value in enumerate(values):
        if value is None or value != value or value == "":
            raise _wrong(source, column, row, "given", None)
    # Whole numbers are names too, however they are kept.
    return [
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for value in values
    ]


def _integers(source: str, table: pa.Table, column: str) -> NDArray[np.int64]:
    chunks = table[column]
    if pa.types.is_integer(chunks.type) and not chunks.null_count:
        return chunks.to_numpy().astype(np.int64)
    values = _numbers(source, table, column, "a whole number")
    broken = np.flatnonzero(values != np.floor(values))
    if len(broken):
        raise _wrong(source, column, broken[0], "a whole number", values[broken[0]])
    return values.astype(np.int64)


def _numbers(
    source: str, table: pa.Table, column: str, rule: str = "a number"
) -> NDArray[np.float64]:
    chunks = table[column]
    try:
        values = np.asarray(chunks.cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException:
        for row, value in enumerate(chunks.to_pylist()):
            if not _is_number(value):
                raise _wrong(source, column, row, rule, value) from None
        raise InputError(f"{source}, column {column}: must hold numbers.") from None
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise _wrong(source, column, broken[0], rule, chunks[int(broken[0])].as_py())
    return values


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _logits(source: str, table: pa.Table, columns: list[str]) -> NDArray[np.float64]:
    scores = np.stack([_numbers(source, table, name) for name in columns], axis=1)
    if columns[0].startswith("logit"):
        return scores
    outside = np.argwhere((scores < 0) | (scores > 1 + _OFF))
    if len(outside):
        row, k = outside[0]
        raise _wrong(source, columns[k], row, "a probability, from 0 to 1", scores[row, k])
    sums = scores.sum(1)
    off = np.flatnonzero(np.abs(sums - 1) > _OFF)
    if len(off):
        raise InputError(
            f"{source}, row {off[0] + 1}: {columns[0]} to {columns[-1]} must sum to 1, but sum to "
            f"{sums[off[0]]:.4g}."
        )
    return log_of(scores)


def _joined(parts: Sequence[_Rows]) -> _Rows:
    columns = ("recipe", "seed", "draw", "split", "id", "label", "logits")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return _Rows(", ".join(dict.fromkeys(part.source for part in parts)), **whole)


def _outcome(rows: _Rows, run: RunKey) -> Outcome:
    recipe, seed, draw = run
    mine = (rows.recipe == recipe) & (rows.seed == seed) & (rows.draw == draw)
    parts = {name: _part(rows, np.flatnonzero(mine & (rows.split == name)), run, name)
             for name in ("test", "validation")}  # fmt: skip
    if parts["test"] is None:
        raise InputError(f"{rows.source}: {_in_words(run)} has no row of split test.")
    return Outcome(recipe, seed, draw, parts["test"], parts["validation"])


def _part(rows: _Rows, among: NDArray[np.intp], run: RunKey, split: str) -> Predictions | None:
    """Return the predictions of a run on a split, in the order of their ids."""
    if not len(among):
        return None
    names, first, count = np.unique(rows.id[among], return_index=True, return_counts=True)
    if count.max() > 1:
        twice = printable(names[count.argmax()])
        raise InputError(
            f"{rows.source}: {_in_words(run)} has id {twice!r} {count.max()} times in {split}."
        )
    chosen = among[first]
    return Predictions(rows.logits[chosen], rows.label[chosen], _numbered(names), names)


def _numbered(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return ids as numbers; those that are none are counted in their order."""
    try:
        return names.astype(np.int64)
    except ValueError:
        return np.arange(len(names))


def _in_words(run: RunKey) -> str:
    recipe, seed, draw = run
    of = f" draw {draw}" if draw else ""
    return f"recipe {printable(recipe)!r} seed {seed}{of}"


def _check_together(outcomes: Sequence[Outcome]) -> None:
    """Refuse runs that are not on the same images, or of which some have validation rows."""
    first = outcomes[0]
    recipes = list(dict.fromkeys(outcome.recipe for outcome in outcomes))
    if len(recipes) < 2:
        raise InputError(
            f"At least two recipes are needed, but there is only {printable(first.recipe)!r}."
        )
    leads: dict[int, Outcome] = {}
    for outcome in outcomes:
        lead = leads.setdefault(outcome.draw, outcome)
        if (outcome.validation is None) != (first.validation is None):
            has, lacks = (outcome, first) if outcome.validation is not None else (first, outcome)
            raise InputError(
                f"{_of(has)} has validation rows, but {_of(lacks)} has none: give them for all "
                "runs or for none."
            )
        _check_same(lead, outcome, "test")
        _check_same(lead, outcome, "validation")


def _check_same(one: Outcome, other: Outcome, split: str) -> None:
    mine, theirs = getattr(one, split), getattr(other, split)
    if mine is None:
        return
    apart = np.setxor1d(mine.names, theirs.names)
    if len(apart):
        has, lacks = (one, other) if np.isin(apart[0], mine.names) else (other, one)
        raise InputError(
            f"All runs must be on the same {split} images, but id {printable(apart[0])!r} is in "
            f"{_of(has)} and not in {_of(lacks)}."
        )
    differ = np.flatnonzero(mine.labels != theirs.labels)
    if len(differ):
        row = differ[0]
        raise InputError(
            f"An image has one label, but {split} id {printable(mine.names[row])!r} has "
            f"{mine.labels[row]} in {_of(one)} and {theirs.labels[row]} in {_of(other)}."
        )


def _of(outcome: Outcome) -> str:
    return _in_words((outcome.recipe, *outcome.key))
