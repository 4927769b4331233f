import numpy as np
import pytest

from equipoise.files import read_json, write_json
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.studies.memorisation import (
    MEMORY,
    measure_memorisation,
    memorisation_table,
    memory_words,
)
from equipoise.training import Trainer, fit, write_run

QUICK = Trainer(name="quick", epochs=4, batch_size=32)


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "1", "8"])


def asked(digits, recipe, folder):
    write_run(folder, fit(digits, recipe, QUICK, seed=1))
    measure_memorisation(folder, digits, recipe, 1)
    return folder


def test_what_was_trained_on_is_told_from_its_like(digits, tmp_path):
    fields = {"strategy": "auto", "techniques": ("noise", "flip"), "strength": {"3": 0.5}}
    folders = {
        name: {
            (1, 0): asked(digits, Recipe(name=name, augmentation=name, **fields), tmp_path / name)
        }
        for name in ("static", "fresh")
    }
    folders["none"] = {(1, 0): asked(digits, Recipe(name="none"), tmp_path / "none")}
    table = memorisation_table(folders)
    assert table["static"].classes == ("8",)
    noise = table["static"].techniques["noise"]
    made = 90 - 8
    assert noise.copies.images == noise.fresh.images == made // 2
    assert noise.copies.mean >= noise.fresh.mean
    assert noise.gap.mean == pytest.approx(noise.copies.mean - noise.fresh.mean)
    # A flip has no other like it: its fresh copies are its copies.
    assert table["static"].techniques["flip"].gap.mean == 0
    fresh = table["fresh"].techniques["noise"]
    assert fresh.copies is None
    assert fresh.gap is None
    assert fresh.validation.images == (digits.validation.labels == 2).sum()
    assert table["none"].techniques == {}
    assert table["none"].clean.images == 8
    before = (tmp_path / "none" / MEMORY).stat().st_mtime_ns
    measure_memorisation(tmp_path / "none", digits, Recipe(name="none"), 1)
    assert (tmp_path / "none" / MEMORY).stat().st_mtime_ns == before
    assert np.isfinite(read_json(tmp_path / "none" / MEMORY)["clean"]["recall"])


def folder(tmp_path, number, copies, fresh):
    path = tmp_path / str(number)
    kinds = {"copies": copies, "fresh": fresh, "validation": 0.5}
    write_json(
        path / MEMORY,
        {
            "classes": ["dog"],
            "clean": {"images": 9, "recall": 0.9},
            "validation": {"images": 9, "recall": 0.6},
            "techniques": {"crop": {k: {"images": 9, "recall": v} for k, v in kinds.items()}},
        },
    )
    return path


def runs(tmp_path, first, pairs):
    return {(k, 0): folder(tmp_path, first + k, *pair) for k, pair in enumerate(pairs)}


def test_a_sentence_where_copies_are_learned_by_heart_and_only_there(tmp_path):
    learned = runs(tmp_path, 0, [(0.99, 0.70), (0.98, 0.71), (0.97, 0.70)])
    words = memory_words(memorisation_table({"article": learned}))
    assert len(words) == 1
    assert "'article' has learned copies by heart" in words[0]
    assert "98% of its crop copies but 70% of fresh ones" in words[0]
    assert "augmentation: fresh" in words[0]
    # That nothing is shown is no sign that nothing is there: no sentence says so.
    wavering = runs(tmp_path, 10, [(0.9, 0.6), (0.9, 0.9), (0.9, 0.75)])
    assert memory_words(memorisation_table({"article": wavering})) == []
    assert memory_words(memorisation_table({"article": dict(list(learned.items())[:1])})) == []
    assert memorisation_table({"article": {(0, 0): tmp_path / "absent"}}) == {}


def test_small_gaps_are_not_worth_a_sentence_and_many_recipes_ask_for_more(tmp_path):
    small = runs(tmp_path, 20, [(0.73, 0.70), (0.73, 0.701), (0.731, 0.70)])
    assert memory_words(memorisation_table({"article": small})) == []
    rng = np.random.default_rng(0)
    gaps = {
        f"r{k}": runs(tmp_path, 100 + 10 * k, 0.7 + rng.normal(0, 0.05, (3, 2))) for k in range(12)
    }
    assert memory_words(memorisation_table(gaps)) == []
