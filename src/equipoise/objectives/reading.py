"""An objective from words: the options of the command line, and files of costs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, require, unknown
from equipoise.files import read_yaml
from equipoise.objectives.objective import COST, COSTS_LIKE, DEFAULT, Objective
from equipoise.typed import number_of

__all__ = ["ObjectiveLike", "get_objective"]

# A figure's name, what `Objective.to_json` gave, or an objective.
ObjectiveLike = str | Mapping[str, Any] | Objective

_FIELDS = ("figure", "at_least", "costs")


def get_objective(
    given: ObjectiveLike | None = None,
    *,
    at_least: Sequence[str] = (),
    costs: str | None = None,
) -> Objective:
    """Return an objective from any of its forms, or from the words of the command line.

    Parameters
    ----------
    given : str, mapping or Objective, optional
        By default 'cost' where there are costs, else 'balanced_accuracy'.
    at_least : sequence of str
        Floors: 'cat.recall=0.9'; several in one are parted by commas.
    costs : str, optional
        'dog:cat=5,cat:dog=1', true:predicted, or a .yaml or .csv file: a mapping of mappings, or
        a table with the true classes in its first column and the predicted ones in its head.

    Raises
    ------
    InputError
        If a word is not right.
    """
    if isinstance(given, Objective):
        return given
    if isinstance(given, Mapping):
        for key in given:
            if key not in _FIELDS:
                raise unknown("field of an objective", key, _FIELDS)
        for key, like in (("at_least", "figures to floors"), ("costs", "true classes to costs")):
            require(isinstance(given.get(key, {}), Mapping), f"{key} from {like}", **given)
        return Objective(**given)
    table = {} if costs is None else _costs_of(costs)
    return Objective(given or (COST if table else DEFAULT), _floors_of(at_least), table)


def _floors_of(words: Sequence[str]) -> dict[str, float]:
    floors: dict[str, float] = {}
    for part in (part.strip() for word in words for part in word.split(",") if part.strip()):
        name, mark, number = part.rpartition("=")
        least = _number(number)
        if not mark or least is None or name.strip() in floors:
            raise InputError(
                f"--at-least is written cat.recall=0.9 (each figure once), but got {part!r}."
            )
        floors[name.strip()] = least
    return floors


def _costs_of(words: str) -> dict[str, dict[str, float]]:
    path = Path(words)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _table(read_yaml(path, "a mapping for each true class, of predicted to cost"), path)
    if path.suffix.lower() == ".csv":
        return _table(_read_csv(path), path)
    table: dict[str, dict[str, float]] = {}
    for part in (part.strip() for part in words.split(",") if part.strip()):
        pair, mark, number = part.rpartition("=")
        true, colon, said = (word.strip() for word in pair.partition(":"))
        cost = _number(number)
        if not mark or not colon or cost is None or said in table.get(true, {}):
            raise InputError(f"--costs is written {COSTS_LIKE}, but got {part!r}.")
        table.setdefault(true, {})[said] = cost
    if not table:
        raise InputError(f"--costs is written {COSTS_LIKE}, but got {words!r}.")
    return table


def _read_csv(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    for row in rows:
        require(len(row) == len(head), f"rows as long as the head in {path}", row=row)
    for names in (head[1:], [row[0] for row in rows]):
        require(len({*names}) == len(names), f"each class once in {path}", classes=names)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def _table(found: Mapping[Any, Any], path: Path) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {}
    for true, row in found.items():
        if not isinstance(row, Mapping):
            raise InputError(f"{path} must hold costs of predicted classes for {true!r}.")
        for said, number in row.items():
            cost = _number(number)
            if cost is None:
                raise InputError(f"{path}: the cost {true}:{said} is {number!r}, not a number.")
            table.setdefault(str(true), {})[str(said)] = cost
    if not table:
        raise InputError(f"{path} holds no costs.")
    return table


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return number_of(value.strip())
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
