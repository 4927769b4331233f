"""What a technique is: its parameters, its two steps (draw, apply) and its place in the catalogue.

A technique is declared once, where its draw step is defined::

    @technique("colour", apply=_shift, limit=Parameter(0.2, 0, 1, "of the range", "…", 0, 0.8))
    def brightness(draws, limit):
        '''Adds one amount to every value, up to `limit` either way.'''
        return (np.rint(255 * draws.around(limit)).astype(np.int16),)

The draw step turns each image's key into its own parameters, arrays of N; the apply step takes the
images and these arrays and is deterministic, so it can be tested against OpenCV.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import InputError, require, unknown
from equipoise.keys import Addresses, code, words

__all__ = [
    "CATALOGUE",
    "Arrays",
    "Definition",
    "Draws",
    "Keys",
    "Parameter",
    "Step",
    "Technique",
    "policy",
    "technique",
]


@dataclass(frozen=True)
class Parameter:
    """One number that a technique takes.

    Attributes
    ----------
    default, low, high : float or int
        `low <= value <= high` must hold.
    unit, doc : str
    none, full : float or int, optional
        The values at magnitude 0, where the image stays as it is, and at magnitude 1. Without
        them the magnitude leaves the parameter at its default.
    step : int, optional
        Whole numbers only, from `low` in such steps.
    name : str
        Filled in by the declaration.
    """

    default: float
    low: float
    high: float
    unit: str
    doc: str
    none: float | None = None
    full: float | None = None
    step: int | None = None
    name: str = ""

    def check(self, value: object) -> float | int:
        """Return `value` as a number, or raise `InputError`."""
        rule = f"{self.low:g} <= {self.name} <= {self.high:g}"
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise InputError(f"{rule} must hold, but got {self.name}={value!r}.")
        number = float(value)
        if not (math.isfinite(number) and self.low <= number <= self.high):
            raise InputError(f"{rule} must hold, but got {self.name}={value!r}.")
        if self.step is None:
            return number
        if not number.is_integer() or (int(number) - int(self.low)) % self.step:
            whole = (
                "a whole number"
                if self.step == 1
                else f"one of {self.low:g}, {self.low + self.step:g}, …"
            )
            raise InputError(f"{self.name} must be {whole}, but got {self.name}={value!r}.")
        return int(number)

    def at(self, magnitude: NDArray[np.float64]) -> NDArray[Any]:
        """Return the values at magnitudes 0 to 1."""
        assert self.none is not None
        assert self.full is not None
        value = np.asarray(self.none + magnitude * (self.full - self.none))
        if self.step is None:
            return value
        return (self.low + self.step * np.rint((value - self.low) / self.step)).astype(np.int64)


Keys = NDArray[np.uint32] | Addresses


@dataclass
class Draws:
    """The random parameters of N images: each call takes the next word of every image's stream.

    Attributes
    ----------
    keys : (N, 2) uint32, or what numpy takes for that
    name : str
        Of the technique.
    place : int
        Of the technique in its chain.
    shape : (H, W, C)
    """

    keys: Keys
    name: str
    place: int
    shape: tuple[int, int, int]
    _taken: int = 0
    _words: NDArray[np.uint32] = field(default_factory=lambda: np.empty((0, 0), np.uint32))

    def __len__(self) -> int:
        return len(self.keys)

    def _next(self) -> NDArray[np.uint32]:
        if self._taken >= self._words.shape[1]:
            self._words = words(np.asarray(self.keys), self.name, self._taken + 4, self.place)
        self._taken += 1
        return self._words[:, self._taken - 1]

    def uniform(self, low: ArrayLike = 0.0, high: ArrayLike = 1.0) -> NDArray[np.float64]:
        """Return uniform numbers in [low, high)."""
        low = np.asarray(low, np.float64)
        return low + (np.asarray(high) - low) * (self._next() * 2.0**-32)

    def around(self, limit: ArrayLike) -> NDArray[np.float64]:
        """Return uniform numbers in [-limit, limit)."""
        return np.asarray(limit) * (self._next() * 2.0**-31 - 1.0)

    def below(self, count: ArrayLike) -> NDArray[np.int64]:
        """Return uniform whole numbers in 0 … count - 1."""
        product = self._next().astype(np.uint64) * np.asarray(count).astype(np.uint64)
        return (product >> np.uint64(32)).astype(np.int64)

    def happens(self, probability: ArrayLike) -> NDArray[np.bool_]:
        """Return True with the given probability."""
        if np.ndim(probability) == 0 and probability == 1:
            self._taken += 1  # the word is counted, so that the draws that follow stay the same
            return np.ones(len(self), bool)
        return self._next() < np.asarray(probability) * 2.0**32

    def constant(self, value: ArrayLike, dtype: Any) -> NDArray[Any]:
        """Return `value` for each image; draws nothing."""
        return np.full(len(self), value, dtype)

    @property
    def address(self) -> NDArray[np.uint32]:
        """(N, 4): key, code and place, with which a kernel draws pixel by pixel."""
        address = np.empty((len(self), 4), np.uint32)
        address[:, :2], address[:, 2], address[:, 3] = self.keys, code(self.name), self.place
        return address


Arrays = tuple[NDArray[Any], ...]

# step(images, out, start, stop): carries out rows start … stop - 1 of what was drawn, from one
# contiguous (stop - start, H, W, C) block into another.
Step = Callable[[NDArray[np.uint8], NDArray[np.uint8], int, int], None]


@dataclass(frozen=True)
class Definition:
    """A technique of the catalogue, its parameters not yet chosen.

    Attributes
    ----------
    name, family, summary : str
    parameters : tuple of Parameter
    draw : callable
        From `Draws` and the parameters (numbers, or arrays of one an image) to arrays of N.
    apply : callable
        From images, out and these arrays; fills `out`.
    needs_colour : bool
        Whether it has no meaning on one channel.
    check : callable, optional
        Checks the parameters together.
    compose : callable, optional
        A policy's way from (technique, keys, place, shape) to its step, in place of draw and apply.
    parts : tuple of str
        The techniques that a policy is made of, where none are given.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    draw: Callable[..., Arrays] | None = None
    apply: Callable[..., None] | None = None
    needs_colour: bool = False
    check: Callable[..., None] | None = None
    compose: Callable[..., Step] | None = None
    parts: tuple[str, ...] = ()

    def bind(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the full parameters, those not given at their defaults."""
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                if not known:
                    raise InputError(f"{self.name} takes no parameters, but got {name!r}.")
                raise unknown(f"parameter of {self.name}", str(name), known)
        full = {name: p.check(given.get(name, p.default)) for name, p in known.items()}
        if self.check:
            self.check(**full)
        return full

    def at(self, magnitude: ArrayLike) -> dict[str, Any]:
        """Return the parameters that have a strength, at magnitude 0 (no change) to 1.

        Numbers for a number, arrays for an array.
        """
        scale = np.asarray(magnitude, np.float64)
        require(bool(np.all((scale >= 0) & (scale <= 1))), "0 <= magnitude <= 1", got=magnitude)
        found = {p.name: p.at(scale) for p in self.parameters if p.none is not None}
        return {name: v if scale.ndim else v.item() for name, v in found.items()}


CATALOGUE: dict[str, Definition] = {}


def technique(
    family: str,
    apply: Callable[..., None],
    needs_colour: bool = False,
    check: Callable[..., None] | None = None,
    **parameters: Parameter,
) -> Callable[[Callable[..., Arrays]], Callable[..., Arrays]]:
    """Enter the decorated draw step into the catalogue under its own name."""

    def enter(draw: Callable[..., Arrays]) -> Callable[..., Arrays]:
        name, summary, named = _declared(draw, parameters)
        CATALOGUE[name] = Definition(name, family, summary, named, draw, apply, needs_colour, check)
        return draw

    return enter


def policy(
    parts: tuple[str, ...] = (), **parameters: Parameter
) -> Callable[[Callable[..., Step]], Callable[..., Step]]:
    """Enter the decorated function, which composes steps, into the catalogue as a policy."""

    def enter(compose: Callable[..., Step]) -> Callable[..., Step]:
        name, summary, named = _declared(compose, parameters)
        CATALOGUE[name] = Definition(name, "policy", summary, named, compose=compose, parts=parts)
        return compose

    return enter


def _declared(
    function: Callable[..., Any], parameters: Mapping[str, Parameter]
) -> tuple[str, str, tuple[Parameter, ...]]:
    """Return a function's name, the first line of its docstring and its named parameters."""
    named = tuple(replace(parameter, name=name) for name, parameter in parameters.items())
    return function.__name__, (function.__doc__ or "").strip().splitlines()[0], named


@dataclass(frozen=True)
class Technique:
    """A technique with its parameters chosen.

    Attributes
    ----------
    name : str
    family : str
    parameters : dict
        All of them, bound; plain values, ready for JSON.
    parts : tuple of Technique
        What a policy (one_of, chain, trivial) is made of.
    function : callable, optional
        A user's own: (image H×W×C uint8, numpy Generator) -> image.
    """

    name: str
    family: str
    parameters: dict[str, Any] = field(default_factory=dict, hash=False)
    parts: tuple["Technique", ...] = ()
    function: Callable[..., Any] | None = field(default=None, hash=False)

    @property
    def spec(self) -> str | dict[str, dict[str, Any]]:
        """The plain form that `resolve` reads back, ready for YAML."""
        return {self.name: dict(self.parameters)} if self.parameters else self.name

    @property
    def serial(self) -> bool:
        """Whether it must run on one thread: a user's callable may use global state."""
        return self.function is not None or any(part.serial for part in self.parts)
