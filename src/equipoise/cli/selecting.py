"""Reading DATA as the selection options say."""

from math import ceil
from typing import TYPE_CHECKING, Any

from equipoise.cli import show
from equipoise.cli.options import counts_of, names_of

if TYPE_CHECKING:
    from equipoise.images import Splits
    from equipoise.training import Trainer

__all__ = ["note_few_steps", "selected"]

_FEW = 100  # steps below which a net has hardly begun to learn


def selected(
    data: str, *, classes: str | None, take: str | None, quiet: bool, **options: Any
) -> "Splits":
    """Return DATA, and print what is to be noted about it.

    `options` are parameters of `equipoise.load`; what was not given, None, is left to it.
    """
    from equipoise.readers import load

    given = {name: value for name, value in options.items() if value is not None}
    splits = load(data, classes=names_of(classes), take=counts_of("--take", take), **given)
    for line in () if quiet else splits.notes:
        show.note(line)
    return splits


def note_few_steps(data: "Splits", trainer: "Trainer", equal: str) -> None:
    """Tell where a small data set makes so few steps of a trainer's epochs that nets stay raw."""
    from equipoise.training import budget

    planned = budget(data.train.labels, trainer, equal=equal)
    if planned.steps < _FEW:
        enough = ceil(_FEW / planned.steps_per_epoch)
        show.note(
            f"{planned.epochs} epochs of this set are {planned.steps} steps, few for a net: "
            f"--epochs {enough} makes {enough * planned.steps_per_epoch}"
        )
