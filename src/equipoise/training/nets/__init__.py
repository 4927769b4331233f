"""The nets by name. Each is a function (channels, classes, (height, width)) -> `nn.Module`.

A net takes N×C×H×W floats of about zero mean and unit variance and gives N×K logits.
"""

from collections.abc import Callable

import torch
from torch import nn

from equipoise.errors import require, unknown
from equipoise.training.nets.article import article
from equipoise.training.nets.residual import residual
from equipoise.training.nets.resnet32 import resnet32

__all__ = ["NETS", "Net", "build_net", "check_size"]

Net = Callable[[int, int, tuple[int, int]], nn.Module]

NETS: dict[str, Net] = {"article": article, "residual": residual, "resnet32": resnet32}


def build_net(
    net: str | Net, channels: int, classes: int, size: tuple[int, int], seed: int
) -> nn.Module:
    """Return a new net in channels-last layout, its weights a function of `seed` alone.

    Parameters
    ----------
    net : str or callable
        A name in `NETS`, or a function with the same three arguments.
    channels : int
        1, 3 or 4.
    classes : int
    size : (height, width)
        At least 8×8.
    seed : int
    """
    if isinstance(net, str) and net not in NETS:
        raise unknown("net", net, NETS)
    check_size(size)
    builder = NETS[net] if isinstance(net, str) else net
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        module = builder(channels, classes, size)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def check_size(size: tuple[int, int]) -> None:
    """Raise `InputError` for images that are too small for the nets."""
    require(
        min(size) >= 8,
        "images of at least 8×8 for a net",
        remedy="Load them with size=N.",
        size=f"{size[0]}×{size[1]}",
    )
