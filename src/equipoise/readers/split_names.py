"""What splits are called: one table for folders, files, columns and keys."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["settled", "split_named", "split_of"]

_EVALUATION = "evaluation"  # the validation split beside a test split, otherwise the test split
_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "tests", "testing"), "test"),
    **dict.fromkeys(("eval", "evaluation", "dev"), _EVALUATION),
}
# What may stand beside such a word in a folder's name: training_set, seg_train, "Train images".
_BESIDE = frozenset(
    (*("set", "data", "dataset", "split", "seg"), *("image", "images", "img", "imgs", "pictures"))
)
_JOINED = re.compile(r"(.+?)(?:set|data)")


def split_named(name: str) -> str | None:
    """Return the split that a folder, value or key is called, or None.

    One of 'train', 'validation', 'test' and 'evaluation', which `settled` makes one of the others.
    """
    words = [_plain(word) for word in re.split(r"[\s_.-]+", name.lower()) if word]
    named = [word for word in words if word in _NAMES]
    if len(named) != 1 or not all(word in _NAMES or word in _BESIDE for word in words):
        return None
    return _NAMES[named[0]]


def _plain(word: str) -> str:
    joined = _JOINED.fullmatch(word)
    return joined[1] if joined and joined[1] in _NAMES else word


def split_of(path: str) -> str:
    """Return the split that a path names: ``data/train-00000-of-00002.parquet`` is training.

    The first word that is a split's name counts, in the file's name or else in its folders'. A
    path without one is training.
    """
    for part in reversed(path.lower().split("/")):
        for word in re.split(r"[\W\d_]+", part):
            if (word := _plain(word)) in _NAMES:
                return _NAMES[word]
    return "train"


def settled(splits: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the splits with an evaluation split made one of validation or test."""
    if not (splits == _EVALUATION).any():
        return splits
    meant = "validation" if (splits == "test").any() else "test"
    return np.where(splits == _EVALUATION, meant, splits)
