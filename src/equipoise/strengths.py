"""How strongly each class is augmented: techniques at a share of their own strength.

A technique at strength s has each of its parameters s of the way from the value that changes
nothing to the one it was given: at 1 it is itself, byte for byte, and at 0 the image stays as it
is. More augmentation of the majority than of the minority can help (Ahn, Ko and Yun, "CUDA:
Curriculum of data augmentation for long-tailed recognition", ICLR 2023), and so can less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import InputError, require, unknown
from equipoise.techniques import CATALOGUE, Parameter, Technique, resolve

__all__ = ["Strengths", "class_strengths", "weaken"]

# The two groups of classes that a strength can be given for besides the classes themselves.
_GROUPS = ("majority", "minority")


@dataclass(frozen=True)
class Strengths:
    """Techniques at the strength of each class.

    Attributes
    ----------
    techniques : tuple of Technique
        Those given, once for each different strength above 0.
    offset : (K,) int16
        What to add to the number of a technique to have it at the strength of a class; -1 where
        the class is left clean.
    """

    techniques: tuple[Technique, ...]
    offset: NDArray[np.int16]

    def of(self, technique: ArrayLike, labels: ArrayLike) -> NDArray[np.int16]:
        """Return which of `techniques` each image gets, given its technique and its label.

        A technique of -1 is none, and stays none.
        """
        technique, offset = np.asarray(technique), self.offset[np.asarray(labels)]
        return np.where((technique < 0) | (offset < 0), -1, technique + offset).astype(np.int16)


def class_strengths(
    techniques: tuple[Technique, ...],
    strength: Mapping[str, float] | None,
    counts: ArrayLike,
    classes: tuple[str, ...] | None,
) -> Strengths:
    """Return the techniques at the strength of each class.

    Parameters
    ----------
    techniques : tuple of Technique
    strength : mapping of str to float in [0, 1], optional
        Keys are class names, or `majority` (the largest classes) and `minority` (all others); a
        class that is named itself goes by its own. A class that is not spoken of has strength 1.
    counts : (K,) integers
        Training images of each class, before any upsampling.
    classes : tuple of str, optional
        Their names; without them the label is the name.

    Raises
    ------
    InputError
        For a name that is no class, or a technique that has no strength.
    """
    counts = np.asarray(counts)
    each = np.ones(len(counts))
    if strength:
        each = _each_class(strength, counts, classes)
    levels = [s for s in dict.fromkeys(each.tolist()) if s > 0]
    scaled = [weaken(technique, s) for s in levels for technique in techniques]
    start = {s: number * len(techniques) for number, s in enumerate(levels)}
    offset = np.array([start.get(s, -1) for s in each.tolist()], np.int16)
    return Strengths(tuple(scaled), offset)


def _each_class(
    strength: Mapping[str, float], counts: NDArray, classes: tuple[str, ...] | None
) -> NDArray[np.float64]:
    names = classes if classes is not None else tuple(map(str, range(len(counts))))
    largest = counts == counts.max()
    groups = {"majority": largest, "minority": ~largest}
    each = np.ones(len(counts))
    for key in sorted(strength, key=names.__contains__):  # a class's own comes last and counts
        if key in names:
            each[names.index(key)] = strength[key]
        elif key in groups:
            each[groups[key]] = strength[key]
        else:
            raise unknown("class", key, [*names, *_GROUPS])
    return each


def weaken(technique: Technique, strength: float) -> Technique:
    """Return a technique at a share of its strength, 0 to 1.

    A policy's parts are weakened; `trivial` draws its magnitude from a shorter range.

    Raises
    ------
    InputError
        For a function of one's own, which has no strength.
    """
    require(0 <= strength <= 1, "0 <= strength <= 1", strength=strength)
    if strength == 1:
        return technique
    if technique.function is not None:
        raise InputError(
            f"{technique.name} is a function and has no strength that could be {strength:g}. "
            "Leave strength out, or use techniques of the catalogue."
        )
    if technique.parts and technique.name != "trivial":
        parts = [weaken(part, strength).spec for part in technique.parts]
        return resolve({technique.name: {**technique.parameters, "techniques": parts}})
    given = technique.parameters
    scaled = {
        p.name: _between(p, given[p.name], strength)
        for p in CATALOGUE[technique.name].parameters
        if p.none is not None
    }
    return resolve({technique.name: {**given, **scaled}})


def _between(parameter: Parameter, value: float, strength: float) -> float:
    """The value so far from the one that changes nothing; whole steps are rounded towards that."""
    none: Any = parameter.none
    if parameter.step is None:
        return none + strength * (value - none)
    return none + parameter.step * int(strength * (value - none) / parameter.step)
