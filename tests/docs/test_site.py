"""The documentation site builds without a warning and needs no network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import equipoise as eq

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="the docs extra is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*.html")}


def test_every_page_is_there(site):
    for page in DOCS.rglob("*.md"):
        assert str(page.relative_to(DOCS).with_suffix(".html")) in site
    assert "notebooks/first-study.html" in site


def test_nothing_comes_from_the_network(site):
    for name, text in site.items():
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?([^\" >]+)", text)
        loaded += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|icon|preconnect|preload)[^>]*>", text)
        assert not [one for one in loaded if "//" in one], name


def test_formulas_are_set(site):
    assert site["measures.html"].count('display="block"') >= 9
    assert not [name for name, text in site.items() if 'class="arithmatex"' in text]


def test_every_command_and_option_is_in_the_reference(site):
    import typer

    from equipoise.cli import app

    page = site["reference/commands.html"]
    for name, command in typer.main.get_command(app).commands.items():
        assert f'id="{name}"' in page
        for option in (p for p in command.params if p.name != "help"):
            assert option.opts[0].split()[0] in page or option.metavar in page


def test_every_public_name_is_in_the_reference(site):
    page = site["reference/api.html"]
    for name in set(eq.__all__) - {"__version__"}:
        value = getattr(eq, name)
        assert f'id="{value.__module__}.{value.__name__}"' in page, name
