"""The erased box: its size, its place, its value."""

import numpy as np

from equipoise.engine import augment
from equipoise.techniques.occlusion import fill_boxes


def test_boxes_are_filled_and_the_rest_is_kept(patches, carried_out):
    images = patches(3, 20, 30)
    boxes = np.array([[0, 0, 20, 30], [5, 6, 9, 12], [4, 4, 4, 8]])
    out = carried_out(fill_boxes, images, boxes, np.array([0, 128, 255], np.uint8))
    expected = images.copy()
    expected[0] = 0
    expected[1, 5:9, 6:12] = 128
    assert np.array_equal(out, expected)


def test_the_centre_is_any_pixel_and_the_border_cuts_off():
    images = np.zeros((3000, 20, 30, 1), np.uint8)
    result = augment(images, "erase", seed=0, ids=np.arange(3000), size=0.5, fill=255)[..., 0] > 0
    heights, widths = result.any(axis=2).sum(axis=1), result.any(axis=1).sum(axis=1)
    assert heights.max() == 10
    assert widths.max() == 15
    assert heights.min() == 5  # centred on the first row
    assert (result.sum(axis=(1, 2)) == heights * widths).all()
    # A pixel is covered by the centres that lie within half a box of it.
    covered = result.mean(axis=0)
    rows, columns = np.full(20, 10), np.full(30, 15)
    rows[:5], rows[-4:] = range(6, 11), range(9, 5, -1)
    columns[:7], columns[-7:] = range(8, 15), range(14, 7, -1)
    assert np.abs(covered - np.outer(rows / 20, columns / 30)).max() < 0.04
