"""Public names that are imported when they are first asked for (PEP 562)."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import InspectLoader
from typing import Any

__all__ = ["attach"]


def attach(package: str) -> tuple[Callable[[str], Any], list[str]]:
    """Return the `__getattr__` and the names of a package that imports them for type checkers.

    What stands under ``if TYPE_CHECKING:`` in its ``__init__.py`` is the one list of its public
    names and of where they live.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    """
    spec = sys.modules[package].__spec__
    loader = None if spec is None else spec.loader
    assert isinstance(loader, InspectLoader)
    tree = ast.parse(loader.get_source(package) or "")
    home = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    return get, sorted(home)
