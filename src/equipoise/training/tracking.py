"""The figures of a run's epochs in TensorBoard, through the extra `tensorboard`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.training.loop import Progress, Report

__all__ = ["FOLDER", "board_in", "tracked"]

FOLDER = "tensorboard"

Board = Callable[[], Any]


def board_in(out: Path) -> Board:
    """Return what opens a writer in a run's folder, which may not be there yet.

    Raises
    ------
    InputError
        Without the extra.
    """
    try:
        from tensorboardX import SummaryWriter
    except (ImportError, RuntimeError):
        raise InputError(
            "tensorboard needs the package tensorboardX: pip install 'equipoise[tensorboard]'."
        ) from None
    return lambda: SummaryWriter(str(out / FOLDER))


@contextmanager
def tracked(board: Board | None, progress: Report | None) -> Iterator[Report | None]:
    """Give a report that also writes each epoch's row as scalars, one a figure, by the step."""
    if board is None:
        yield progress
        return
    with board() as writer:

        def report(told: Progress) -> None:
            for name, value in (told.row or {}).items():
                # training_loss becomes training/loss: TensorBoard groups by what is before it.
                split, _, figure = name.partition("_")
                tag = f"{split}/{figure}" if split in ("training", "validation") else f"run/{name}"
                writer.add_scalar(tag, value, told.step)
            if progress is not None:
                progress(told)

        yield report
