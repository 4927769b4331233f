"""How the training room declares what a recipe can name: one entry a loss or mixing, in one place.

A recipe names an entry as it names a technique: ``focal``, or ``{focal: {gamma: 1.5}}``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equipoise.errors import InputError, unknown
from equipoise.techniques import Parameter

__all__ = ["Entry", "Spec", "pick"]

Spec = str | Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Entry:
    """A loss or a mixing, its parameters not yet chosen.

    Attributes
    ----------
    name, summary, paper : str
    parameters : tuple of Parameter
    make : callable
        What it makes is said where the catalogue stands.
    smoothing : bool
        Of a loss: whether label smoothing is defined for it.
    weights : {'never', 'always', 'deferred'}
        Of a loss: whether it weights classes; 'deferred': from `defer` on, and not without it.
    """

    name: str
    summary: str
    paper: str
    parameters: tuple[Parameter, ...]
    make: Callable[..., Any]
    smoothing: bool = False
    weights: Literal["never", "always", "deferred"] = "never"


def pick(kind: str, spec: Spec, catalogue: Mapping[str, Entry]) -> tuple[Entry, dict[str, Any]]:
    """Return the entry that `spec` names and its full parameters, those not given at defaults.

    Raises
    ------
    InputError
        For an unknown name or parameter, or a value out of range; `kind` words it.
    """
    if isinstance(spec, Mapping):
        if len(spec) != 1:
            raise InputError(f"A {kind} is one name with its parameters, but got {dict(spec)!r}.")
        name, given = next(iter(spec.items()))
    else:
        name, given = spec, None
    if name not in catalogue:
        raise unknown(kind, str(name), catalogue)
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{kind} {name} takes a mapping of parameters, but got {given!r}.")
    entry = catalogue[name]
    known = {parameter.name: parameter for parameter in entry.parameters}
    for wrong in (given or {}).keys() - known.keys():
        if not known:
            raise InputError(f"{kind} {name} takes no parameters, but got {wrong!r}.")
        raise unknown(f"parameter of {kind} {name}", str(wrong), known)
    return entry, {n: p.check((given or {}).get(n, p.default)) for n, p in known.items()}
