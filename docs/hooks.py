"""What mkdocs does besides: pages made from the code and the notebook, and formulas as MathML."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import typer
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from equipoise.cli import app

HERE = Path(__file__).parent
NOTEBOOK = "notebooks/first-study.ipynb"
# What pymdownx.arithmatex leaves of $…$ and $$…$$.
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)

COMMANDS = """\
# The command line

This page is made from the commands themselves: it is what `equipoise COMMAND --help` prints.
Every command ends with exit code 0 when all is well, 1 when the work failed, 2 when a mistake was
found before any work began, and 130 when it was interrupted. Errors are one line on stderr.

"""


def on_config(config: Any) -> Any:
    """List every page of results."""
    listed = next(entry["Results"] for entry in config.nav if "Results" in entry)
    pages = {f"results/{path.name}" for path in (HERE / "results").glob("*.md")}
    listed += sorted(pages - set(listed))
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made and not written."""
    made: dict[str, str | bytes] = {"reference/commands.md": commands_page()}
    made |= notebook_pages(NOTEBOOK)
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Turn formulas into MathML, which needs no script, and keep a figure beside its interval."""
    return _FORMULA.sub(_mathml, html).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def _mathml(found: re.Match[str]) -> str:
    return convert(unescape(found[3]), display="block" if found[2] == "[" else "inline")


def notebook_pages(name: str) -> dict[str, str | bytes]:
    """Return a notebook as Markdown, what its cells print and draw beneath them, by file name."""
    place = Path(name)
    parts: list[str] = []
    pictures: dict[str, str | bytes] = {}
    for cell in json.loads((HERE / name).read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                parts.append("```text\n" + "".join(output["text"]) + "```")
            else:
                picture = place.with_name(f"{place.stem}-{len(pictures)}.png")
                pictures[str(picture)] = b64decode(output["data"]["image/png"])
                parts.append(f"![{cell['metadata']['alt']}]({picture.name})")
    parts.append(f"[This page as a notebook]({place.name}){{ download }}\n")
    return {str(place.with_suffix(".md")): "\n\n".join(parts), **pictures}


def commands_page() -> str:
    """Return the reference of the command line."""
    root = typer.main.get_command(app)
    parts = [COMMANDS]
    for name, command in root.commands.items():
        context = command.make_context(name, [], resilient_parsing=True)
        parts += [f"## {name}\n", *_help(command.help or ""), *_usage(name, command), ""]
        shown = [parameter for parameter in command.params if parameter.name != "help"]
        parts += ["| | | default |", "|---|---|---|"]
        parts += [_row(parameter, context) for parameter in shown]
        parts += [""]
    return "\n".join(parts)


def _help(text: str) -> Iterator[str]:
    """A command's help, paragraph by paragraph; an example becomes a block of code."""
    for paragraph in re.split(r"\n\s*\n", _marked(text.strip())):
        line = " ".join(paragraph.split())
        yield f"```sh\n{line}\n```\n" if line.startswith("equipoise ") else line + "\n"


def _usage(name: str, command: Any) -> Iterator[str]:
    places = [p.metavar or p.name.upper() for p in command.params if not p.opts[0].startswith("-")]
    yield f"```text\nequipoise {' '.join([name, *places])} [OPTIONS]\n```"


def _row(parameter: Any, context: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        return f"| `{parameter.metavar or parameter.name.upper()}` | {_text(parameter)} | |"
    value = "" if parameter.is_flag else " " + parameter.opts[0].strip("-").upper()
    names = ", ".join(f"`{name}{value}`" for name in parameter.opts)
    default = "" if parameter.is_flag else parameter.get_default(context)
    shown = "*required*" if parameter.required else "" if default in (None, "") else f"`{default}`"
    return f"| {names} | {_text(parameter)} | {shown} |"


def _text(parameter: Any) -> str:
    return _marked(" ".join((parameter.help or "").split())).replace("|", "\\|")


def _marked(text: str) -> str:
    """Rich's markup as Markdown's."""
    return text.replace("[bold]", "**").replace("[/bold]", "**").replace("\\[", "[")
