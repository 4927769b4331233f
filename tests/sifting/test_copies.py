"""Near copies are found mirrored, cropped and coded again, and other pictures are none."""

import cv2
import numpy as np
import pytest

from equipoise.sifting.copies import SIDE, find_copies


def again(image, quality):
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


def window(image, side, top, left):
    return cv2.resize(image[top : top + side, left : left + side], (SIDE, SIDE))


CHANGES = {
    "mirrored": lambda image: image[:, ::-1],
    "coded again": lambda image: again(image, 40),
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=0.7, beta=60),
    "cropped": lambda image: window(image, 24, 5, 2),
    "cropped to two fifths": lambda image: window(image, 20, 9, 11),
    "all of it": lambda image: again(window(image[:, ::-1], 26, 1, 4), 60),
}


@pytest.fixture(scope="module")
def pictures(patches):
    return np.stack(
        [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
         for image in patches(80, 160, 160)]
    )  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_whatever_was_done_to_them(pictures, change):
    changed = np.stack([np.ascontiguousarray(CHANGES[change](image)) for image in pictures[:40]])
    # Some show a plain sky, where there is little to know them again by.
    telling = pictures[:40].std(axis=(1, 2)).mean(axis=1) > 25
    found = find_copies(changed, pictures)
    assert telling.sum() >= 20
    assert (found.likeness > 0.94)[telling].mean() >= 0.95
    if change == "mirrored":  # other windows may show the same part of the photograph
        assert (found.reference == np.arange(40))[telling].all()
        assert found.mirrored[telling].all()
        np.testing.assert_allclose(found.likeness[telling], 1, atol=1e-3)


def test_a_picture_is_no_copy_of_itself_where_it_is_known_to_be_one(pictures):
    found = find_copies(pictures, pictures, np.arange(80))
    assert (found.reference != np.arange(80)).all()


def test_noise_and_one_colour_are_like_nothing(pictures):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
    plain = np.full((1, SIDE, SIDE, 3), 130, np.uint8)
    found = find_copies(np.concatenate([noise, plain]), np.concatenate([pictures, plain]))
    assert (found.likeness[:4] < 0.5).all()
    assert found.likeness[4] == 0


def test_many_references_are_looked_at_in_parts(pictures, monkeypatch):
    whole = find_copies(pictures[:10], pictures)
    monkeypatch.setattr("equipoise.sifting.copies._REFERENCES", 7)
    monkeypatch.setattr("equipoise.sifting.copies._PICTURES", 3)
    parts = find_copies(pictures[:10], pictures)
    np.testing.assert_allclose(parts.likeness, whole.likeness, atol=1e-5)
    assert (parts.reference == whole.reference).all()
