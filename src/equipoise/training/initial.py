"""Initial weights."""

from torch import nn

__all__ = ["xavier"]


def xavier(net: nn.Module, bias: float = 0.01) -> nn.Module:
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
