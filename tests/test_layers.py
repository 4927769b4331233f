"""The house's two rules: lower rooms never import higher ones, and importing is cheap."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "equipoise"

FLOORS = {
    "errors": 0,
    "lazy": 0,
    "shrinking": 0,
    "typed": 1,
    "selection": 1,
    "files": 1,
    "keys": 0,
    "recycling": 0,
    "mapped": 0,
    "near": 2,
    "images": 1,
    "techniques": 1,
    "metrics": 0,
    "parallel": 1,
    "readers": 3,
    "auditing": 3,
    "planning": 2,
    "objectives": 2,
    "recipes": 2,
    "engine": 3,
    "extras": 4,
    "strengths": 3,
    "backbones": 4,
    "deep": 5,
    "sifting": 5,
    "writers": 5,
    "oversampling": 5,
    "training": 5,
    "generating": 6,
    "studies": 6,
    "reports": 7,
    "cli": 8,
    "__main__": 9,
}
HEAVY = ("torch", "matplotlib", "optuna", "pandas", "ray", "sklearn", "numba", "cv2")


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this house"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "equipoise" and rest.split(".")[0] != "__version__":
                found.add(rest.split(".")[0])
    return found


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_a_room_imports_only_from_lower_floors(path):
    room = room_of(path)
    if room == "__init__":
        return  # The front door: it names every room and imports none before it is asked for.
    for other in imported_rooms(path) - {room}:
        assert FLOORS[other] < FLOORS[room], f"{path} ({room}) imports {other}"


@pytest.mark.parametrize("command", ["import equipoise", "equipoise --help"])
def test_starting_is_cheap(command):
    code = (
        "import equipoise"
        if command.startswith("import")
        else "from equipoise.cli import app; app(['--help'], standalone_mode=False)"
    )
    code += f"; import sys; print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    # About a second on a quiet machine; the bound leaves room for a busy one.
    assert time.perf_counter() - start < 5
