"""Every command that reads says what it leaves out, and keeps it in its JSON and page."""

import json
import os
import subprocess
import sys

import pytest

from equipoise.cli import run

LINES = [
    "Unreadable files left out: 7, such as cat/bad0.jpg: not an image of a known format, ",
    "Links that leave the folder (--follow-links follows them) left out: 1 (owl)",
    "Files of other kinds left out: 30, such as hen/0.heic, hen/1.heic, hen/10.heic",
    "Classes without a training image left out: 2 (fox, hen: 30 of other kinds)",
]
REASONS = ["unreadable files", "links that", "files of other kinds", "classes without a training"]
QUICK = ["--epochs", "1"]
STUDY = [*QUICK, "--jobs", "1"]


@pytest.fixture
def odd(photos, tmp_path):
    """The photos with one of everything that is left out."""
    for i in range(7):
        (photos / "cat" / f"bad{i}.jpg").write_text("<html>not found</html>")
    for name in ("fox", "hen"):
        (photos / name).mkdir()
    for i in range(30):
        (photos / "hen" / f"{i}.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "owls").mkdir()
    (photos / "owl").symlink_to(tmp_path / "owls")
    return photos


COMMANDS = {
    "audit": [],
    "upsample": [],
    "train": ["--recipe", "none", *QUICK],
    "compare": ["--recipes", "none", "--seeds", "1", *STUDY],
    "search": ["--trials", "2", *STUDY],
    "generate": ["--steps", "1", "--sampling-strategy", "dog=16"],
}
# Where each keeps it in the JSON that it writes, and in which page if it has one.
KEPT = {
    "audit": ("audit.json", ("left_out",), "audit.html"),
    "upsample": ("summary.json", ("left_out",), None),
    "train": ("metrics.json", ("left_out",), None),
    "compare": ("study.json", ("data", "audit", "left_out"), "report.html"),
    "search": ("search.json", ("left_out",), "report.html"),
    "generate": ("summary.json", ("left_out",), "sieve.html"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_line_a_reason(odd, tmp_path, capsys, command):
    out = tmp_path / "out"
    assert run([command, str(odd), "--out", str(out), *COMMANDS[command], "--json"]) == 0
    printed = capsys.readouterr()
    json.loads(printed.out)
    told = [line for line in printed.err.splitlines() if "left out" in line]
    assert len(told) == len(LINES)
    assert all(map(str.startswith, told, LINES))
    file, keys, page = KEPT[command]
    kept = json.loads((out / file).read_text())
    for key in keys:
        kept = kept[key]
    assert [one["count"] for one in kept] == [7, 1, 30, 2]
    assert all(one["reason"].startswith(r) for one, r in zip(kept, REASONS, strict=True))
    if page:
        text = (out / page).read_text()
        assert all(line in text for line in LINES)
    assert run([command, str(odd), "--out", str(out), *COMMANDS[command], "--quiet"]) == 0
    assert "left out" not in capsys.readouterr().err


def test_links_are_followed_where_it_is_asked_for(odd, tmp_path, capsys):
    for name in ("1.png", "2.png"):
        (tmp_path / "owls" / name).write_bytes((odd / "dog" / name).read_bytes())
    assert run(["audit", str(odd), "--follow-links", "--json"]) == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert [(one["name"], one["training"]) for one in classes] == [
        ("cat", 40),
        ("dog", 20),
        ("owl", 2),
    ]


def test_columns_on_the_command_line(photos, capsys):
    rows = [f"{path.relative_to(photos)},x,{path.parent.name}" for path in photos.rglob("*.png")]
    (photos / "a.csv").write_text("\n".join(["photo,file,kind", *rows]))
    command = ["audit", str(photos / "a.csv"), "--json"]
    assert run([*command, "--columns", "path=photo, label=kind"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 60
    for words in ("path", "path=", "path=photo,path=file"):
        assert run([*command, "--columns", words]) == 2
        assert "--columns is written path=file,label=breed" in capsys.readouterr().err


def test_names_that_are_no_utf8(photos, tmp_path, capsys):
    root = os.fsencode(photos)
    os.rename(root + b"/dog", root + b"/d\xf6g")  # noqa: PTH104
    os.rename(root + b"/d\xf6g/1.png", root + b"/d\xf6g/\xe9.png")  # noqa: PTH104
    assert run(["upsample", str(photos), "--out", str(tmp_path / "up")]) == 0
    assert r"train  d\xf6g      20     40" in capsys.readouterr().out
    assert (tmp_path / "up" / "d%5Cxf6g" / "%5Cxe9.png").is_file()
    out = tmp_path / "run"
    assert run(["train", str(photos), "--recipe", "none", *QUICK, "--out", str(out)]) == 0
    assert json.loads((out / "metrics.json").read_text())["classes"] == ["cat", r"d\xf6g"]


def test_a_folder_whose_name_is_no_utf8(photos, tmp_path):
    root = os.fsencode(tmp_path) + b"/\xff"
    os.rename(photos, root)  # noqa: PTH104
    words = [sys.executable, "-m", "equipoise", "audit", root, "--out", tmp_path / "audit"]
    done = subprocess.run(words, capture_output=True, check=True)
    assert f"Next: equipoise compare '{tmp_path}/\\udcff' --out" in done.stdout.decode()
    assert "udcff" in (tmp_path / "audit" / "audit.html").read_text()
