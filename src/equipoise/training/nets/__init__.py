"""The nets by name. Each is a function (channels, classes, (height, width)) -> `nn.Module`.

A net takes N×C×H×W floats of about zero mean and unit variance and gives N×K logits.
"""

from collections.abc import Callable

import torch
from torch import nn

from equipoise.errors import require, unknown
from equipoise.parallel import seeded
from equipoise.training.nets.airbench import airbench, airbench_wide, residual, whiten
from equipoise.training.nets.article import article
from equipoise.training.nets.resnet32 import resnet32
from equipoise.training.nets.timm import PREFIX, check_timm, timm_net

__all__ = ["NETS", "Net", "build_net", "check_net", "check_size", "whiten"]

Net = Callable[[int, int, tuple[int, int]], nn.Module]

NETS: dict[str, Net] = {
    "airbench": airbench,
    "airbench_wide": airbench_wide,
    "article": article,
    "residual": residual,
    "resnet32": resnet32,
}


def build_net(
    net: str | Net,
    channels: int,
    classes: int,
    size: tuple[int, int],
    seed: int,
    weights: str | None = None,
) -> nn.Module:
    """Return a new net in channels-last layout, its weights a function of `seed` alone.

    Parameters
    ----------
    net : str or callable
        A name in `NETS`, timm's name after `timm/`, or a function with the same three arguments.
    channels : int
        1, 3 or 4.
    classes : int
    size : (height, width)
        At least 8×8.
    seed : int
    weights : str, optional
        Of a net of timm: 'pretrained', or a file.
    """
    if isinstance(net, str):
        check_net(net, weights)
    check_size(size)
    builder = net if callable(net) else NETS.get(net) or _of_timm(net, weights)
    with seeded(seed, torch.device("cpu")):
        module = builder(channels, classes, size)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _of_timm(net: str, weights: str | None) -> Net:
    name = net.removeprefix(PREFIX)
    return lambda channels, classes, size: timm_net(name, channels, classes, size, weights)


def check_net(name: str, weights: str | None = None) -> None:
    """Raise `InputError` for a name that is no net's, and for weights that a net cannot take."""
    if name.startswith(PREFIX):
        check_timm(name.removeprefix(PREFIX))
        return
    if name not in NETS:
        raise unknown("net", name, [*NETS, f"{PREFIX}NAME"])
    require(weights is None, "weights for a net of timm alone", net=name, weights=weights)


def check_size(size: tuple[int, int]) -> None:
    """Raise `InputError` for images that are too small for the nets."""
    require(
        min(size) >= 8,
        "images of at least 8×8 for a net",
        remedy="Load them with size=N.",
        size=f"{size[0]}×{size[1]}",
    )
