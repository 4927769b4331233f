"""What the command line consists of, and how each command ends.

Everything heavy is imported inside the commands, so that `equipoise --help` answers at once.
"""

from typing import Annotated

import typer
from typer.exceptions import TyperException

from equipoise import __version__
from equipoise.cli import catalogues, data, evaluating, models, searching, show, studies
from equipoise.errors import InputError, WorkError

__all__ = ["app", "run"]

_WAY = """Which measure against class imbalance works on your images?

  [bold]equipoise demo --out demo[/bold]
      see it work on embedded images
  [bold]equipoise audit photos/[/bold]
      what is in a data set, and what is wrong with it
  [bold]equipoise compare photos/ --out study[/bold]
      which measure helps, and how sure that is
  [bold]equipoise evaluate predictions.csv --out verdict[/bold]
      the same verdict on predictions of your own nets
  [bold]equipoise search photos/ --budget 20m --out search[/bold]
      the best recipe within a time budget
  [bold]equipoise upsample photos/ --out balanced[/bold]
      the balanced data set on disk
  [bold]equipoise train photos/ --recipe balanced --out model[/bold]
      one model
  [bold]equipoise predict model picture.jpg[/bold]
      what it says of new pictures

[bold]equipoise COMMAND --help[/bold] explains each."""

app = typer.Typer(
    name="equipoise",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    studies.demo,
    data.audit,
    data.upsample,
    studies.compare,
    evaluating.evaluate,
    searching.search,
    models.train,
    models.predict,
    models.export,
    studies.report,
    catalogues.cache,
    catalogues.recipes,
    catalogues.techniques,
):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"equipoise {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def way(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find out which measure against class imbalance works on your image data set."""
    if context.invoked_subcommand is None:
        from rich import print as print_markup

        print_markup(_WAY)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every ending is one line, never a traceback.

    0: done; 1: failed during the work; 2: a mistake found before it.
    """
    try:
        return app(arguments, standalone_mode=False) or 0
    except TyperException as error:
        return _fail(_misuse(error), 2)
    except InputError as error:
        return _fail(str(error), 2)
    except WorkError as error:
        return _fail(str(error), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}.", 1)


def _misuse(error: TyperException) -> str:
    """Word what the parser says: a likely option by name, and where all of them stand."""
    words = error.format_message()
    near = getattr(error, "possibilities", None)
    if near:
        words = f"{words.split(' (')[0]}. Did you mean {near[0]}?"
    context = getattr(error, "ctx", None)
    if context is None or "Did you mean" in words:
        return words
    name = context.command.name
    command = "equipoise" if name == app.info.name else f"equipoise {name}"
    return f"{words.rstrip('.')}. See {command} --help."


def _fail(message: str, code: int) -> int:
    show.note("equipoise: " + " ".join(message.split()))
    return code
