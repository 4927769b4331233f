"""What is searched, as data: dimensions, each with a few named choices.

A choice says which fields of the recipe, or of the trainer, it sets; a dimension may be open only
under certain choices of others. Adding a measure to the search is adding a line here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from equipoise.errors import InputError, unknown
from equipoise.files import read_yaml
from equipoise.recipes import NAMED, Recipe, validation_line
from equipoise.techniques import CATALOGUE
from equipoise.training import Trainer

__all__ = [
    "RECIPES",
    "Dimension",
    "Space",
    "choose",
    "locate",
    "read_space",
    "recipe_of",
    "trainer_dimensions",
    "trainer_of",
]

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Dimension:
    """One thing that can be chosen.

    Attributes
    ----------
    name : str
    choices : dict
        From the name of a choice to the fields that it sets; the first is the usual one.
    when : dict
        From the name of an earlier dimension to those of its choices under which this one is open.
    of : {'recipe', 'trainer'}
        Whose fields these are.
    """

    name: str
    choices: Mapping[str, Fields]
    when: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of: Literal["recipe", "trainer"] = "recipe"

    def open(self, chosen: Mapping[str, str]) -> bool:
        """Whether there is something to choose, given what was chosen before."""
        return all(chosen.get(name) in allowed for name, allowed in self.when.items())


Space = tuple[Dimension, ...]


def _at(magnitude: float, *names: str) -> list[dict[str, dict[str, Any]]]:
    """Return techniques at a magnitude from 0 (no change) to 1."""
    return [{name: CATALOGUE[name].at(magnitude)} for name in names]


def _fresh(*techniques: Any) -> Fields:
    return {"techniques": techniques, "augmentation": "fresh", "scope": "all"}


# The name of a trainer with searched fields.
_SEARCHED = "searched"

_HALF_FLIP = {"flip": {"probability": 0.5}}
_GEOMETRY = ("rotate", "translate", "shear", "zoom")
_COLOUR = ("brightness", "contrast", "gamma")
_LATE = {"defer": 0.8}

_AUGMENT: dict[str, Fields] = {
    "clean": {},
    "flip": _fresh("flip"),
    "article": _fresh("crop", "flip", "noise"),
    "geometry": _fresh("rotate", "translate", "shear", "zoom"),
    "geometry-mild": _fresh(*_at(0.25, *_GEOMETRY)),
    "colour": _fresh(*_COLOUR),
    "colour-mild": _fresh(*_at(0.25, *_COLOUR)),
    "chain": _fresh({"chain": {"techniques": [_HALF_FLIP, "translate", "zoom", "brightness"]}}),
    "chain-erase": _fresh({"chain": {"techniques": [_HALF_FLIP, "translate", "erase"]}}),
    "erase": _fresh("erase"),
    "trivial": _fresh("trivial"),
    "trivial-mild": _fresh({"trivial": {"magnitude": 0.5}}),
    "trivial-erase": _fresh("trivial", "erase"),
}
_TECHNIQUES = tuple(name for name in _AUGMENT if name != "clean")

# What is done about the imbalance, how images are augmented, and whether they are mixed. Weights,
# margins and priors go with natural draws alone: with balanced ones they have nothing to correct.
RECIPES: Space = (
    Dimension(
        "balance",
        {
            "natural": {},
            "copies": {"strategy": "auto"},
            "resample": {"draws": "balanced"},
            "drs": {"draws": "balanced", **_LATE},
            "square-root": {"draws": "square_root"},
            "progressive": {"draws": "progressive"},
            "undersample": {"undersample": "auto"},
        },
    ),
    Dimension(
        "loss",
        {
            "cross-entropy": {},
            "weights": {"loss": "weighted"},
            "effective-number": {"loss": "effective_number"},
            "drw": {"loss": "effective_number", **_LATE},
            "balanced-softmax": {"loss": "balanced_softmax"},
            "logit-adjusted": {"loss": "logit_adjusted"},
            "focal": {"loss": "focal"},
            "ldam": {"loss": "ldam"},
            "ldam-drw": {"loss": "ldam", **_LATE},
        },
        when={"balance": ("natural",)},
    ),
    Dimension("augment", _AUGMENT),
    Dimension(
        "made",
        {"fresh": {}, "once": {"augmentation": "static"}},
        when={"balance": ("copies",), "augment": _TECHNIQUES},
    ),
    Dimension(
        "scope",
        {"all": {}, "minority": {"scope": "minority"}},
        when={"balance": ("copies", "resample"), "augment": _TECHNIQUES},
    ),
    Dimension(
        "mixing",
        {
            "unmixed": {},
            "mixup": {"mixing": "mixup"},
            "cutmix": {"mixing": "cutmix"},
            "cmo": {"mixing": "cmo"},
        },
    ),
)


def trainer_dimensions(trainer: Trainer) -> Space:
    """Return the trainer fields that are searched: its own values first, and a few about them."""
    rate, size = trainer.learning_rate, trainer.batch_size
    values: dict[str, Sequence[Any]] = {
        "learning_rate": (rate, min(10.0, 3 * rate), rate / 3),
        "weight_decay": (trainer.weight_decay, 0.0, 5e-4, 5e-3),
        "label_smoothing": (trainer.label_smoothing, 0.0, 0.1),
        "ema": (trainer.ema, None, 0.99),
        "batch_size": (size, 2 * size, max(2, size // 2)),
        "flip": (trainer.flip, "none", "alternating"),
        "schedule": (trainer.schedule, "constant", "one_cycle"),
    }
    return tuple(_of_values(name, among, "trainer") for name, among in values.items())


def _of_values(name: str, values: Sequence[Any], of: Literal["recipe", "trainer"]) -> Dimension:
    """Return a dimension whose choices are values of one field, each once, in order."""
    named = [(_word(value), value) for value in values]
    return Dimension(name, {word: {name: value} for word, value in named}, of=of)


def _word(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def choose(space: Space, ask: Callable[[str, list[str]], str]) -> dict[str, str]:
    """Return a choice for every open dimension; `ask` picks one of the names of a dimension's."""
    chosen: dict[str, str] = {}
    for dimension in space:
        if dimension.open(chosen):
            chosen[dimension.name] = ask(dimension.name, list(dimension.choices))
    return chosen


def recipe_of(space: Space, chosen: Mapping[str, str]) -> Recipe:
    """Return the recipe that the choices make; a named one by its name."""
    fields = _fields(space, chosen, "recipe")
    recipe = _checked(Recipe, {"name": _name(space, chosen), **fields})
    mine = _plain(recipe)
    return next((named for named in NAMED.values() if _plain(named) == mine), recipe)


def trainer_of(space: Space, chosen: Mapping[str, str], trainer: Trainer) -> Trainer:
    """Return a trainer with the chosen fields in the place of its own."""
    found = _checked(Trainer, {**trainer.model_dump(), **_fields(space, chosen, "trainer")})
    return found if found == trainer else found.model_copy(update={"name": _SEARCHED})


def locate(space: Space, recipe: Recipe) -> dict[str, str] | None:
    """Return the choices that make a recipe, trainer fields at the first; None if none do."""
    own = tuple(d for d in space if d.of == "recipe")
    usual = {name: field.default for name, field in Recipe.model_fields.items() if name != "name"}
    wanted = {**_as_json(usual), **_plain(recipe)}
    # What no dimension from one on sets: choices that differ there are not gone on with, or a
    # space of a dozen dimensions would be looked through for hours.
    settled = [
        wanted.keys() - {f for d in own[k:] for fields in d.choices.values() for f in fields}
        for k in range(len(own) + 1)
    ]

    def fits(chosen: Mapping[str, str], seen: int) -> bool:
        # Plain comparison: making a recipe of each of some thousand would take seconds.
        fields = {**usual, **_fields(own, chosen, "recipe")}
        return all(_as_json(fields[name]) == wanted[name] for name in settled[seen])

    found = next(_fitting(own, fits, {}, 0), None)
    firsts = {d.name: next(iter(d.choices)) for d in space if d.of == "trainer"}
    return None if found is None else {**found, **firsts}


def _fitting(
    space: Space, fits: Callable[[Mapping[str, str], int], bool], chosen: dict[str, str], seen: int
) -> Iterator[dict[str, str]]:
    """Yield all choices that fit, those of the first `seen` dimensions given."""
    if not fits(chosen, seen):
        return
    if seen == len(space):
        yield chosen
        return
    first = space[seen]
    for choice in first.choices if first.open(chosen) else (None,):
        more = chosen if choice is None else {**chosen, first.name: choice}
        yield from _fitting(space, fits, more, seen + 1)


def _plain(recipe: Recipe) -> Any:
    """The fields of a recipe that are not at their default, as JSON has them."""
    return recipe.model_dump(mode="json", exclude_defaults=True, exclude={"name"})


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value


def _fields(space: Space, chosen: Mapping[str, str], of: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for dimension in space:
        if dimension.of == of and dimension.name in chosen:
            fields |= dimension.choices[chosen[dimension.name]]
    return fields


def _name(space: Space, chosen: Mapping[str, str]) -> str:
    """The choices that are not the first of their dimension, joined."""
    words = [
        chosen[d.name]
        for d in space
        if d.of == "recipe" and d.name in chosen and chosen[d.name] != next(iter(d.choices))
    ]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(words)).strip("-._")
    return name[:60] or "plain"


def _checked(model: type[Any], fields: dict[str, Any]) -> Any:
    try:
        return model(**fields)
    except ValidationError as error:
        raise InputError(f"The space: {validation_line(error, model)}") from None


def read_space(path: Path) -> Space:
    """Return the space that a YAML file declares.

    Its keys `recipe` and `trainer` hold fields, each with a list of values; the first is the usual
    one. What has no key is not searched.

    Raises
    ------
    InputError
        If it is no such file, or a field or value is none.
    """
    found = read_yaml(path, "a space under the keys 'recipe' and 'trainer'")
    if not found or set(found) - {"recipe", "trainer"}:
        raise InputError(f"{path} must hold a space under the keys 'recipe' and 'trainer'.")
    space: list[Dimension] = []
    of: Literal["recipe", "trainer"]
    for of, model in (("recipe", Recipe), ("trainer", Trainer)):
        fields = found.get(of) or {}
        if not isinstance(fields, dict):
            raise InputError(f"{path}: {of} must hold fields, each with a list of values.")
        space += [_declared(path, of, model, name, values) for name, values in fields.items()]
    return tuple(space)


def _declared(
    path: Path, of: Literal["recipe", "trainer"], model: type[BaseModel], name: str, values: Any
) -> Dimension:
    if name not in model.model_fields or name == "name":
        raise InputError(f"{path}: {unknown(f'{of} field', name, model.model_fields)}")
    if not isinstance(values, list) or not values:
        raise InputError(f"{path}: {name} must have a list of values, such as {name}: [a, b].")
    for value in values:
        try:
            model(**{"name": "x", name: value})
        except ValidationError as error:
            raise InputError(f"{path}: {validation_line(error, model)}") from None
    return _of_values(name, values, of)
