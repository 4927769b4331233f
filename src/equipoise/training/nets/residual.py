"""A small residual net whose stages all cost about the same."""

from torch import Tensor, nn

__all__ = ["residual"]

_WIDTH = 16


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
    width = _WIDTH
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


def _block(inputs: int, outputs: int, pool: bool = False) -> list[nn.Module]:
    return [
        # Batch norm takes the place of a bias.
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
