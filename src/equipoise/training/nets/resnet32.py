"""The ResNet-32 of the long-tail papers."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["resnet32"]

_BLOCKS = 5


class _Block(nn.Module):
    """Two convolutions and a shortcut without parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = 1 if inputs == outputs else 2
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, self.stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        if self.stride == 2:
            # The papers' option A: every other pixel, and zeros for the new channels.
            missing = y.shape[1] - x.shape[1]
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, missing // 2, missing // 2))
        return torch.relu(x + y)


def resnet32(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return the ResNet-32 with 16, 32 and 64 channels, 0.46 M parameters.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2;
    its initial weights are those of "Delving deep into rectifiers", ICCV 2015.
    """
    widths = [16] * (_BLOCKS + 1) + [32] * _BLOCKS + [64] * _BLOCKS
    net = nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        *(_Block(inputs, outputs) for inputs, outputs in pairwise(widths)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return net
