"""Where a net computes: the CPU or a GPU."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equipoise.errors import require

__all__ = ["DEVICES", "device_of", "get_device", "moved", "side_by_side"]

DEVICES = ("auto", "cpu", "cuda")


def get_device(name: str) -> torch.device:
    """Return a device by its name.

    Parameters
    ----------
    name : {'auto', 'cpu', 'cuda'}
        'auto' is a GPU where torch can use one. A GPU's sums are not in a fixed order, so that
        only the CPU gives the same numbers again, bit for bit.

    Raises
    ------
    InputError
        For another name, or 'cuda' where torch can use no GPU.
    """
    require(name in DEVICES, "device 'auto', 'cpu' or 'cuda'", device=name)
    there = torch.cuda.is_available()
    require(
        there or name != "cuda",
        "a GPU that torch can use for device 'cuda'",
        "Leave it out, or install a build of torch for the GPU.",
        torch=torch.__version__,
    )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def side_by_side(jobs: int | None, device: str) -> int | None:
    """Return how many runs share a device: as asked; on a GPU else one, on the CPU one a core."""
    return 1 if jobs is None and get_device(device).type == "cuda" else jobs


def device_of(net: nn.Module) -> torch.device:
    """Return where a net's parameters are; the CPU for a net without any."""
    return next((parameter.device for parameter in net.parameters()), torch.device("cpu"))


def moved(array: NDArray[np.generic] | Tensor, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device; on its way to a GPU the net need not wait for it."""
    tensor = array if isinstance(array, Tensor) else torch.from_numpy(array)
    # A device by its name, cuda, is not equal to where its tensors are, cuda:0.
    if device.type in ("cpu", tensor.device.type):
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
