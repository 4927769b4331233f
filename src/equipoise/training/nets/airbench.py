"""Small nets for little time on a CPU: plain behind a frozen whitening layer, and residual."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Whitening", "airbench", "airbench_wide", "residual", "whiten"]

_PATCH = 2
# Added to the variance of each direction, which keeps noise from being blown up.
_LEAST = 1e-2


class Whitening(nn.Conv2d):
    """Patches of 2×2 pixels along the directions in which they vary most, each with its negative.

    Its weights are no parameters: they come from images, by `fit`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels * _PATCH**2, _PATCH, bias=False)
        self.weight.requires_grad_(False)

    def fit(self, blocks: Iterable[Tensor]) -> None:
        """Take the directions from some blocks of N×C×H×W normalised images."""
        channels, half = self.in_channels, self.out_channels // 2
        products, count = torch.zeros((), dtype=torch.float64, device=self.weight.device), 0
        for images in blocks:
            patches = images.unfold(2, _PATCH, 1).unfold(3, _PATCH, 1).permute(0, 2, 3, 1, 4, 5)
            patches = patches.reshape(-1, channels * _PATCH**2).double()
            products = products + patches.T @ patches
            count += len(patches)
        variance, directions = torch.linalg.eigh(products / count)
        # Eigenvectors have no sign of their own: the largest entry is made positive.
        largest = directions.abs().argmax(0)
        directions = directions * directions[largest, torch.arange(len(largest))].sign()
        scaled = (directions / (variance + _LEAST).sqrt()).T.flip(0)[:half]
        scaled = scaled.reshape(half, channels, _PATCH, _PATCH)
        self.weight.data.copy_(torch.cat([scaled, -scaled]))


def whiten(net: nn.Module, blocks: Iterable[Tensor]) -> None:
    """Fit the whitening layer of a net, if it has one, to blocks of N×C×H×W normalised images."""
    layer = next((layer for layer in net.modules() if isinstance(layer, Whitening)), None)
    if layer is not None:
        layer.fit(blocks)


def airbench(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return six convolutions behind a whitening layer, 97 k parameters with two classes.

    The shape is that of Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, less wide
    where maps are large. Pooling comes right after a convolution, so that batch norm and ReLU,
    bound by memory, see a quarter of the map.
    """
    return _net(channels, classes, size, width=8)


def airbench_wide(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return `airbench` twice as wide."""
    return _net(channels, classes, size, width=16)


def _net(channels: int, classes: int, size: tuple[int, int], width: int) -> nn.Module:
    return nn.Sequential(
        Whitening(channels),
        nn.ReLU(inplace=True),
        *_group(channels * _PATCH**2, 2 * width),
        *_group(2 * width, 6 * width),
        # Of small images nothing is left to pool.
        *_group(6 * width, 8 * width, pool=min(size) >= 16),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, classes),
    )


class _Residual(nn.Module):
    """Two convolutions that are added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*_block(width, width), *_block(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def residual(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return a residual net of eight convolutions, 412 k parameters with two classes.

    The shape is that of the DAWNBench entries that `airbench` grew from (He et al., "Deep residual
    learning for image recognition", CVPR 2016, cut to two residual blocks), a quarter as wide.
    Pooling comes right after the convolution, so that batch norm and ReLU, bound by memory, see a
    quarter of the map.
    """
    width = 16
    return nn.Sequential(
        *_block(channels, width),
        *_block(width, 2 * width, pool=True),
        _Residual(2 * width),
        *_block(2 * width, 4 * width, pool=True),
        *_block(4 * width, 8 * width, pool=min(size) >= 16),
        _Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, classes),
    )


def _group(inputs: int, outputs: int, pool: bool = True) -> list[nn.Module]:
    return [*_block(inputs, outputs, pool=pool), *_block(outputs, outputs)]


def _block(inputs: int, outputs: int, pool: bool = False) -> list[nn.Module]:
    return [
        # Batch norm takes the place of a bias.
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
