"""A whole study with its diagnostics: recipes with extra images and strengths, and a prior."""

import cv2
import numpy as np
import pytest

from equipoise.files import read_json
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.reports import report
from equipoise.studies import compare
from equipoise.training import Trainer

KEYS = ("label_safety", "memory", "marks", "calibration", "shortcut_remedies", "generated")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    digits = load("digits", classes=["3", "8"])
    root = tmp_path_factory.mktemp("extra")
    (root / "8").mkdir()
    rng = np.random.default_rng(0)
    for k in range(6):
        cv2.imwrite(str(root / "8" / f"{k}.png"), rng.integers(0, 256, (20, 20), np.uint8))
    recipes = [
        "none",
        Recipe(
            name="mine",
            strategy="auto",
            techniques=("noise", "crop"),
            strength={"minority": 0.5},
            extra=str(root),
        ),
    ]
    out = tmp_path_factory.mktemp("study") / "out"
    trainer = Trainer(name="quick", epochs=1, batch_size=32)
    prior = {"3": 0.9, "8": 0.1}
    return compare(digits, recipes, seeds=2, out=out, trainer=trainer, jobs=1, prior=prior)


def test_every_diagnosis_stands_in_the_summary(study):
    summary = read_json(study.directory / "summary.json")  # as users read it
    assert set(KEYS) <= set(summary)
    assert set(summary["label_safety"]) == {"noise", "crop"}
    assert set(summary["label_safety"]["noise"]) == {"3", "8"}
    assert list(summary["memory"]) == ["none", "mine"]
    assert len(summary["memory"]["mine"]["techniques"]["crop"]["gap"]["values"]) == 2
    assert summary["generated"] == {"mine": {"8": 6}}
    assert summary["prior"] == {"3": 0.9, "8": 0.1}
    assert set(summary["calibration"]["recipes"]["mine"]["at"]) == {"training", "given"}
    for key in ("label_safety_words", "memory_words"):
        assert all(isinstance(line, str) for line in summary[key])


def test_and_in_the_report(study):
    html = report(study).read_text("utf-8")
    assert "6 of 8" in html
    for words in (*study.summary.calibration.words, *study.summary.memory_words):
        assert words.split(":")[0].replace("'", "&#39;") in html


def test_a_run_says_how_strong_each_copy_was(study):
    folder = study.directory / "trials" / "mine-seed0-draw0"
    assert "minority: 0.5" in (folder / "recipe.yaml").read_text()
    assert read_json(folder / "metrics.json")["generated"] == {"8": 6}
