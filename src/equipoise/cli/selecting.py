"""The options of `Selection` on the command line, and reading DATA as they say."""

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, replace
from functools import wraps
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli import show
from equipoise.errors import plural
from equipoise.selection import Selection
from equipoise.typed import columns_of, counts_of, names_of, size_of

if TYPE_CHECKING:
    from equipoise.images import Splits
    from equipoise.training import Trainer

__all__ = [
    "as_given",
    "note_few_steps",
    "note_more",
    "selected",
    "selected_for",
    "selects",
    "trainer_first",
]

_FEW = 100  # steps below which a net has hardly begun to learn
# What is written as text on the command line, by field.
_PARSED: dict[str, Callable[[str], Any]] = {
    "classes": names_of,
    "size": lambda text: size_of("--size", text),
    "take": lambda text: counts_of("--take", text),
    "columns": lambda text: columns_of("--columns", text),
}


def selects(
    *, without: tuple[str, ...] = (), cut: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `Selection` in the place of its parameter `selection`.

    Parameters
    ----------
    without : tuple of str
        Fields that the command has no option for.
    cut : bool
        The field of this name.
    """
    kept = [f for f in fields(Selection) if "help" in f.metadata and f.name not in without]
    names = [f.name for f in kept]

    def expand(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in names}
            asked = {
                name: _PARSED[name](value) if name in _PARSED else value
                for name, value in chosen.items()
                if value is not None
            }
            command(selection=Selection(**asked, cut=cut, seed=given.get("seed", 0)), **given)

        own = list(inspect.signature(command, eval_str=True).parameters.values())
        place = next(i for i, p in enumerate(own) if p.name == "selection")
        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for p in (*own[:place], *map(_parameter, kept), *own[place + 1 :])
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return expand


def _parameter(declared: Field[Any]) -> inspect.Parameter:
    """Return the option of a field; None stands for what was not given."""
    default, kind = declared.default, declared.metadata["kind"]
    option = typer.Option(*declared.metadata["names"], help=declared.metadata["help"])
    hint: Any = Annotated[kind | None if default is None else kind, option]
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
    )


def as_given(data: str, selection: Selection) -> str:
    """Return DATA and the options that a selection was given by, ready for another command."""
    words = [shlex.quote(data)]
    for declared in fields(Selection):
        value = getattr(selection, declared.name)
        if "help" not in declared.metadata or value in (declared.default, None):
            continue
        names = declared.metadata["names"] or (f"--{declared.name.replace('_', '-')}",)
        words.append(names[0])
        if value is not True:
            words.append(shlex.quote(_text(value)))
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={number}" for name, number in value.items())
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)


def selected(data: str, selection: Selection, *, quiet: bool) -> "Splits":
    """Return DATA, and print what is left out of it and what else is to be noted."""
    from equipoise.readers import read

    splits = read(data, selection)
    for line in () if quiet else (*(one.line for one in splits.left_out), *splits.notes):
        show.note(line)
    return splits


def selected_for(
    data: str,
    selection: Selection,
    trainer: str | Path | None,
    *,
    epochs: int | None,
    net: str | None,
    quiet: bool,
) -> tuple["Splits", "Trainer"]:
    """Return DATA at a trainer's size, and the trainer; without a name the pictures choose it."""
    from equipoise.training import get_trainer, large_side, with_trainer

    # Names are looked up before the data set is read: it may be large.
    if trainer is not None or net is not None:
        get_trainer(*(() if trainer is None else (trainer,)), epochs=epochs, net=net)
    splits = selected(data, replace(selection, large=large_side(trainer, net)), quiet=quiet)
    return with_trainer(splits, trainer, epochs=epochs, net=net)


def trainer_first(
    data: "Splits", how: "Trainer", progress: Callable[..., None], *, quiet: bool
) -> Callable[..., None]:
    """Return `progress`, before which the note on the trainer is told once the work has begun.

    Not earlier: a mistake that is found before it is told in one line.
    """
    start = f"Trainer {how.name} "
    left = [] if quiet else [line for line in data.notes if line.startswith(start)]

    def report(*told: Any) -> None:
        while left:
            show.note(left.pop())
        progress(*told)

    return report


def note_more(left_out: Sequence[Mapping[str, Any]], data: "Splits") -> None:
    """Tell what is left out beyond DATA itself: of a recipe's `extra` folder."""
    from equipoise.images import LeftOut

    for one in left_out[len(data.left_out) :]:
        show.note(LeftOut(one["reason"], one["count"], tuple(one["names"])).line)


def note_few_steps(data: "Splits", trainer: "Trainer", equal: str) -> None:
    """Tell where a small data set makes so few steps of a trainer's epochs that nets stay raw."""
    from equipoise.training import budget

    planned = budget(data.train.labels, trainer, equal=equal)
    if planned.steps < _FEW:
        enough = ceil(_FEW / planned.steps_per_epoch)
        show.note(
            f"In {plural(planned.epochs, 'epoch')} this set makes {plural(planned.steps, 'step')}, "
            "few for a net: "
            f"--epochs {enough} makes {enough * planned.steps_per_epoch}"
        )
