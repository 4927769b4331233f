"""What size and fit do to pictures, told before anything is trained."""

import json

import cv2
import numpy as np
import pytest

import equipoise as eq
from equipoise.auditing.shapes import shapes
from equipoise.cli import run


def test_figures_of_known_sizes():
    found = shapes({"200×100": 3, "100×100": 1}, "squash")
    assert found is not None
    assert (found.elongation, found.largest_elongation) == (2.0, 2.0)
    assert (found.cropped, found.largest_cropped) == (0.375, 0.5)
    assert found.detail_size == 200
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("sizes", "fit", "words"),
    [
        ({"400×100": 9, "100×100": 1}, "squash", "90% of the images are more than 3 times"),
        ({"200×100": 1}, "crop", "cuts 50% of an image away on average, 50% at most"),
        ({"1600×1600": 1}, "squash", "10 pixels of half of the images become one"),
    ],
)
def test_what_harms_is_said_where_it_does(sizes, fit, words):
    (remark,) = shapes(sizes, fit).remarks
    assert words in remark
    assert shapes({"32×32": 100}, fit).remarks == ()


def test_the_audit_tells_it_in_json_on_the_page_and_in_the_terminal(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (20, 100, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "set" / name / f"{number}.png"), pixels)
    assert eq.audit(eq.load(tmp_path / "set", cut=False)).shapes.elongation == 5.0
    out = tmp_path / "audit"
    assert run(["audit", str(tmp_path / "set"), "--fit", "crop", "--out", str(out)]) == 0
    assert "cuts 80% of an image away" in " ".join(capsys.readouterr().out.split())
    assert json.loads((out / "audit.json").read_text())["shapes"]["cropped"] == 0.8
    page = (out / "audit.html").read_text()
    assert "A centre crop would cut 80" in page
    assert "--fit squash cuts nothing" in page


def test_the_line_tells_shape_loss_by_a_crop_and_the_size_that_keeps_detail() -> None:
    line = shapes({"200×100": 3, "100×100": 1}, "squash").line

    assert line.startswith("Images are 2 times as long as wide (median; 2 at most)")
    assert "a centre crop would cut 38% of an image away on average, 50% at most" in line
    assert line.endswith("a side of 200 pixels keeps the detail of nine in ten")
    assert shapes({"300×300": 5}, "squash").line.startswith("All images are square; a side of 300")
    assert shapes({"32×32": 5}, "squash").line == ""
