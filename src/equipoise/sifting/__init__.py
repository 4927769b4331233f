"""The sieve: which images that were made or found elsewhere may stand beside the real ones."""

from equipoise.sifting.sieve import Sieve, fit_sieve, sift
from equipoise.sifting.sifted import STEPS, Sifted

__all__ = ["STEPS", "Sieve", "Sifted", "fit_sieve", "sift"]
