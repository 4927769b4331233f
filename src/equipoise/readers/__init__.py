"""Reading data sets: `load`, and one file a format."""

from equipoise.readers.loading import load, read
from equipoise.readers.opening import READERS, Source

__all__ = ["READERS", "Source", "load", "read"]
