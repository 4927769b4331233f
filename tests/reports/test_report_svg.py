"""Plots: well-formed, in the page's colours, and safe from names."""

from xml.etree import ElementTree

import numpy as np
import pytest

from equipoise.reports.plots import Band, confusion_map, learning
from equipoise.reports.svg import ACCENT, inline, visible

HOSTILE = ("$x_1$ $", "<script>alert(1)</script>", "a\nb", "\u202egod", '" onload="x', "#00609c")


def curve() -> str:
    x = np.arange(1.0, 11.0)
    band = Band(x, x / 20, x / 20 - 0.01, x / 20 + 0.01)
    return learning(band, band, None, (0.0, 1.0), shares=True)


def test_a_plot_takes_the_colours_of_the_page():
    file = curve()
    assert ACCENT in file
    page = inline(file, "one", "A <plot>")
    assert "var(--accent)" in page
    assert ACCENT not in page
    assert 'aria-label="A &lt;plot&gt;"' in page
    assert "<style" not in page
    assert "<metadata" not in page
    ElementTree.fromstring(page.replace("xlink:href", "href"))


def test_ids_of_two_plots_do_not_meet():
    pages = [inline(curve(), name, "") for name in ("one", "two")]
    ids = [set(part.split('"')[0] for part in page.split(' id="')[1:]) for page in pages]
    assert ids[0]
    assert not ids[0] & ids[1]
    targets = {part.split('"')[0] for part in pages[0].split('href="#')[1:]}
    assert targets <= ids[0]


def test_the_same_curve_gives_the_same_file():
    assert curve() == curve()


def test_hostile_class_names_are_text():
    page = inline(confusion_map(np.eye(len(HOSTILE)) * 9, HOSTILE), "map", "")
    tree = ElementTree.fromstring(page.replace("xlink:href", "href"))
    texts = [text for node in tree.iter() if node.tag.endswith("text") for text in node.itertext()]
    for name in HOSTILE:
        assert visible(name, 16) in texts
    assert "<script" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", ["\ud800", "日本", "🐕", "x" * 300])
def test_any_name_can_be_drawn(name):
    assert "<svg" in confusion_map(np.eye(11), [name] * 11)
    assert len(visible(name)) <= 24
