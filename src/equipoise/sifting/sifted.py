"""`Sifted`: what the sieve says of each image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.images import ImageSet

__all__ = ["KEPT", "STEPS", "Sifted"]

KEPT = "kept"

# The steps in their order, each with what falls there.
STEPS = {
    "copy": "near copies of real images",
    "probe": "not taken for their class by a linear probe",
    "distance": "farther from their class than real images are from each other",
}


@dataclass(frozen=True)
class Sifted:
    """Images and the step of the sieve at which each fell, if it did.

    Attributes
    ----------
    images : ImageSet
    verdict : (N,) str
        'kept', or the step: 'copy', 'probe' or 'distance'.
    reason : (N,) str
        Why it fell, in words; empty where it is kept.
    notes : tuple of str
        Which steps were skipped and why, and which files were left out.
    """

    images: ImageSet
    verdict: NDArray[np.str_]
    reason: NDArray[np.str_]
    notes: tuple[str, ...]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which images fell at no step."""
        return self.verdict == KEPT

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, by class with images, how many there are, fell at each step, and are kept."""
        found = {}
        for label in np.unique(self.images.labels).tolist():
            mine = self.verdict[self.images.labels == label]
            steps = {step: int((mine == step).sum()) for step in (*STEPS, KEPT)}
            found[self.images.classes[label]] = {"images": len(mine), **steps}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, the notes, and what fell, ready for JSON."""
        rows = np.flatnonzero(~self.kept)
        return {
            "counts": self.counts(),
            "notes": list(self.notes),
            "fallen": [
                {
                    "image": str(self.images.names[row]),
                    "class": self.images.classes[self.images.labels[row]],
                    "step": str(self.verdict[row]),
                    "reason": str(self.reason[row]),
                }
                for row in rows
            ],
        }
