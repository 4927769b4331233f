"""The embedded digits: scikit-learn's handwritten digits (Alpaydin and Kaynak, 1998), imbalanced.

All ten digits, of which 5 to 9 are rare: training holds 90 of each of 0 to 4 and 8 of each of 5 to
9, an imbalance ratio of 11. Validation holds 25 of each, so that a decision can be tuned for every
digit, and test 50 of each. A small net learns them within seconds, and where nothing is done takes
many eights for ones and threes, and nines for threes. The 8×8 images of 17 grey levels are brought
to 0 … 255 and, bilinearly, to 16×16, so that a net with three poolings can look at them. Which
images are chosen never changes.
"""

import cv2
import numpy as np

from equipoise.keys import order
from equipoise.readers.table import Table

__all__ = ["read_digits"]

_COMMON, _RARE, _VALIDATION, _TEST = 90, 8, 25, 50
_SIDE = 16


def read_digits() -> Table:
    """Return the imbalanced digits with their three splits; ids are the rows of scikit-learn's."""
    from sklearn.datasets import load_digits  # a quarter of a second that others need not spend

    data = load_digits()
    chosen, splits = [], []
    for digit in range(10):
        rows = np.flatnonzero(data.target == digit)
        counts = {
            "test": _TEST,
            "validation": _VALIDATION,
            "train": _COMMON if digit < 5 else _RARE,
        }
        chosen.append(rows[order(0, rows, "digits")][: sum(counts.values())])
        splits.append(np.repeat(list(counts), list(counts.values())))
    rows, split = np.concatenate(chosen), np.concatenate(splits)
    in_order = np.argsort(rows)
    rows, split = rows[in_order], split[in_order]
    grey = np.round(data.images[rows] * (255 / 16)).astype(np.uint8)
    return Table(
        names=np.array([f"digits/{row:04d}" for row in rows]),
        labels=data.target[rows].astype(np.int64),
        classes=tuple(str(digit) for digit in range(10)),
        splits=split,
        ids=rows.astype(np.int64),
        pixels=np.stack([cv2.resize(one, (_SIDE, _SIDE)) for one in grey])[..., None],
    )
