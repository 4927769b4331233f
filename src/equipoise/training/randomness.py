"""torch's own generators, seeded for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch draw from `seed` on the CPU and on `device`, and leave its generators as they were.

    `torch.manual_seed` would seed those of every GPU, which nothing brings back.
    """
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed % 2**63)
        if gpus:
            torch.cuda.manual_seed(seed % 2**63)
        yield
