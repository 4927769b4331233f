"""Reading data sets: `load`, and one file a format."""

from equipoise.readers.loading import load, read
from equipoise.readers.opening import READERS, Source, check_apart

__all__ = ["READERS", "Source", "check_apart", "load", "read"]
