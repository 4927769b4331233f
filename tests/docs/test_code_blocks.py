"""Every block of code in the README and the docs: Python runs, the rest is what it says."""

import ast
import json
import random
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import typer
import yaml

import equipoise as eq
from equipoise import techniques
from equipoise.cli import app, run
from equipoise.readers import opening
from equipoise.recipes import get_recipe
from equipoise.training import get_trainer, losses, nets, trainers

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))

# A block that imports one of these is run by itself, and skipped where it cannot be imported:
# none is needed by the package, and torchvision's wheel fails beside another build of torch.
OPTIONAL = ("albumentations", "kornia", "torchvision")


def blocks(page: Path, kind: str) -> list[str]:
    """The page's blocks of a kind, each at its line, so that a traceback points into the page."""
    text = page.read_text("utf-8")
    found = re.finditer(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, match.start(1)) + match[1] for match in found]


def commands(block: str) -> list[list[str]]:
    """The arguments of each `equipoise` line of a shell block."""
    lines = block.replace("\\\n", " ").splitlines()
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words[:1] == ["equipoise"]]


def needs(block: str) -> str | None:
    """The optional library that a block imports."""
    nodes = list(ast.walk(ast.parse(block)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return next((name for name in OPTIONAL if name in {n.split(".")[0] for n in names}), None)


CODE = {page: blocks(page, "python") for page in PAGES}
WITH_LIBRARY = [
    (page, block) for page, found in CODE.items() for block in found if needs(block) is not None
]
COMMANDS = [
    (page, words) for page in PAGES for block in blocks(page, "sh") for words in commands(block)
]
FILES = [(page, block.lstrip("\n")) for page in PAGES for block in blocks(page, "yaml")]
QUOTED = [
    (page, name, text)
    for page in PAGES
    for name, text in re.findall(
        r'^```python title="(.+?)"\n(.*?)^```$', page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
]


def places(cases: list[tuple]) -> list[str]:
    return [f"{page.stem}-{number}" for number, (page, *_) in enumerate(cases)]


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
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")  # or it asks the network
    brief = trainers.NAMED["article"].model_copy(update={"epochs": 1})
    monkeypatch.setitem(trainers.NAMED, "article", brief)
    monkeypatch.setattr(techniques, "_REGISTERED", {})
    catalogues = (techniques.CATALOGUE, losses.LOSSES, nets.NETS, opening.READERS)
    before = [dict(catalogue) for catalogue in catalogues]
    yield {"X": X, "y": y, "images": X[:12].copy(), "ids": np.arange(12)}
    for catalogue, old in zip(catalogues, before, strict=True):
        catalogue.clear()
        catalogue.update(old)


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


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=places(COMMANDS))
def test_a_command_is_one(page, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    root = typer.main.get_command(app)
    name, command, rest = root.resolve_command(root.make_context("equipoise", words[:1]), words)
    given = command.make_context(name, rest).params
    shown = {text.splitlines()[0].strip("# ") for of, text in FILES if of == page}
    names = (given.get("recipes") or given.get("recipe") or "").split(",")
    for recipe in filter(None, names):
        assert recipe in shown or get_recipe(recipe)
    if given.get("trainer"):
        assert given["trainer"] in shown or get_trainer(given["trainer"], net=given["net"])


@pytest.mark.parametrize(("page", "text"), FILES, ids=places(FILES))
def test_a_yaml_block_is_a_recipe_or_a_trainer(page, text, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    trainer = yaml.safe_load(text).keys() <= trainers.Trainer.model_fields.keys()
    assert (get_trainer if trainer else get_recipe)(path)


@pytest.mark.parametrize(("page", "name", "text"), QUOTED, ids=places(QUOTED))
def test_a_quotation_is_in_its_file(page, name, text):
    assert text in (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_holds_what_it_shows(path, docs_script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = json.loads(path.read_text("utf-8"))
    made = docs_script("make_notebook").executed(stored, path.name)
    told = "run python docs/make_notebook.py"
    for before, now in zip(stored["cells"], made["cells"], strict=True):
        assert outline(before) == outline(now), told


def outline(cell: dict[str, Any]) -> list[Any]:
    """A cell's outputs but for figures, which differ a little between kinds of processors."""
    shown = cell.get("outputs", [])
    lines = [line for output in shown for line in output.get("text", [])]
    return [[output["output_type"] for output in shown], [line.split()[:1] for line in lines]]


def runs(words: list[str]) -> bool:
    """Whether a command can be run here: in little time, without CIFAR-10 and large models."""
    ray = "ray" not in words or find_spec("ray") is not None
    return (
        ray and "diffusion" not in words and words[0] != "demo" and "cifar10" not in " ".join(words)
    )


# A search takes the time that it is given, and other commands need what it finds.
SEARCHING = {page for page, words in COMMANDS if words[0] == "search"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", sorted({page for page, _ in COMMANDS} - SEARCHING), ids=lambda page: page.stem
)
def test_a_pages_commands_run_in_their_order(page, prepared, tmp_path):
    """With its files written and its Python run between them; one epoch has to do."""
    for folder in ("new-pictures", "images"):
        (tmp_path / folder).symlink_to("photos/dog")
    (tmp_path / "trashnet").symlink_to("photos")
    text = page.read_text("utf-8")
    found = re.finditer(r"^```(python|sh|yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for kind, block in (match.groups() for match in found):
        if kind == "yaml":
            Path(block.splitlines()[0].strip("# ") or "none.yaml").write_text(block, "utf-8")
        elif kind == "python" and needs(block) is None:
            exec(compile(block, page, "exec"), prepared)
        for words in commands(block) if kind == "sh" else ():
            brief = ["--epochs", "1"] if words[0] in ("compare", "train") else []
            brief += ["--most-seeds", "3"] if words[0] == "compare" else []
            brief += ["--steps", "5"] if words[0] == "generate" else []
            assert not runs(words) or run([*words, *brief]) == 0, words
