"""Dataclasses as options on the command line, and reading DATA as they say."""

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass, replace
from functools import wraps
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from equipoise.cli import show
from equipoise.cli.options import Training
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
    """Give a command the options of a dataclass in the place of each parameter that is one.

    Parameters
    ----------
    without : tuple of str
        Fields of `Selection` that the command has no option for.
    cut : bool
        The field of this name.
    """

    def expand(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        kinds: dict[str, Any] = {p.name: p.annotation for p in own if is_dataclass(p.annotation)}
        options = {
            name: [option for option in _options(kind) if option.name not in without]
            for name, kind in kinds.items()
        }

        @wraps(command)
        def run(**given: Any) -> None:
            seed = given.get("seed", 0)
            asked = {name: {o.name: given.pop(o.name) for o in of} for name, of in options.items()}
            for name, fields_of in asked.items():
                if kinds[name] is Selection:
                    fields_of = {**_parsed(fields_of), "cut": cut, "seed": seed}
                given[name] = kinds[name](**fields_of)
            command(**given)

        parameters = [
            option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for p in own
            for option in options.get(p.name, [p])
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return expand


def _options(kind: Any) -> list[inspect.Parameter]:
    """Return the options of a dataclass; None stands for what was not given."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            declared.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=declared.default,
            annotation=_declared(declared) if "help" in declared.metadata else hints[declared.name],
        )
        for declared in fields(kind)
        if kind is not Selection or "help" in declared.metadata
    ]


def _declared(field: Field[Any]) -> Any:
    """Return the annotation of a field of `Selection`, which knows no typer."""
    kind = field.metadata["kind"]
    option = typer.Option(*field.metadata["names"], help=field.metadata["help"])
    return Annotated[kind | None if field.default is None else kind, option]


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _PARSED[name](value) if name in _PARSED else value
        for name, value in given.items()
        if value is not None
    }


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
    words += [f"--seed {selection.seed}"] if selection.seed else []  # it cuts the splits
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
    data: str, selection: Selection, training: Training, *, quiet: bool
) -> tuple["Splits", "Trainer"]:
    """Return DATA at a trainer's size, and the trainer; without a name the pictures choose it."""
    from equipoise.training import check_words, get_trainer, large_side, with_trainer

    # Names are looked up before the data set is read: it may be large.
    check_words(equal=training.equal, device=training.device)
    spec, named = training.trainer, {"net": training.net, "backbone": training.backbone}
    if spec is not None or any(named.values()):
        get_trainer(spec, epochs=training.epochs, **named)
    splits = selected(data, replace(selection, large=large_side(spec, **named)), quiet=quiet)
    return with_trainer(splits, spec, epochs=training.epochs, **named)


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
