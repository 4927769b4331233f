"""Splits that lack a class: refused for validation, told for test."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.training import untested_words


def lacking(split: str) -> eq.Splits:
    """Random pictures of three classes in three splits, one of which has none of the last."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 8, 8, 3), dtype=np.uint8)
    data = eq.load((images, np.repeat(["cat", "dog", "fox"], 30)))
    parts = {name: part for name, part in data.parts.items() if name == split}
    parts = {name: part.select(part.labels < 2) for name, part in parts.items()}
    return eq.Splits(**{**data.parts, **parts})


def test_validation_must_have_every_class():
    data = lacking("validation")
    for does in (
        lambda: eq.train(data, "none", epochs=1),
        lambda: eq.compare(data, ["none"], seeds=1, epochs=1, jobs=1),
        lambda: eq.search(data, trials=2, epochs=1, jobs=1),
    ):
        with pytest.raises(eq.InputError, match="The validation split has no image of class fox"):
            does()


def test_a_class_that_is_not_tested_is_told():
    data = lacking("test")
    assert data.untested == ("fox",)
    assert eq.train(data, "none", epochs=1).metrics["untested"] == ["fox"]
    assert lacking("train").untested == ()


@pytest.mark.parametrize(
    ("untested", "words"),
    [
        ((), []),
        (("a",), ["no image of a, so it is not tested", "the other 2 classes"]),
        (("a", "b"), ["of a and b, so they are not tested", "c alone", "no ROC-AUC or PR-AUC"]),
    ],
)
def test_the_words(untested, words):
    text = " ".join(untested_words(untested, ("a", "b", "c")))
    assert all(word in text for word in words)
    assert bool(text) == bool(words)


def test_many_classes_are_not_all_named():
    (words,) = untested_words([f"c{i}" for i in range(30)], [f"c{i}" for i in range(40)])
    assert "c9 and 20 more" in words
