"""docs/techniques.md is what the code would write now."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from equipoise.techniques import CATALOGUE, mixing

DOCS = Path(__file__).parents[2] / "docs"
NAMES = [*CATALOGUE, *mixing.__all__]


@pytest.fixture(scope="module")
def script(docs_script):
    return docs_script("make_techniques")


def test_the_page_is_up_to_date(script):
    committed = (DOCS / "techniques.md").read_text("utf-8")
    assert committed == script.page(), "run python docs/make_techniques.py"


def test_each_technique_has_its_picture_and_no_other(script):
    folder = DOCS / script.PICTURES
    assert {path.stem for path in folder.iterdir()} == set(NAMES)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000
    for name in NAMES:
        assert cv2.imread(str(folder / f"{name}.png")).shape[0] == script.SIDE


@pytest.mark.parametrize("name", ["flip", "chain", "cutmix", "cmo"])
def test_a_strip_shows_the_original_and_what_becomes_of_it(script, name):
    strip = script.strip(name)
    tiles = [strip[:, k * (script.SIDE + script.GAP) :][:, : script.SIDE] for k in range(4)]
    assert strip.shape == (script.SIDE, 4 * script.SIDE + 3 * script.GAP, 3)
    assert not np.array_equal(tiles[0], tiles[3])
