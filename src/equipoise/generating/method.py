"""What a method of making images is, and those that there are.

A method is a function of the training images and of its own parameters, which are its keyword-only
arguments. It checks them and returns what learns; that returns what makes. A further method is one
file and an entry in `METHODS`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from equipoise.errors import InputError, unknown
from equipoise.generating.deepsmote import deepsmote
from equipoise.generating.diffusion import diffusion
from equipoise.generating.making import Learner
from equipoise.images import ImageSet

__all__ = ["METHODS", "get_method"]

Method = Callable[..., Learner]

METHODS: dict[str, Method] = {"deepsmote": deepsmote, "diffusion": diffusion}


def get_method(
    spec: str | Mapping[str, Mapping[str, Any] | None],
) -> tuple[str, dict[str, Any], Callable[[ImageSet], Learner]]:
    """Return a method's name, its parameters with those not given at their defaults, and itself.

    Parameters
    ----------
    spec : str or dict
        A name in `METHODS`, or ``{name: {parameter: value}}``.

    Raises
    ------
    InputError
        For an unknown name or parameter.
    """
    if isinstance(spec, Mapping) and len(spec) != 1:
        raise InputError(f"A method is one name with its parameters, but got {dict(spec)!r}.")
    name, given = next(iter(spec.items())) if isinstance(spec, Mapping) else (spec, None)
    if name not in METHODS:
        raise unknown("method", str(name), METHODS)
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"method {name} takes a mapping of parameters, but got {given!r}.")
    own = {
        parameter.name: parameter.default
        for parameter in inspect.signature(METHODS[name]).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for wrong in (given or {}).keys() - own.keys():
        raise unknown(f"parameter of method {name}", str(wrong), own)
    parameters = {**own, **(given or {})}
    return name, parameters, partial(METHODS[name], **parameters)
