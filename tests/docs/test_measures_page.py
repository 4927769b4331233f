"""docs/measures.md speaks of everything that a recipe can name, with its plot."""

import re
from pathlib import Path

import pytest

from equipoise.recipes import Recipe
from equipoise.training import LOSSES, MIXINGS
from equipoise.training.draws import WAYS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "measures.md").read_text("utf-8")
ENTRIES = [*LOSSES.values(), *MIXINGS.values()]


@pytest.fixture(scope="module")
def script(docs_script):
    return docs_script("make_measures")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_each_loss_and_mixing_has_its_section(entry):
    section = PAGE.split(f"### {entry.name}\n")[1].split("\n#")[0]
    for parameter in entry.parameters:
        assert re.search(rf"`{parameter.name}`[^()]*\({parameter.default:g}\b", section)
    words = " ".join(section.split())
    assert entry.paper.split('"')[0].split(",")[0].split(" et al")[0] in words
    assert "](pictures/" in section or entry.name == "cross_entropy"


def test_each_way_to_draw_and_each_field_is_there():
    for way in WAYS:
        assert f"| `{way}` |" in PAGE
    for field in Recipe.model_fields:
        assert f"\n{field}:" in PAGE


def test_the_plots_are_those_that_the_script_draws(script):
    drawn = script.plots()
    assert {path.stem for path in script.PICTURES.iterdir()} == set(drawn)
    assert set(re.findall(r"pictures/measures/(\w+)\.svg", PAGE)) == set(drawn)
    assert script.svg(drawn["focal"]).startswith("<?xml")
    assert sum(path.stat().st_size for path in script.PICTURES.iterdir()) < 500_000
