"""Every Python block of the README and the docs runs."""

import ast
import random
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise import techniques
from equipoise.training import trainers

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# A block that imports one of these is run by itself, and skipped where it cannot be imported:
# none is needed by the package, and torchvision's wheel fails beside another build of torch.
OPTIONAL = ("albumentations", "kornia", "torchvision")


def blocks(page: Path) -> list[str]:
    """The page's Python blocks, each at its line, so that a traceback points into the page."""
    text = page.read_text("utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, match.start(1)) + match[1] for match in found]


def needs(block: str) -> str | None:
    """The optional library that a block imports."""
    nodes = list(ast.walk(ast.parse(block)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return next((name for name in OPTIONAL if name in {n.split(".")[0] for n in names}), None)


CODE = {page: blocks(page) for page in PAGES}
WITH_LIBRARY = [
    (page, block) for page, found in CODE.items() for block in found if needs(block) is not None
]


@pytest.fixture
def prepared(tmp_path, monkeypatch, patches) -> Iterator[dict[str, Any]]:
    """A small `photos/` of two classes in the current folder, and small arrays."""
    X, y = patches(60, 16, 16), np.repeat([0, 1], [45, 15])
    X[y == 1] //= 2
    for k, image in enumerate(X):
        folder = tmp_path / "photos" / ("cat", "dog")[y[k]]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{k}.png"), image)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # starting a process costs more than all the work
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")  # or it asks the network
    brief = trainers.NAMED["article"].model_copy(update={"epochs": 1})
    monkeypatch.setitem(trainers.NAMED, "article", brief)
    monkeypatch.setattr(techniques, "_REGISTERED", {})
    catalogue = dict(techniques.CATALOGUE)
    yield {"X": X, "y": y, "images": X[:12].copy(), "ids": np.arange(12)}
    techniques.CATALOGUE.clear()
    techniques.CATALOGUE.update(catalogue)


@pytest.mark.parametrize("page", [page for page in PAGES if CODE[page]], ids=lambda page: page.stem)
def test_a_page_runs(page, prepared):
    for block in CODE[page]:
        if needs(block) is None:
            exec(compile(block, page, "exec"), prepared)


@pytest.mark.parametrize(
    ("page", "block"), WITH_LIBRARY, ids=[f"{p.stem}-{needs(b)}" for p, b in WITH_LIBRARY]
)
def test_a_block_with_another_library_runs_and_keeps_the_address(page, block, prepared):
    library = needs(block)
    try:
        import_module(library)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{library} cannot be imported: {error}")
    exec(compile(block, page, "exec"), prepared)
    own = next(v for v in prepared.values() if isinstance(v, FunctionType))
    assert keeps_the_address(own, prepared["images"])


def keeps_the_address(own: Any, images: np.ndarray) -> bool:
    """Whether global state, the batch, its order and threads change no byte, nor state itself."""
    ids = np.arange(100, 112)
    address = {"seed": 7, "copy": 2, "epoch": 3}
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    whole = eq.augment(images, own, ids=ids, **address)
    untouched = torch.equal(before, torch.random.get_rng_state())
    for state in (random.seed, np.random.seed, torch.manual_seed):
        state(2)
    singly = [
        eq.augment(images[i : i + 1], own, ids=ids[i : i + 1], threads=2, **address)
        for i in reversed(range(len(ids)))
    ]
    other = eq.augment(images, own, ids=ids, **{**address, "epoch": 4})
    same = np.array_equal(whole, np.concatenate(singly[::-1]))
    return untouched and same and not np.array_equal(whole, other)


def test_every_library_that_is_named_is_shown():
    assert {needs(block) for _, block in WITH_LIBRARY} == set(OPTIONAL)
