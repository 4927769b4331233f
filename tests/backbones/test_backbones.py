"""The pretrained nets: published weights, the same figures from graph and net, embeddings."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from equipoise.backbones import BACKBONES, ActivationCache, embed, get_backbone
from equipoise.backbones.lite import SCALES, LiteNet
from equipoise.backbones.probe import LinearProbe
from equipoise.errors import InputError

# Of ImageNet's classes.
PALACE, DAISY = 698, 985


def square(name: str, size: int) -> np.ndarray:
    image = load_sample_image(name)
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    cropped = np.ascontiguousarray(image[top : top + side, left : left + side])
    return cv2.resize(cropped, (size, size), interpolation=cv2.INTER_AREA)


def tensor(pictures: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128


@pytest.fixture(scope="module")
def net() -> LiteNet:
    return get_backbone("lite0").net()


@pytest.mark.parametrize(("name", "label"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_the_published_weights_know_a_palace_and_a_flower(net, name, label):
    with torch.inference_mode():
        logits = net(tensor(square(name, 224)[None]))
    assert int(logits.argmax()) == label


@pytest.mark.parametrize("frozen", [3, 13, None])
@pytest.mark.parametrize("size", [64, 75])
def test_the_graph_computes_what_the_net_does(net, frozen, size):
    pictures = np.stack([square(name, size) for name in ("china.jpg", "flower.jpg")])
    with torch.inference_mode():
        x = net.stem(tensor(pictures))
        for block in list(net.blocks)[:frozen]:
            x = block(x)
        expected = x if frozen is not None else net.head(x).mean((2, 3))
    found = get_backbone("lite0").trunk(16 - frozen if frozen is not None else 0).run(pictures)
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", list(SCALES))
def test_every_scale_makes_logits(name):
    with torch.inference_mode():
        logits = LiteNet(SCALES[name], classes=5).eval()(torch.zeros(2, 3, 33, 40))
    assert logits.shape == (2, 5)


def test_the_number_of_blocks_is_the_net_s(net):
    assert BACKBONES["lite0"].blocks == len(net.blocks)


def test_an_unknown_backbone_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'lite"):
        get_backbone("lite9")


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch):
    other = "0" * 64
    changed = type(BACKBONES["lite0"])(**{**vars(BACKBONES["lite0"]), "sha256": other})
    with pytest.raises(InputError, match="does not hold the published weights"):
        changed.net()


def test_embeddings_tell_pictures_apart_and_take_any_channels(tmp_path):
    colour = np.stack([square(name, 48) for name in ("china.jpg", "flower.jpg")])
    cache = ActivationCache(tmp_path)
    vectors = embed(colour, size=64, cache=cache)
    assert vectors.shape == (2, 1280)
    assert vectors.dtype == np.float32
    assert not np.allclose(vectors[0], vectors[1], atol=0.1)
    grey = colour[..., :1]
    repeated = np.repeat(grey, 3, axis=-1)
    np.testing.assert_array_equal(
        embed(grey, size=64, cache=cache), embed(repeated, size=64, cache=cache)
    )


def test_a_feature_that_hardly_varies_in_training_is_not_blown_up():
    embeddings = np.random.default_rng(0).normal(size=(50, 8))
    embeddings[:, 3] = 0.0
    probe = LinearProbe(8, 2)
    probe.fit_scale(embeddings)
    torch.nn.init.ones_(probe.classifier.weight)
    strange = torch.zeros(1, 8)
    strange[0, 3] = 1.0
    assert probe(strange).abs().max() < 20
