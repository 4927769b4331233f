"""Draws the map of the rooms in CONTRIBUTING.md, from what their files import.

Run it as ``python docs/make_map.py`` whenever a room has come, gone or changed what it imports.
"""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent.parent
SOURCE, PAGE = HERE / "src" / "equipoise", HERE / "CONTRIBUTING.md"
BEGIN, END = "<!-- The map: python docs/make_map.py -->\n", "<!-- End of the map -->\n"


def imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports, wherever in its files it does so."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("equipoise"):
                package = (node.module or "").split(".")
                names = [package[1]] if len(package) > 1 else [alias.name for alias in node.names]
                found[room] |= {name for name in names if not name.startswith("_")} - {room}
    return {room: other for room, other in found.items() if not room.startswith("_")}


def direct(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports without those that follow from others."""

    def below(room: str) -> set[str]:
        return set().union(*({other} | below(other) for other in edges.get(room, ())))

    return {
        room: {name for name in others if not any(name in below(one) for one in others)}
        for room, others in edges.items()
    }


def what_it_is(room: str) -> str:
    """Return the first line of a room's docstring."""
    path = SOURCE / f"{room}.py"
    path = path if path.is_file() else SOURCE / room / "__init__.py"
    doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return doc.partition("\n")[0]


def drawn() -> str:
    """Return the map: which room imports which, and what each is."""
    edges = imports()
    rooms = sorted({*edges, *set().union(*edges.values())})
    arrows = [f"  {room} --> {o}" for room, others in direct(edges).items() for o in sorted(others)]
    table = [f"| `{room}` | {what_it_is(room)} |" for room in rooms]
    chart = ["```mermaid", "graph TD", *sorted(arrows), "```"]
    return "\n".join([*chart, "", "| room | what it is |", "|---|---|", *table, ""])


if __name__ == "__main__":
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{drawn()}\n{END}{after}", "utf-8")
