"""Runs the notebook and puts into it what its cells print and draw.

Run it as ``python docs/make_notebook.py`` whenever the notebook or what it shows has changed.
"""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NOTEBOOK = Path(__file__).parent / "notebooks" / "first-study.ipynb"


def executed(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the notebook with the outputs of its cells, run one after another in one space."""
    space: dict[str, Any] = {}
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), f"{name}, cell {number}", "exec")
            with redirect_stdout(io.StringIO()) as text:
                exec(code, space)
            shown = [*_printed(text.getvalue()), *_drawn()]
            cell = {**cell, "outputs": shown, "execution_count": None}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _printed(text: str) -> Iterator[dict[str, Any]]:
    if text:
        lines = text.splitlines(keepends=True)
        yield {"output_type": "stream", "name": "stdout", "text": lines}


def _drawn() -> Iterator[dict[str, Any]]:
    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, format="png", dpi=60, metadata={"Software": None})
        image = base64.b64encode(file.getvalue()).decode()
        yield {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}}
    plt.close("all")


def main() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    made = executed(notebook, NOTEBOOK.name)
    NOTEBOOK.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
