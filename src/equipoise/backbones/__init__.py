"""Pretrained nets: frozen trunks, the cache of their activations, embeddings."""

from equipoise.backbones.activations import ActivationCache, Trunk, activations, computed
from equipoise.backbones.embedding import embed
from equipoise.backbones.named import Backbone, get_backbone
from equipoise.backbones.probe import LinearProbe
from equipoise.backbones.published import BACKBONES

__all__ = [
    "BACKBONES",
    "ActivationCache",
    "Backbone",
    "LinearProbe",
    "Trunk",
    "activations",
    "computed",
    "embed",
    "get_backbone",
]
