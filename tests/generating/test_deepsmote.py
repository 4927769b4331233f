"""DeepSMOTE: it learns, makes the same images again, and between those that there are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.errors import InputError
from equipoise.generating.deepsmote import Autoencoder, deepsmote
from equipoise.generating.making import Workplace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def train(shots):
    return eq.load(shots).train


def maker(train, folder, told=None, seed=0, **given):
    place = Workplace(folder, seed, CPU, lambda *what: told is not None and told.append(what))
    return deepsmote(train, **{"steps": 40, "latent": 32, **given})(place)


@pytest.fixture(scope="module")
def model(train, tmp_path_factory):
    return maker(train, tmp_path_factory.mktemp("model"))


def test_what_is_learned_is_kept_and_makes_the_same(train, tmp_path, model):
    told = []
    first = maker(train, tmp_path, told)
    assert told[-1] == (40, 40, "training the model")
    again = maker(train, tmp_path, told := [])
    assert told == []
    assert first.model == again.model == model.model
    for number in (0, 7):
        image = first.make(1, number)
        assert image.shape == (16, 16, 3)
        assert image.dtype == np.uint8
        assert (image == again.make(1, number)).all()
        assert (image == model.make(1, number)).all()
    assert maker(train, tmp_path / "other", seed=1).model != first.model


def test_an_image_is_between_two_of_its_class(train, model):
    names = train.names.tolist()
    seen = set()
    for number in range(40):
        origin = model.origin(1, number)
        other = names.index(origin.details["towards"])
        assert train.labels[origin.source] == train.labels[other] == 1
        assert other != origin.source
        assert 0 <= origin.details["share"] < 1
        seen.add(origin.source)
    assert len(seen) > 10


def test_training_brings_images_back(train, tmp_path):
    """The penalty included, the net comes closer to the images than their mean is."""
    model = maker(train, tmp_path, steps=150)
    made = np.stack([model.make(label, k) for label in (0, 1) for k in range(20)]).astype(float)
    real = train.array.astype(float)
    per_class = [real[train.labels == label].mean() for label in (0, 1)]
    found = [made[:20].mean(), made[20:].mean()]
    np.testing.assert_allclose(found, per_class, atol=25)
    assert np.argmax(found) == np.argmax(per_class)


def test_one_image_of_a_class_has_nowhere_to_go(train, tmp_path):
    rows = np.append(np.flatnonzero(train.labels == 1), np.flatnonzero(train.labels == 0)[:1])
    model = maker(train.select(rows), tmp_path, steps=2)
    assert model.origin(0, 3).details["towards"] == train.names[rows[-1]]
    assert (model.make(0, 1) == model.make(0, 2)).all()


@pytest.mark.parametrize(
    ("height", "width", "made"), [(8, 12, (8, 12)), (40, 40, (40, 40)), (70, 90, (64, 64))]
)
def test_images_of_every_size(patches, tmp_path, height, width, made, train):
    some = replace(train.select(np.arange(8)), images=patches(8, height, width, 1))
    model = maker(some, tmp_path, steps=1)
    assert model.make(int(some.labels[0]), 0).shape == (*made, 1)
    notes = () if made == (height, width) else ("Images are made at 64×64 pixels",)
    assert model.notes == notes


def test_images_of_mixed_sizes_are_refused(train, patches):
    mixed = [*patches(4, 8, 8), *patches(4, 9, 9)]
    with pytest.raises(InputError, match="--size"):
        deepsmote(replace(train.select(np.arange(8)), images=mixed))


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_net_gives_back_the_shape_it_takes(side):
    net = Autoencoder(side, 3, 20)
    images = torch.rand(2, 3, side, side)
    assert net(images).shape == images.shape
    assert net.encoder(images).shape == (2, 20)
