"""Techniques made of techniques."""

import itertools

import numpy as np

from equipoise.errors import InputError
from equipoise.techniques.base import CATALOGUE, Draws, Keys, Parameter, Step, Technique, policy
from equipoise.techniques.steps import Shape, choose, draw, in_turn, leaf, places, route

_SHARE = Parameter(1.0, 0, 1, "probability", "Share of the images that are changed.", 0, 1)

# What one_of and chain are made of where nothing is given.
ARTICLE = ("crop", "flip", "noise")

# The search space of TrivialAugment, without the techniques that this catalogue lacks.
TRIVIAL = (
    "rotate",
    "shear",
    "translate",
    "brightness",
    "contrast",
    "saturation",
    "sharpen",
    "posterize",
    "solarize",
    "autocontrast",
)


def _part_places(technique: Technique, place: int) -> list[int]:
    counts = [places(part) for part in technique.parts]
    return list(itertools.accumulate(counts[:-1], initial=place + 1))


@policy(parts=ARTICLE, probability=_SHARE)
def one_of(technique: Technique, keys: Keys, place: int, shape: Shape) -> Step:
    """Carries out one of several techniques, each equally often."""
    draws = Draws(keys, "one_of", place, shape)
    choice = draws.below(len(technique.parts))
    choice[~draws.happens(technique.parameters["probability"])] = -1
    return choose(choice, technique.parts, keys, _part_places(technique, place), shape)


@policy(parts=ARTICLE, probability=_SHARE)
def chain(technique: Technique, keys: Keys, place: int, shape: Shape) -> Step:
    """Carries out several techniques, one after the other."""
    draws = Draws(keys, "chain", place, shape)
    rows = np.flatnonzero(draws.happens(technique.parameters["probability"]))
    at = _part_places(technique, place)
    parts = zip(technique.parts, at, strict=True)
    step = in_turn([draw(part, keys[rows], p, shape) for part, p in parts])
    return step if len(rows) == len(keys) else route([(rows, step)], len(keys), shape)


@policy(
    parts=TRIVIAL,
    magnitude=Parameter(1.0, 0, 1, "magnitude", "The highest that is drawn.", 0, 1),
)
def trivial(technique: Technique, keys: Keys, place: int, shape: Shape) -> Step:
    """Carries out one technique or none, at a random magnitude (TrivialAugment).

    Techniques that need colour are left out for grey images. Müller and Hutter, "TrivialAugment:
    Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021.
    """
    parts = [
        part for part in technique.parts if shape[2] >= 3 or not CATALOGUE[part.name].needs_colour
    ]
    draws = Draws(keys, "trivial", place, shape)
    choice = draws.below(len(parts) + 1) - 1
    magnitude = draws.uniform(0, technique.parameters["magnitude"])
    groups = []
    for k, part in enumerate(parts):
        rows = np.flatnonzero(choice == k)
        strength = CATALOGUE[part.name].at(magnitude[rows])
        groups.append((rows, leaf(part, keys[rows], place + 1, shape, strength)))
    return route(groups, len(keys), shape)


def check_parts(name: str, parts: tuple[Technique, ...]) -> None:
    """Raise `InputError` where a policy cannot be made of these parts."""
    if not parts:
        raise InputError(f"{name} needs techniques, such as {{techniques: [flip, noise]}}.")
    for part in parts if name == "trivial" else ():
        if part.function is not None or part.parts:
            raise InputError(f"trivial takes techniques with a magnitude, but got {part.name!r}.")
