"""A run's state after an epoch, on disk: a killed run goes on to the same weights, bit for bit.

The draws and the augmentation need no state: they are functions of the step.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.errors import WorkError
from equipoise.files import atomic
from equipoise.images import Splits
from equipoise.training.jobs import Best, Job, Logs

__all__ = ["CHECKPOINT", "fingerprint", "restore", "save"]

CHECKPOINT = "checkpoint.pt"

_FORMAT = 1


def fingerprint(data: Splits, job: Job) -> str:
    """Return what a run must share with a checkpoint to go on from it."""
    return json.dumps(
        {
            "format": _FORMAT,
            "torch": torch.__version__,
            "data": data.digest,
            # What is at its default is left out, so that a field added later changes nothing.
            "recipe": job.recipe.model_dump(mode="json", exclude_defaults=True),
            "trainer": job.trainer.model_dump(mode="json", exclude_defaults=True),
            "net": job.model.net_name,
            "seed": job.seed,
            "equal": job.equal,
            "objective": job.objective.to_json(),
            # The CPU's is left out: so checkpoints were before there was another.
            **({} if job.device.type == "cpu" else {"device": job.device.type}),
        }
    )


def save(job: Job, path: Path, mark: str) -> None:
    """Write the state of a run between two epochs, whole or not at all.

    Raises
    ------
    WorkError
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
        "random_on_device": torch.cuda.get_rng_state() if job.device.type == "cuda" else None,
        "logs": vars(job.logs),
        "best": vars(job.best),
        "seen": [
            {kind: torch.from_numpy(array.view(np.int64)) for kind, array in seen.items()}
            for seen in job.seen.state()
        ],
    }
    try:
        with atomic(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError.
        raise WorkError(f"{path} cannot be written: {' '.join(str(error).split())}") from None


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
    if job.device.type == "cuda":
        torch.cuda.set_rng_state(state["random_on_device"])
    job.epoch, job.seconds = state["epoch"], state["seconds"]
    job.logs, job.best = Logs(**state["logs"]), Best(**state["best"])
    job.seen.load(
        [{kind: t.numpy().view(np.uint64) for kind, t in seen.items()} for seen in state["seen"]]
    )
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # Absent, or whatever torch raises for a file that is none of its own.
        return None
