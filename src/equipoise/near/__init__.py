"""Which pictures are nearly one."""

from equipoise.near.finding import Alike, find_alike
from equipoise.near.looks import Looks, look, thumbnails

__all__ = ["Alike", "Looks", "find_alike", "look", "thumbnails"]
