"""What passes between a method and `generate`."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["Learner", "Maker", "Origin", "Workplace", "model_digest"]


@dataclass(frozen=True)
class Workplace:
    """Where a method works.

    Attributes
    ----------
    folder : Path
        For what it has learned, so that it need not be learned again.
    seed : int
    device : torch.device
    progress : callable
        Called with (done, in all, what).
    """

    folder: Path
    seed: int
    device: torch.device
    progress: Callable[[int, int, str], None]


@dataclass(frozen=True)
class Origin:
    """What an image is made from.

    Attributes
    ----------
    source : int
        The row of the training image; of several the first.
    details : dict
        How it is made, beyond the parameters: plain values, for the manifest.
    """

    source: int
    details: dict[str, Any]


@dataclass(frozen=True)
class Maker:
    """A model that makes images.

    Attributes
    ----------
    origin : callable
        From a label and a number to what the image of that number is made from.
    make : callable
        From a label and a number to the (H, W, C) uint8 image: the same ones give the same image,
        whatever was made before.
    model : str
        A digest of the model.
    notes : tuple of str
    """

    origin: Callable[[int, int], Origin]
    make: Callable[[int, int], NDArray[np.uint8]]
    model: str
    notes: tuple[str, ...] = ()


Learner = Callable[[Workplace], Maker]


def model_digest(*modules: nn.Module) -> str:
    """Return a digest of the weights of some modules."""
    state = blake2b(digest_size=16)
    for module in modules:
        for name, tensor in module.state_dict().items():
            state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            # Not every type of torch's is one of NumPy's.
            state.update(
                tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
            )
    return state.hexdigest()
