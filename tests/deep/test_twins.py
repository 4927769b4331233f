"""Near duplicates are confirmed in the pixels and linked completely."""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from equipoise.deep.twins import _linked, likeness
from equipoise.readers.sizing import resize, to_channels


def grey(picture):
    return to_channels(resize(np.ascontiguousarray(picture), 96), 1)[..., 0]


@pytest.fixture(scope="module", params=["china.jpg", "flower.jpg"])
def photo(request):
    return load_sample_image(request.param)[100:340, 200:520]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[20:215, 30:290],
        lambda p: p[:, 60:],
        lambda p: (p * 0.5).astype(np.uint8),
        lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [1, 20])[1], cv2.IMREAD_COLOR),
        lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
        lambda p: (255 * (p / 255.0) ** 1.6).astype(np.uint8),
    ],
    ids=["crop", "narrower", "darker", "coarse", "smaller", "gamma"],
)
def test_the_same_picture_is_confirmed_either_way_round(photo, change):
    one, other = grey(photo), grey(change(photo))
    assert likeness(one, other) >= 0.9
    assert likeness(other, one) >= 0.9


def test_other_pictures_are_not(patches):
    some = [grey(picture) for picture in patches(12, 120, 120)]
    for k, one in enumerate(some):
        assert all(likeness(one, other) < 0.9 for other in some[:k])


def test_even_and_mirrored_pictures_are_not(photo):
    even = np.full((96, 96), 80, np.uint8)
    assert likeness(even, even) < 0.9
    assert likeness(even, grey(photo)) < 0.9
    assert likeness(grey(photo), grey(photo[:, ::-1])) < 0.9


def test_a_film_does_not_chain_into_one_group():
    looked = []

    def look(one, other):
        looked.append((one, other))
        return 0.95 if abs(one - other) <= 2 else 0.1

    known = {(k, k + 1): 0.99 - k / 100 for k in range(7)}
    groups = _linked(known, look)
    members = [one for group in groups for one in group]
    assert len(members) == len(set(members))
    assert all(max(group) - min(group) <= 2 for group in groups)
    assert groups[0] == [0, 1, 2] or groups[0] == [0, 1]
    assert len(looked) == len(set(looked))
