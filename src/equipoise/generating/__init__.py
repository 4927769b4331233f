"""Images of rare classes by a generative model, sifted: `generate`."""

from equipoise.generating.generating import Generated, generate
from equipoise.generating.making import Maker, Origin, Workplace
from equipoise.generating.method import METHODS, get_method

__all__ = [
    "METHODS",
    "Generated",
    "Maker",
    "Origin",
    "Workplace",
    "generate",
    "get_method",
]
