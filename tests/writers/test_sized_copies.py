"""Copies of pictures that are brought to size: those that training sees, and made again so."""

import cv2
import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.errors import InputError
from equipoise.recipes import get_recipe
from equipoise.training.budgets import budget
from equipoise.training.presenting import present
from equipoise.training.trainers import get_trainer

SIZING = {"size": 24, "fit": "squash", "test_fraction": 0.2, "validation_fraction": 0.2}


@pytest.fixture
def photos(tmp_path):
    """Elongated pictures of two classes, 30 and 12."""
    rng = np.random.default_rng(0)
    for name, count in (("cat", 30), ("dog", 12)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (30 + number, 70, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / name / f"{number}.png"), pixels)
    return tmp_path / "photos"


def pixels_of(folder):
    table = pd.read_parquet(folder / "manifest.parquet")
    copies = table[table.technique != "original"]
    return {
        (row.source_id, row.copy): cv2.imread(str(folder / row.path))[..., ::-1]
        for row in copies.itertuples()
    }


def test_sized_copies_are_those_that_training_sees(photos, tmp_path):
    data = eq.load(photos, **SIZING)
    eq.upsample(eq.load(photos, cut=False, **SIZING), tmp_path / "out", recipe="article")
    train, trainer = data.train, get_trainer("fast", epochs=1)
    shown = present(
        train.array, train.labels, train.ids, get_recipe("article"), seed=0,
        classes=data.classes, budget_of=lambda n: budget(train.labels, trainer, presented=n),
    )  # fmt: skip
    written, roster = pixels_of(tmp_path / "out"), shown.roster
    batch = shown.batch(0, len(shown))
    made = roster.technique[batch.rows] >= 0
    assert len(written) == made.sum() > 5
    for row, pixels in zip(batch.rows[made], batch.images[made], strict=True):
        np.testing.assert_array_equal(written[roster.ids[row], roster.copy[row]], pixels)


def test_copies_at_full_size_are_others(photos, tmp_path):
    eq.upsample(eq.load(photos, cut=False), tmp_path / "out", recipe="article")
    assert "sizing" not in pd.read_parquet(tmp_path / "out" / "manifest.parquet")
    assert {image.shape[1] for image in pixels_of(tmp_path / "out").values()} == {70}


@pytest.mark.parametrize("other", [{"size": None}, {"fit": "pad"}, {"size": 25}])
def test_a_manifest_needs_its_size_and_fit(photos, tmp_path, other):
    first, manifest = tmp_path / "first", tmp_path / "first" / "manifest.parquet"
    eq.upsample(eq.load(photos, cut=False, size=24), first)
    assert set(pd.read_parquet(manifest)["sizing"]) == {"24 squash"}
    again = eq.load(photos, cut=False, size=24)
    eq.upsample(again, tmp_path / "again", from_manifest=manifest)
    assert manifest.read_bytes() == (tmp_path / "again" / "manifest.parquet").read_bytes()
    with pytest.raises(InputError, match=r"size and fit of its images was 24 squash.*--fit"):
        eq.upsample(
            eq.load(photos, **{"cut": False, "size": 24, **other}),
            tmp_path / "other",
            from_manifest=manifest,
        )
