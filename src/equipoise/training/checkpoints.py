"""A run's state after an epoch, on disk: a killed run goes on to the same weights, bit for bit.

The draws and the augmentation need no state: they are functions of the step.
"""

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.errors import DamagedError
from equipoise.files import atomic
from equipoise.images import Splits
from equipoise.training.fingerprints import of_recipe, of_trainer
from equipoise.training.jobs import Best, Job, Logs
from equipoise.training.stored import packed, read_bytes, unpacked

__all__ = ["CHECKPOINT", "fingerprint", "restore", "save"]

CHECKPOINT = "checkpoint.pt"

_FORMAT = 2
_DIGEST = 16  # bytes that stand before the state


def fingerprint(data: Splits, job: Job) -> str:
    """Return what a run must share with a checkpoint to go on from it."""
    config = job.config
    return json.dumps(
        {
            "format": _FORMAT,
            "torch": torch.__version__,
            "data": data.digest,
            **of_recipe(data, config.recipe),
            **of_trainer(config.trainer),
            "net": job.model.net_name,
            **({"layers": repr(job.net)} if job.model.net_name == "custom" else {}),
            "seed": config.seed,
            "equal": config.equal,
            "objective": config.objective.to_json(),
            # The CPU's is left out: so checkpoints were before there was another.
            **({} if config.device.type == "cpu" else {"device": config.device.type}),
        }
    )


def save(job: Job, path: Path, mark: str) -> None:
    """Write the state of a run between two epochs, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    state = {
        "mark": mark,
        "epoch": job.epoch,
        "seconds": job.elapsed,
        "net": job.net.state_dict(),
        "average": job.average and job.average.state_dict(),
        "optimiser": job.optimiser.state_dict(),
        "random": torch.random.get_rng_state(),
        "random_on_device": torch.cuda.get_rng_state() if _on_gpu(job) else None,
        "logs": vars(job.logs),
        "best": vars(job.best),
        "seen": [
            {kind: torch.from_numpy(array.view(np.int64)) for kind, array in seen.items()}
            for seen in job.feed.seen.state()
        ],
    }
    data = packed(state)
    with atomic(path) as part:
        part.write_bytes(_digest(data) + data)


def restore(job: Job, path: Path, mark: str) -> bool:
    """Bring a run before its first step to where its checkpoint is; return whether there is one.

    A checkpoint of another run, or one that cannot be read, is none.
    """
    state = _read(path)
    if state is None or state.get("mark") != mark:
        return False
    job.net.load_state_dict(state["net"])
    if job.average is not None:
        job.average.load_state_dict(state["average"])
    job.optimiser.load_state_dict(state["optimiser"])
    torch.random.set_rng_state(state["random"])
    if _on_gpu(job):
        torch.cuda.set_rng_state(state["random_on_device"])
    job.epoch, job.seconds = state["epoch"], state["seconds"]
    job.logs, job.best = Logs(**state["logs"]), Best(**state["best"])
    job.feed.seen.load(
        [{kind: t.numpy().view(np.uint64) for kind, t in seen.items()} for seen in state["seen"]]
    )
    return True


def _on_gpu(job: Job) -> bool:
    return job.config.device.type == "cuda"


def _read(path: Path) -> dict[str, Any] | None:
    """Return the state in a file; None where there is none, or another than was written."""
    try:
        found = read_bytes(path)
        data = found[_DIGEST:]
        return unpacked(data) if _digest(data) == found[:_DIGEST] else None
    except (OSError, DamagedError):
        return None


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()
