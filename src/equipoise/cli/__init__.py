"""The command line: parse, call, print.

This file is light, so that a signal is answered from the very start; the commands come with the
first look at them, and everything heavy with the command that needs it.
"""

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from equipoise.cli import beginning as beginning
from equipoise.cli.signals import answering

if TYPE_CHECKING:
    from equipoise.cli.commands import app as app
    from equipoise.cli.commands import run as run

__all__ = ["app", "main", "run"]

# The commands whose output folder keeps what is finished.
_RESUMED = ("compare", "demo", "generate", "search", "train", "upsample")


def main() -> None:
    """Run the command line and exit with its code; 130 and 143 where a signal ended it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the path of DATA may hold any bytes

    def work() -> int:
        from equipoise.cli.commands import run

        return run(sys.argv[1:])

    goes_on = sys.argv[1:2] and sys.argv[1] in _RESUMED
    again = "goes on from what is finished" if goes_on else "begins again"
    sys.exit(answering(work, f"The same command {again}."))


def __getattr__(name: str) -> Any:
    if name not in ("app", "run"):
        raise AttributeError(f"module 'equipoise.cli' has no attribute {name!r}")
    from equipoise.cli import commands

    return getattr(commands, name)
