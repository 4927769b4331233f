"""Techniques made of techniques."""

import numpy as np
import pytest

from equipoise.engine import augment
from equipoise.errors import InputError
from equipoise.techniques import CATALOGUE, resolve
from equipoise.techniques.steps import places

NESTED = {
    "chain": {
        "techniques": [
            "crop",
            {"noise": {"white": 0.3}},
            {"one_of": {"techniques": ["flip", "rotate"]}},
            "hue",
        ]
    }
}


def test_a_chain_is_its_parts_one_after_the_other(patches):
    images, ids = patches(90, 32, 32), np.arange(90)
    result = images
    for part, place in zip(resolve(NESTED).parts, (1, 2, 3, 6), strict=True):
        result = augment(result, part, seed=5, ids=ids, place=place)
    assert np.array_equal(result, augment(images, NESTED, seed=5, ids=ids))
    assert places(resolve(NESTED)) == 7


def test_one_technique_twice_draws_twice(patches):
    images, ids = patches(4, 16, 16), np.arange(4)
    twice = augment(images, {"chain": {"techniques": ["noise", "noise"]}}, seed=0, ids=ids)
    first = augment(images, "noise", seed=0, ids=ids, place=1)
    again = augment(first, "noise", seed=0, ids=ids, place=1)
    assert np.array_equal(again, first)
    assert not np.array_equal(twice, first)


def test_a_chain_of_a_share(patches):
    images, ids = patches(600, 6, 6), np.arange(600)
    spec = {"chain": {"techniques": ["flip", "vertical_flip"], "probability": 0.25}}
    result = augment(images, spec, seed=0, ids=ids)
    turned = (result == images[:, ::-1, ::-1]).all(axis=(1, 2, 3))
    assert (turned | (result == images).all(axis=(1, 2, 3))).all()
    assert abs(turned.mean() - 0.25) < 4.5 * np.sqrt(0.1875 / 600)


def test_one_of_carries_out_each_equally_often(patches):
    images, ids = patches(900, 6, 6), np.arange(900)
    spec = {"one_of": {"techniques": ["flip", "vertical_flip", "posterize"], "probability": 0.9}}
    result = augment(images, spec, seed=0, ids=ids)
    kinds = [images[:, :, ::-1], images[:, ::-1], images & 240, images]
    shares = [(result == kind).all(axis=(1, 2, 3)) for kind in kinds]
    assert np.logical_or.reduce(shares).all()
    for found, share in zip(shares, (0.3, 0.3, 0.3, 0.1), strict=True):
        assert abs(found.mean() - share) < 0.08


def test_one_of_is_the_technique_at_its_place(patches):
    images, ids = patches(40, 16, 16), np.arange(40)
    spec = {"one_of": {"techniques": ["crop", {"chain": {"techniques": ["noise"]}}, "rotate"]}}
    result = augment(images, spec, seed=0, ids=ids, place=2)
    each = [
        augment(images, part, seed=0, ids=ids, place=place)
        for part, place in zip(resolve(spec).parts, (3, 4, 6), strict=True)
    ]
    for i, found in enumerate(result):
        assert any(np.array_equal(found, options[i]) for options in each)


def test_trivial_draws_technique_and_magnitude(patches):
    images, ids = patches(600, 16, 16), np.arange(600)
    spec = {"trivial": {"techniques": ["solarize"]}}
    result = augment(images, spec, seed=0, ids=ids)
    clean = (result == images).all(axis=(1, 2, 3))
    assert 0.45 < clean.mean() < 0.75  # half of them, and those that are too dark to turn
    thresholds = {augment(images[i : i + 1], spec, seed=0, ids=[i]).tobytes() for i in range(60)}
    assert len(thresholds) > 20
    mild = augment(images, {"trivial": {"magnitude": 0.1}}, seed=0, ids=ids)
    strong = augment(images, "trivial", seed=0, ids=ids)
    change = [np.abs(kind.astype(int) - images).mean() for kind in (mild, strong)]
    assert 0 < 4 * change[0] < change[1]


def test_trivial_leaves_colour_out_for_grey(patches):
    images = patches(200, 8, 8, 1)
    assert augment(images, "trivial", seed=0, ids=np.arange(200)).shape == images.shape
    with pytest.raises(InputError, match="saturation needs colour images"):
        augment(images, {"chain": {"techniques": ["saturation"]}}, seed=0, ids=np.arange(200))


def test_every_technique_takes_a_magnitude_an_image(patches):
    """In a policy each image has its own, and gets what it would get alone."""
    names = [name for name, found in CATALOGUE.items() if found.family != "policy"]
    images, ids = patches(120, 12, 15), np.arange(120)
    spec = {"trivial": {"techniques": names}}
    result = augment(images, spec, seed=0, ids=ids)
    for i in range(120):
        assert np.array_equal(result[i : i + 1], augment(images[i : i + 1], spec, seed=0, ids=[i]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"chain": {"techniques": []}}, "chain needs techniques"),
        ({"chain": {"techniques": "flip"}}, "takes a list of techniques, but got 'flip'"),
        ({"one_of": {"techniques": ["flop"]}}, "Did you mean 'crop'|Did you mean 'flip'"),
        ({"one_of": {"part": ["flip"]}}, "parameter of one_of 'part'"),
        ({"trivial": {"techniques": ["chain"]}}, "but got 'chain'"),
        ({"trivial": {"magnitude": 2}}, "0 <= magnitude <= 1"),
    ],
)
def test_what_policies_refuse(spec, message):
    with pytest.raises(InputError, match=message):
        resolve(spec)
