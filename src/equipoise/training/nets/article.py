"""The ConvNet of the article this project starts from.

O. Olu-Ipinlaye, "Data augmentation: a class imbalance mitigative measure", Paperspace blog.
"""

from torch import nn

__all__ = ["article"]


def article(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return the article's net: seven convolutions, 198 k parameters with two classes.

    Its last 3×3 average pool is global here where the map is not 3 or 4 high and wide. It ends in
    logits: softmax belongs to the loss.
    """
    last_map = (size[0] // 8, size[1] // 8)
    pool = nn.AvgPool2d(3) if set(last_map) <= {3, 4} else nn.AdaptiveAvgPool2d(1)
    return _xavier(
        nn.Sequential(
            *_block(channels, 8, shrink=False),
            *_block(8, 8, shrink=True),
            *_block(8, 32, shrink=False),
            *_block(32, 32, shrink=True),
            *_block(32, 128, shrink=False),
            *_block(128, 128, shrink=True),
            nn.Conv2d(128, classes, 1),
            pool,
            nn.Flatten(),
        )
    )


def _block(inputs: int, outputs: int, shrink: bool) -> list[nn.Module]:
    # ReLU in place: a convolution's backward pass needs its input only, and a map less in memory
    # saves some percent of a step.
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        *([nn.MaxPool2d(2)] if shrink else []),
        nn.BatchNorm2d(outputs),
    ]


def _xavier(net: nn.Module, bias: float = 0.01) -> nn.Module:
    """Draw the weights of all convolutions Xavier-uniformly and set their biases; return the net.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, bias)
    return net
