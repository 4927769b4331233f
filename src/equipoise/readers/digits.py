"""The embedded digits: scikit-learn's handwritten digits (Alpaydin and Kaynak, 1998), imbalanced.

All ten digits, of which 5 to 9 are rare: training holds 100 of each of 0 to 4 and 8 of each of 5 to
9, an imbalance ratio of 12.5; the test split holds 75 of each. A small net learns them within
seconds, and where nothing is done takes many eights for ones and threes, and nines for threes. The
8×8 images of 17 grey levels are brought to 0 … 255 and, bilinearly, to 16×16, so that a net with
three poolings can look at them. Which images are chosen never changes.
"""

import cv2
import numpy as np

from equipoise.keys import order
from equipoise.readers.table import Table

__all__ = ["read_digits"]

_COMMON, _RARE, _TEST = 100, 8, 75
_SIDE = 16


def read_digits() -> Table:
    """Return the imbalanced digits, with their test split; ids are the rows of scikit-learn's."""
    from sklearn.datasets import load_digits  # a quarter of a second that others need not spend

    data = load_digits()
    train, test = [], []
    for digit in range(10):
        rows = np.flatnonzero(data.target == digit)
        rows = rows[order(0, rows, "digits")]
        test.append(rows[:_TEST])
        train.append(rows[_TEST : _TEST + (_COMMON if digit < 5 else _RARE)])
    rows = np.sort(np.concatenate(train + test))
    splits = np.where(np.isin(rows, np.concatenate(test)), "test", "train")
    grey = np.round(data.images[rows] * (255 / 16)).astype(np.uint8)
    return Table(
        names=np.array([f"digits/{row:04d}" for row in rows]),
        labels=data.target[rows].astype(np.int64),
        classes=tuple(str(digit) for digit in range(10)),
        splits=splits,
        ids=rows.astype(np.int64),
        pixels=np.stack([cv2.resize(one, (_SIDE, _SIDE)) for one in grey])[..., None],
    )
