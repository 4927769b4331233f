"""Where a net computes: the CPU or a GPU, on which a training set lives where it fits."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equipoise.errors import require
from equipoise.mapped import blocks
from equipoise.training.presenting import Presented
from equipoise.training.seen import fingerprints

__all__ = [
    "DEVICES",
    "Resident",
    "device_of",
    "get_device",
    "moved",
    "resident",
    "side_by_side",
]

DEVICES = ("auto", "cpu", "cuda")

# Of the GPU's free memory, what a training set may take: the net and its maps need the rest.
_SHARE = 0.5


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


class Resident:
    """A training set without fresh augmentation, its pixels on the device.

    Parameters
    ----------
    presented : Presented
        Its roster is not fresh.
    device : torch.device
    """

    def __init__(self, presented: Presented, device: torch.device) -> None:
        parts = (presented.originals, presented.copies)
        count = sum(map(len, parts))
        self.pixels = torch.empty(
            (count, *presented.originals.shape[1:]), dtype=torch.uint8, device=device
        )
        # Of every image as it is and mirrored: nothing has to come back to be counted.
        self._marks = np.empty((2, count), np.uint64)
        start = 0
        for part in parts:
            for block in blocks(part.shape):
                # torch takes no read-only map of a file: it gets a copy.
                some = np.array(part[block])
                place = slice(start, start := start + len(some))
                self.pixels[place] = torch.from_numpy(some)
                self._marks[:, place] = fingerprints(some), fingerprints(some[:, :, ::-1])

    def images(self, place: NDArray[np.int64], mirror: NDArray[np.bool_]) -> Tensor:
        """Return the (B, H, W, C) uint8 images at some places, mirrored or not, on the device."""
        device = self.pixels.device
        images = self.pixels[moved(place, device)]
        turned = moved(mirror, device).view(-1, 1, 1, 1)
        return torch.where(turned, images.flip(2), images)

    def marks(self, place: NDArray[np.int64], mirror: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Return the fingerprints of those images, (B,)."""
        return self._marks[mirror.astype(np.intp), place]


def resident(presented: Presented, device: torch.device) -> Resident | None:
    """Return a training set on a GPU, where it is not augmented afresh and leaves half of it."""
    if device.type != "cuda" or presented.roster.fresh:
        return None
    torch.cuda.empty_cache()  # what earlier runs of this process hold and do not use is free
    free, _ = torch.cuda.mem_get_info(device)
    size = presented.originals.nbytes + presented.copies.nbytes
    if size > _SHARE * free:
        return None
    try:
        return Resident(presented, device)
    except torch.OutOfMemoryError:  # another process was faster
        return None
