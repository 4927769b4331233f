"""Any net of the timm library by its name, `timm/resnet18`, through the extra `timm`."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from equipoise.errors import InputError, reason

__all__ = ["PREFIX", "check_timm", "timm_net"]

PREFIX = "timm/"


def timm_net(
    name: str, channels: int, classes: int, size: tuple[int, int], weights: str | None = None
) -> nn.Module:
    """Return a net of timm with `classes` outputs for images of any size.

    Parameters
    ----------
    name : str
        timm's, without the prefix.
    channels, classes, size
        As of every net; the first layer is made for so many channels.
    weights : str, optional
        What training starts from: 'pretrained' for timm's own, from its cache or else downloaded,
        or a file of them (.safetensors, or .pth of plain tensors). The last layer is new.

    Raises
    ------
    InputError
        Without the extra, or if there are no such net or weights.
    """
    timm = check_timm(name)
    given: dict[str, Any] = {"in_chans": channels, "num_classes": classes}
    # Nets of patches are built for a size; those of convolutions take any.
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        given["img_size"] = size
    if weights is not None and weights != "pretrained":
        if not Path(weights).is_file():
            raise InputError(f"weights: {weights} is no file. Name one, or 'pretrained'.")
        given["pretrained_cfg_overlay"] = {"file": weights}
    try:
        # timm loads .pth files as plain tensors alone, and nothing in them is executed.
        return timm.create_model(name, pretrained=weights is not None, **given)
    except Exception as error:
        # Downloading, reading and building fail in ways of their own.
        raise InputError(f"net {PREFIX}{name}, weights {weights}: {reason(error)}.") from None


def check_timm(name: str) -> Any:
    """Return the library, or raise `InputError` without it or if it has no such net."""
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        # Beside another build of torch, torchvision raises RuntimeError when it is imported.
        raise InputError(
            f"net {PREFIX}{name} needs timm, which cannot be imported ({reason(error)}): "
            f"pip install 'equipoise[timm]', with builds of torch and torchvision that match "
            f"(torch here: {torch.__version__})."
        ) from None
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:5]
        guess = f" Near it: {', '.join(near)}." if near else ""
        raise InputError(f"timm has no net {name!r}.{guess}")
    return timm
