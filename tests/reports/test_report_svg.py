"""Plots: well-formed, in the page's colours, and safe from names."""

from xml.etree import ElementTree

import numpy as np

from equipoise.reports.plots import Band, learning
from equipoise.reports.svg import ACCENT, inline


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


def test_a_chart_fills_its_width_and_keeps_the_gaps_between_words():
    file = (
        '<svg xmlns="x" width="9" height="40"><g>\n<text><tspan>a</tspan> <tspan>b</tspan></text>'
    )
    page = inline(f"{file}</g></svg>", "chart", "")
    assert 'height="40" data-fills' in page
    assert "</tspan> <tspan>" in page
    assert "viewBox" not in page
