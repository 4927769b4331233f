import numpy as np
import pytest

from equipoise.files import read_json, write_json
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.studies.memory import MEMORY, memory_table, memory_words, remember
from equipoise.training import Trainer, fit, write_run

QUICK = Trainer(name="quick", epochs=4, batch_size=32)


@pytest.fixture(scope="module")
def digits():
    return load("digits", classes=["3", "1", "8"])


def asked(digits, recipe, folder):
    write_run(folder, fit(digits, recipe, QUICK, seed=1))
    remember(folder, digits, recipe, 1)
    return folder


def test_what_was_trained_on_is_told_from_its_like(digits, tmp_path):
    fields = {"strategy": "auto", "techniques": ("noise", "flip"), "strength": {"3": 0.5}}
    folders = {
        name: [asked(digits, Recipe(name=name, augmentation=name, **fields), tmp_path / name)]
        for name in ("static", "fresh")
    }
    folders["none"] = [asked(digits, Recipe(name="none"), tmp_path / "none")]
    table = memory_table(folders)
    assert table["static"]["classes"] == ["8"]
    noise = table["static"]["techniques"]["noise"]
    made = 90 - 8
    assert noise["copies"]["images"] == noise["fresh"]["images"] == made // 2
    assert noise["copies"]["mean"] >= noise["fresh"]["mean"]
    assert noise["gap"]["mean"] == pytest.approx(noise["copies"]["mean"] - noise["fresh"]["mean"])
    # A flip has no other like it: its fresh copies are its copies.
    assert table["static"]["techniques"]["flip"]["gap"]["mean"] == 0
    fresh = table["fresh"]["techniques"]["noise"]
    assert fresh["copies"] is None
    assert fresh["gap"] is None
    assert fresh["validation"]["images"] == (digits.validation.labels == 2).sum()
    assert table["none"]["techniques"] == {}
    assert table["none"]["clean"]["images"] == 8
    before = (tmp_path / "none" / MEMORY).stat().st_mtime_ns
    remember(tmp_path / "none", digits, Recipe(name="none"), 1)
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


def test_a_sentence_where_copies_are_learned_by_heart_and_only_there(tmp_path):
    learned = [folder(tmp_path, k, 0.99 - k / 100, 0.7) for k in range(3)]
    words = memory_words(memory_table({"article": learned}))
    assert "'article' has learned copies by heart" in words[0]
    assert "98% of its crop copies but 70% of fresh ones" in words[0]
    assert "augmentation: fresh" in words[0]
    wavering = [folder(tmp_path, 10 + k, 0.9, 0.6 + 0.3 * k) for k in range(2)]
    assert "no sign" in memory_words(memory_table({"article": wavering}))[0]
    one = memory_words(memory_table({"article": learned[:1]}))
    assert "may be chance" in one[0]
    assert memory_table({"article": [tmp_path / "absent"]}) == {}
