"""Suspects are left out of training alone, whatever else is asked for; lists of groups are read."""

import json

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import run
from equipoise.studies.drawing import drawn, folded


@pytest.fixture
def suspects(photos, tmp_path):
    """Six cats and four dogs, whichever splits they fall into."""
    path = tmp_path / "suspects.csv"
    rows = [f"cat/{k}.png,train,cat,dog" for k in range(6)]
    rows += [f"dog/{k}.png,train,dog,cat" for k in range(4)]
    path.write_text("image,split,class,suggested\n" + "\n".join(rows) + "\n")
    return path


def named(suspects):
    return {line.split(",")[0] for line in suspects.read_text().splitlines()[1:]}


def test_training_alone_loses_suspects_and_the_splits_stay(photos, suspects):
    before = eq.load(photos)
    data = eq.load(photos, drop_suspects=suspects)
    for name in ("validation", "test"):
        np.testing.assert_array_equal(data.parts[name].names, before.parts[name].names)
    assert set(data.train.names) == set(before.train.names) - named(suspects)
    assert data.digest != before.digest
    lost = {one.reason: one.count for one in data.left_out}
    for name in ("cat", "dog"):
        there = {n for n in before.train.names if n.startswith(name)} & named(suspects)
        assert lost[f"training images of class '{name}' with suspected labels"] == len(there)
    stay = named(suspects) & {*before.validation.names, *before.test.names}
    assert stay, "the seed puts some suspects into validation or test"
    told = [note for note in data.notes if note.startswith("Suspects that stay in")]
    assert sum(int(note.split(": ")[1].split()[0]) for note in told) == len(stay)


@pytest.mark.parametrize("source", ["zip", "npz", "csv", "arrays"])
def test_every_format_drops_by_its_names(photos, tmp_path, source):
    import shutil

    whole = eq.load(photos, cut=False, size=8)
    if source == "zip":
        given = shutil.make_archive(str(tmp_path / "set"), "zip", photos)
    elif source == "csv":
        given = photos / "set.csv"
        rows = [f"{name},{name.split('/')[0]}" for name in whole.train.names]
        given.write_text("path,label\n" + "\n".join(rows) + "\n")
    elif source == "npz":
        given = tmp_path / "set.npz"
        np.savez(given, train_images=whole.train.array, train_labels=whole.train.labels)
    else:
        given = (whole.train.array, whole.train.labels)
    loaded = eq.load(given, cut=False)
    path = tmp_path / "list.csv"
    path.write_text("image\n" + "\n".join(loaded.train.names[:5]) + "\n")
    data = eq.load(given, cut=False, drop_suspects=path)
    assert data.train.names.tolist() == loaded.train.names[5:].tolist()


def test_copies_of_a_suspect_go_with_it(photos, tmp_path, suspects):
    eq.upsample(photos, tmp_path / "balanced")
    data = eq.load(tmp_path / "balanced", cut=False)
    path = tmp_path / "list.csv"
    dogs = [n for n in data.train.names[data.train.originals].tolist() if "dog/" in n][:4]
    path.write_text("image\n" + "\n".join(dogs) + "\n")
    less = eq.load(tmp_path / "balanced", cut=False, drop_suspects=path)
    gone = set(data.train.names) - set(less.train.names)
    assert set(dogs) < gone
    of = dict(zip(data.train.names, data.train.groups, strict=True))
    assert {of[name] for name in gone} == {of[name] for name in dogs}


def test_other_draws_and_folds_train_on_no_suspect(photos, suspects):
    data = eq.load(photos, drop_suspects=suspects, take={"dog": 8})
    for draw in (1, 2, 3):
        assert not set(drawn(data, draw).train.names) & named(suspects)
    data = eq.load(photos, drop_suspects=suspects)
    tested = set()
    for fold in range(3):
        part = folded(data, fold, 3)
        assert not set(part.train.names) & named(suspects)
        tested |= set(part.test.names)
    assert tested == set(eq.load(photos, cut=False).train.names)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image\ncat/0.png\ncat/lion.png\n", "line 3"),
        ("sep=,\nimage\ncat/0.png\ncat/lion.png\n", "line 4"),
        ("name of it\ncat/0.png\n", "must name the columns image"),
        ("", "must name the columns image"),
        ("image,class\ncat/0.png\n", "line 2"),
        ("image\n" + "".join(f"dog/{k}.png\n" for k in range(20)), "these are all"),
        (None, "No such file"),
    ],
)
def test_a_wrong_list_is_one_line(photos, tmp_path, capsys, text, told):
    path = tmp_path / "list.csv"
    if text is not None:
        path.write_text(text)
    out = tmp_path / "out"
    assert run(["upsample", str(photos), "--out", str(out), "--drop-suspects", str(path)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"--drop-suspects {path}" in error
    assert told in error
    assert not out.exists()


def test_suspects_of_classes_that_are_not_selected_are_no_mistake(photos, suspects, tmp_path):
    (photos / "fox").mkdir()
    for k in range(8):
        (photos / "fox" / f"{k}.png").write_bytes((photos / "cat" / f"{k}.png").read_bytes())
    with suspects.open("a") as file:
        file.write("fox/1.png,train,fox,cat\n")
    data = eq.load(photos, classes=["cat", "dog"], drop_suspects=suspects, cut=False)
    assert len(data.train) == 50


@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
def test_spreadsheets_lists_are_read(photos, tmp_path, first):
    path = tmp_path / "list.csv"
    path.write_bytes(f"\ufeff{first}image;class\r\ncat/0.png;cat\r\n;\r\n".encode())
    assert "cat/0.png" not in eq.load(photos, cut=False, drop_suspects=path).train.names


def test_a_run_and_its_summary_keep_what_was_dropped(photos, suspects, tmp_path, capsys):
    out = tmp_path / "study"
    how = ["--recipes", "none,weights", "--seeds", "1", "--epochs", "1", "--jobs", "1"]
    given = ["compare", str(photos), "--out", str(out), "--drop-suspects", str(suspects), *how]
    assert run(given) == 0
    captured = capsys.readouterr()
    assert "Training images of class 'dog' with suspected labels left out" in captured.err
    summary = json.loads((out / "summary.json").read_text())
    reasons = {one["reason"]: one["count"] for one in summary["data"]["audit"]["left_out"]}
    assert reasons["training images of class 'cat' with suspected labels"] > 0


def test_a_list_of_groups_keeps_images_together(photos, tmp_path, capsys):
    path = tmp_path / "groups.csv"
    rows = [f"{name}/{k}.png,{name}{k // 4}" for name in ("cat", "dog") for k in range(20)]
    path.write_text("image,group\n" + "\n".join(rows) + "\n")
    data = eq.load(photos, groups=str(path))
    places = [set(part.groups) for part in data.parts.values()]
    assert not places[0] & places[1] | places[0] & places[2] | places[1] & places[2]
    assert {"cat0", "dog4"} <= set().union(*places)
    assert run(["audit", str(photos), "--groups", str(path), "--quiet"]) == 0
    path.write_text("image,group\nlion.png,1\n")
    assert run(["audit", str(photos), "--groups", str(path)]) == 2
    assert "line 2: there is no image 'lion.png'" in capsys.readouterr().err
    path.write_text("image,family\ncat/0.png,1\n")
    assert run(["audit", str(photos), "--groups", str(path)]) == 2
    assert "image and group" in capsys.readouterr().err
