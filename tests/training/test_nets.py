import numpy as np
import pytest
import torch
from torch import nn

from equipoise import InputError
from equipoise.training.nets import NETS, build_net, whiten


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (9, 30), (24, 24), (32, 32), (64, 64)])
def test_every_net_takes_any_size_and_gives_logits(net, channels, size):
    module = build_net(net, channels, 5, size, seed=0)
    logits = module(torch.randn(3, channels, *size))
    assert logits.shape == (3, 5)
    assert logits.isfinite().all()
    # Logits, not probabilities.
    assert not torch.allclose(logits.sum(1), torch.ones(3))


@pytest.mark.parametrize("net", NETS)
def test_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone(net):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (build_net(net, 3, 2, (32, 32), seed) for seed in (7, 7, 8))
    assert torch.rand(1) == expected
    states = [torch.cat([p.flatten() for p in m.parameters()]) for m in (first, again, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_articles_net_has_its_layers_in_its_order():
    module = build_net("article", 3, 2, (32, 32), seed=0)
    layers = [type(layer).__name__ for layer in module]
    pair = ["Conv2d", "ReLU", "BatchNorm2d", "Conv2d", "ReLU", "MaxPool2d", "BatchNorm2d"]
    assert layers == pair * 3 + ["Conv2d", "AvgPool2d", "Flatten"]
    shapes = [tuple(m.weight.shape) for m in module if isinstance(m, nn.Conv2d)]
    widths = [(8, 3), (8, 8), (32, 8), (32, 32), (128, 32), (128, 128)]
    assert shapes == [(*pair, 3, 3) for pair in widths] + [(2, 128, 1, 1)]
    assert sum(p.numel() for p in module.parameters()) == sum(
        o * i * 9 + o + 2 * o for o, i in widths
    ) + (2 * 128 + 2)


def test_the_articles_last_pool_is_3_by_3_where_its_map_is_3_or_4_wide():
    pools = {
        size: type(build_net("article", 3, 2, (size, size), seed=0)[-2]).__name__
        for size in (8, 16, 24, 31, 32, 39, 40, 64)
    }
    assert {size for size, pool in pools.items() if pool == "AvgPool2d"} == {24, 31, 32, 39}


def test_the_articles_weights_are_xavier_uniform_with_biases_of_a_hundredth():
    for layer in build_net("article", 3, 2, (32, 32), seed=0):
        if isinstance(layer, nn.Conv2d):
            area = layer.kernel_size[0] * layer.kernel_size[1]
            bound = np.sqrt(6 / (area * (layer.in_channels + layer.out_channels)))
            weight = layer.weight.detach().numpy()
            assert np.abs(weight).max() <= bound
            assert np.isclose(weight.std(), bound / np.sqrt(3), rtol=0.15)
            assert (layer.bias == 0.01).all()


@pytest.mark.parametrize(("net", "parameters"), [("residual", 412_954), ("resnet32", 464_154)])
def test_parameter_counts_with_ten_classes(net, parameters):
    module = build_net(net, 3, 10, (32, 32), seed=0)
    assert sum(p.numel() for p in module.parameters()) == parameters


def test_ones_own_net_and_bad_names_and_sizes():
    def linear(channels, classes, size):
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))

    own = build_net(linear, 3, 4, (8, 9), seed=0)
    assert own(torch.zeros(2, 3, 8, 9)).shape == (2, 4)
    with pytest.raises(InputError, match=r"no net 'articel'. Did you mean 'article'"):
        build_net("articel", 3, 2, (32, 32), seed=0)
    with pytest.raises(InputError, match="at least 8×8"):
        build_net("article", 3, 2, (7, 32), seed=0)


def test_whitening_is_the_same_however_the_images_are_parted(patches):
    images = torch.from_numpy(patches(60, 32, 24)).permute(0, 3, 1, 2).float() / 255
    one, many = (build_net("airbench", 3, 2, (32, 24), seed=0) for _ in range(2))
    whiten(one, [images])
    whiten(many, images.split(7))
    torch.testing.assert_close(many[0].weight, one[0].weight)


def test_whitening_gives_directions_of_like_variance_with_their_negatives(digits):
    images = torch.from_numpy(digits.train.array).permute(0, 3, 1, 2).float()
    images = (images - images.mean()) / images.std()
    net = build_net("airbench", 1, 2, (8, 8), seed=0)
    whiten(net, images.split(100))
    maps = net[0](images)
    assert not net[0].weight.requires_grad
    assert torch.equal(maps[:, :2], -maps[:, 2:])
    variances = (maps[:, :2] ** 2).mean((0, 2, 3))
    # One where a direction's variance is far above the floor of a hundredth.
    assert torch.all((variances > 0.8) & (variances <= 1.0))
    assert abs((maps[:, 0] * maps[:, 1]).mean()) < 1e-4
