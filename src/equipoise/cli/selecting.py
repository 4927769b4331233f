"""Reading DATA as the selection options say."""

from typing import TYPE_CHECKING, Any

from equipoise.cli import show
from equipoise.cli.options import counts_of, names_of

if TYPE_CHECKING:
    from equipoise.images import Splits

__all__ = ["selected"]


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
