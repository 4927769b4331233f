"""The pages of results: what each asks, how long it takes, and its commands, to be run again.

    python benchmarks/results.py                   lists the pages
    python benchmarks/results.py study decisions   runs the commands of these, in the pages' order

The list is that of docs/results/index.md, the commands are those that stand in the pages. What they
take from ../shared/data is looked for in EQUIPOISE_TEST_DATA. What stands in a page between
`<!-- printed -->` and `<!-- end -->` is replaced by what the commands above it print. Finished runs
are kept in runs/, so that a command that was interrupted goes on.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from equipoise.files import write_text

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
END = "<!-- end -->"
# Commands, and what they print where the page shows it.
BLOCK = re.compile(
    r"^```sh\n(?P<commands>.*?)^```(?:(?P<mark>\n\n<!-- printed -->)(?P<shown>.*?)<!-- end -->)?",
    re.MULTILINE | re.DOTALL,
)
ROW = re.compile(r"^\| \[(.+?)\]\((.+?)\.md\) \| (.+?) \| .+ \| (.+?) \|$", re.MULTILINE)
DATA = re.compile(r"(?<![\w/])(?:\.\./shared/data|[\w-]+\.tar\.gz)")


class Page(NamedTuple):
    title: str
    name: str
    question: str
    takes: str


def pages() -> dict[str, Page]:
    """Return what the index lists, by the pages' names."""
    found = (Page(*row) for row in ROW.findall((RESULTS / "index.md").read_text("utf-8")))
    return {page.name: page for page in found}


def placed(match: re.Match[str]) -> str:
    """Put the data of a command in its place."""
    data, word = Path(os.environ.get("EQUIPOISE_TEST_DATA", "../shared/data")), match[0]
    return shlex.quote(str(data if word.startswith("..") else data / word))


def run(block: re.Match[str]) -> str:
    """Run a block of commands; return it with what they print, where the page shows that."""
    shown = block["shown"] is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-c", "set -ex\n" + DATA.sub(placed, block["commands"])],
        cwd=ROOT, env=os.environ | {"PATH": path}, check=True, text=True,
        stdout=subprocess.PIPE if shown else None,
    )  # fmt: skip
    end = block["mark"] and f"{block['mark']}\n\n{done.stdout.strip()}\n\n{END}"
    return f"```sh\n{block['commands']}```{end or ''}"


def main() -> None:
    known, asked = pages(), sys.argv[1:]
    if unknown := sorted(set(asked) - set(known)):
        raise SystemExit(f"There is no page {', '.join(unknown)}; there are {', '.join(known)}.")
    if not asked:
        for page in known.values():
            print(f"{page.name:20} {page.takes:12} {page.question}")
    for name in (name for name in known if name in asked):
        file = RESULTS / f"{name}.md"
        for block in list(BLOCK.finditer(file.read_text("utf-8"))):
            # Read anew: a command may write the page itself.
            made, before = run(block), file.read_text("utf-8")
            write_text(file, before.replace(block[0], made))


if __name__ == "__main__":
    main()
