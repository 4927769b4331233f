"""`cache`: what is kept of pretrained nets' activations."""

from typing import Annotated

import typer

from equipoise.cli import show
from equipoise.cli.options import Cache, Output
from equipoise.cli.selecting import selects

__all__ = ["cache"]


@selects()
def cache(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Delete what is kept.")] = False,
    cache: Cache = None,
    output: Output,
) -> None:
    """Where the activations of pretrained nets are kept, and how much room they take.

    They are computed again when they are needed, so clearing costs time alone.

    equipoise cache --clear
    """
    from equipoise.backbones import ActivationCache

    kept = ActivationCache()
    freed = kept.clear() if clear else 0
    size, most = kept.size(), kept.most_bytes
    if output.as_json:
        told = {"folder": str(kept.folder), "bytes": size, "most_bytes": most, "freed": freed}
        show.print_json(told)
    elif not output.quiet:
        if clear:
            show.say(f"Deleted: {freed / 1e6:,.1f} MB")
        show.say(f"{kept.folder}: {size / 1e6:,.1f} MB of at most {most / 1e6:,.0f} MB")
