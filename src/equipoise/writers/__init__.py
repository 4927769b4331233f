"""Writing the rebalanced data set: `upsample`, and one file a format."""

from equipoise.writers.upsampling import Summary, upsample

__all__ = ["Summary", "upsample"]
