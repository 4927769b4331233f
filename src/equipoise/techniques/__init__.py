"""The catalogue of augmentation techniques, by family.

`resolve` turns a name, a one-key dict or a callable into a `Technique`; `CATALOGUE` holds the
definitions with their parameters.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from equipoise.errors import InputError, unknown
from equipoise.techniques import colour, degradation, geometry, occlusion, policies
from equipoise.techniques.base import CATALOGUE, Definition, Parameter, Technique

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "Definition",
    "Parameter",
    "Technique",
    "register",
    "registered",
    "resolve",
]

# Importing a family enters its techniques into the catalogue.
FAMILIES = {
    "geometry": geometry,
    "colour": colour,
    "degradation": degradation,
    "occlusion": occlusion,
    "policy": policies,
}
for _family in FAMILIES:  # the catalogue goes by family, in this order
    for _name in [name for name, found in CATALOGUE.items() if found.family == _family]:
        CATALOGUE[_name] = CATALOGUE.pop(_name)

_REGISTERED: dict[str, Callable[..., Any]] = {}


def register(name: str, function: Callable[..., Any]) -> Technique:
    """Let `function(image, generator) -> image` be called by `name` like any technique."""
    if name in CATALOGUE:
        raise InputError(f"{name!r} is a technique of the catalogue; choose another name.")
    _REGISTERED[name] = function
    return resolve(name)


def registered(techniques: Iterable[Technique]) -> dict[str, Callable[..., Any]]:
    """Return the callables that techniques and their parts have by a registered name."""
    found: dict[str, Callable[..., Any]] = {}
    for technique in techniques:
        if technique.function is not None and technique.name in _REGISTERED:
            found[technique.name] = technique.function
        found |= registered(technique.parts)
    return found


def resolve(spec: object) -> Technique:
    """Return the technique that `spec` names, its parameters checked.

    Parameters
    ----------
    spec : str, dict, Technique or callable
        A name; a one-key dict from name to parameters; or a function of (H×W×C uint8 image,
        numpy Generator) that returns such an image.

    Raises
    ------
    InputError
        For an unknown name or parameter, or a value out of range.
    """
    if isinstance(spec, Technique):
        return spec
    if isinstance(spec, str):
        return _bind(spec, {})
    if isinstance(spec, Mapping):
        if len(spec) != 1:
            raise InputError(
                f"A technique is one name with its parameters, but got {dict(spec)!r}."
            )
        name, parameters = next(iter(spec.items()))
        if parameters is not None and not isinstance(parameters, Mapping):
            raise InputError(f"{name} takes a mapping of parameters, but got {parameters!r}.")
        return _bind(str(name), parameters or {})
    if callable(spec):
        name = getattr(spec, "__qualname__", type(spec).__qualname__)
        return Technique(name, "own", function=spec)
    raise InputError(f"A technique is a name, a dict or a callable, but got {spec!r}.")


def _bind(name: str, parameters: Mapping[str, Any]) -> Technique:
    if name in _REGISTERED:
        if parameters:
            raise InputError(f"{name} takes no parameters, but got {next(iter(parameters))!r}.")
        return Technique(name, "own", function=_REGISTERED[name])
    if name not in CATALOGUE:
        raise unknown("technique", name, [*CATALOGUE, *_REGISTERED])
    definition = CATALOGUE[name]
    if not definition.compose:
        return Technique(name, definition.family, definition.bind(parameters))
    numbers = dict(parameters)
    specs = numbers.pop("techniques", definition.parts)
    if isinstance(specs, str | Mapping) or not isinstance(specs, Iterable):
        raise InputError(f"{name} takes a list of techniques, but got {specs!r}.")
    parts = tuple(resolve(part) for part in specs)
    policies.check_parts(name, parts)
    full = {**definition.bind(numbers), "techniques": [part.spec for part in parts]}
    return Technique(name, definition.family, full, parts)
