"""The worst mistakes: wrong, sure, counted over the runs that saw them, and kept as pictures."""

import cv2
import numpy as np
import pytest
from scipy.special import softmax

from equipoise.readers import load
from equipoise.studies import compare
from equipoise.studies.pictures import picture_of, worst_mistakes
from equipoise.training import Trainer


def rows(images: int, seed: int, first: int = 0):
    rng = np.random.default_rng(seed)
    ids = np.arange(first, first + images)
    labels = ids % 3
    return ids, [f"{i}.png" for i in ids], labels, rng.normal(size=(images, 3))


def test_mistakes_are_wrong_and_the_surest_first():
    ids, names, labels, logits = rows(500, 0)
    found = worst_mistakes(ids, names, labels, logits, top=9)
    assert len(found) == 9
    chances = softmax(logits, axis=1)
    for mistake in found:
        assert mistake.label == labels[mistake.id] != mistake.predicted
        assert mistake.probability == pytest.approx(chances[mistake.id, mistake.predicted])
        assert (mistake.name, mistake.wrong, mistake.runs) == (f"{mistake.id}.png", 1, 1)
    wrong = np.where(chances.argmax(1) != labels, chances.max(1), 0)
    assert [m.probability for m in found] == pytest.approx(sorted(wrong, reverse=True)[:9])


def test_runs_are_averaged_where_they_saw_the_same_image():
    """Of two runs on one fold and one run on another."""
    parts = [rows(60, 0), rows(60, 1), rows(60, 2, first=60)]
    ids, labels, logits = (np.concatenate([part[k] for part in parts]) for k in (0, 2, 3))
    names = [name for part in parts for name in part[1]]
    found = {m.id: m for m in worst_mistakes(ids, names, labels, logits, top=120)}
    assert {m.runs for m in found.values() if m.id < 60} == {2}
    assert {m.runs for m in found.values() if m.id >= 60} == {1}
    some = next(m for m in found.values() if m.id < 60)
    both = softmax(logits, axis=1)[[some.id, 60 + some.id]]
    assert some.probability == pytest.approx(both.mean(0).max())
    assert some.wrong == (both.argmax(1) != some.label).sum()


def test_nothing_wrong_leaves_nothing():
    ids, names, labels, _ = rows(20, 0)
    assert worst_mistakes(ids, names, labels, 9.0 * np.eye(3)[labels]) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_a_study_keeps_their_pictures(tmp_path, patches, channels):
    images = patches(90, 12, 12, channels)
    labels = np.where(np.arange(90) % 3 == 0, "rare", "usual")
    data = load((images, labels), classes=["usual", "rare"])
    trainer = Trainer(name="quick", epochs=1, batch_size=32)
    study = compare(data, ["none"], seeds=1, out=tmp_path / "s", trainer=trainer, jobs=1)
    kept = sorted((study.directory / "examples" / "mistakes").glob("*.png"))
    assert kept
    whole = {int(i): image for i, image in zip(data.test.ids, data.test.array, strict=True)}
    for path in kept:
        read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).reshape(12, 12, channels)
        np.testing.assert_array_equal(read[..., ::-1], whole[int(path.stem)])
        assert path == picture_of(study.directory / "examples", _named(int(path.stem)))


def _named(number: int):
    return worst_mistakes([number], ["x"], [0], np.array([[0.0, 1.0]]))[0]
