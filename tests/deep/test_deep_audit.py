"""A deep audit finds what was planted in a small set, on the command line and in Python."""

import csv
import json
import shutil

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import run


def test_a_wrong_label_is_suspected_with_the_right_class(found):
    names = {one.image: one for one in found.suspects}
    wrong = {"train/roof/wrong0.jpg", "train/roof/wrong1.jpg"} & set(names)
    assert wrong, "one of the two planted"
    assert all(names[name].suggested == "leaf" for name in wrong)
    assert len(found.suspects) < 10
    assert all(one.suggested_probability > one.probability for one in found.suspects)


def test_each_class_is_told_what_it_would_lose(found):
    classes = {one.name: one for one in found.classes}
    for name, one in classes.items():
        listed = [s for s in found.suspects if s.label == name and s.split == "train"]
        assert one.suspects == len(listed)
        assert one.suspects <= one.can_lose <= one.training // 2
    assert not classes["stone"].judged
    assert any("fewer than 5" in note and "stone" in note for note in found.notes)


def test_a_darker_crop_in_another_split_is_a_twin(found):
    first = found.twins[0]  # those across splits come first
    assert set(first.images) == {"train/leaf/0.jpg", "test/leaf/again.jpg"}
    assert first.likeness >= 0.9


def test_pictures_of_another_kind_are_named(found):
    kinds = {one.image: one.kind for one in found.oddities}
    assert kinds["train/roof/blank.jpg"] == "of one colour"
    assert kinds["train/roof/drawing.png"] == "drawing or screenshot"


def test_the_coding_tells_the_classes_apart(found):
    told = found.shortcuts
    assert told.telling
    assert told.p == 0.01
    assert told.facts[0].name == "JPEG quality"
    assert "JPEG quality" in told.sentence


def test_the_forecast_counts_the_test_split(found):
    forecast = {one.name: one for one in found.forecast.classes}
    assert not found.forecast.cut
    assert forecast["roof"].test == 5
    assert forecast["leaf"].test == 6
    assert (forecast["stone"].low, forecast["stone"].high) == (0, 1)
    assert found.forecast.half_width is None
    assert forecast["roof"].low < forecast["roof"].recall < forecast["roof"].high


def test_every_picture_has_a_place_on_the_map(found):
    np.testing.assert_array_equal(found.map.rows, np.arange(found.images))
    assert found.map.places.min() == 0
    assert found.map.places.max() == 1


def test_the_same_again(found, planted, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    again = eq.audit_deep(eq.load(planted, cut=False), jobs=1)
    assert again.to_dict() == found.to_dict()


def test_the_command_writes_page_and_lists_that_others_take(planted, tmp_path, capsys):
    out, cache = tmp_path / "audit", ["--cache", str(tmp_path / "cache")]
    assert run(["audit", str(planted), "--deep", "--out", str(out), *cache]) == 0
    text = capsys.readouterr().out
    assert "probably wrong" in text
    assert "in more than one split" in text
    fields = json.loads((out / "audit.json").read_text())
    assert fields["images"] == fields["deep"]["images"]
    page = (out / "audit.html").read_text()
    assert "wrong" in page
    assert page.count("<use href='#sheet'/>") == fields["images"]
    assert "://" not in page
    rows = list(csv.DictReader((out / "suspects.csv").open()))
    assert [row["image"] for row in rows] == [one["image"] for one in fields["deep"]["suspects"]]
    data = eq.load(
        planted, cut=False, drop_suspects=out / "suspects.csv", groups=str(out / "groups.csv")
    )
    there = {row["image"] for row in rows if row["split"] == "train"}
    assert not there & set(data.train.names)
    assert eq.audit(data).straddling_groups


@pytest.mark.parametrize("source", ["npz", "arrays", "grey", "digits"])
def test_sets_without_files_are_looked_at_too(planted, source, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    data = eq.load(planted, size=32, cut=False, classes=["leaf", "roof"])
    images, labels = data.train.array[::3], data.train.labels[::3]
    if source == "grey":
        images = images[..., :1]
    if source == "npz":
        given = tmp_path / "set.npz"
        np.savez(given, train_images=images, train_labels=labels)
    elif source == "digits":
        given = "digits"
    else:
        given = (images, labels)
    loaded = eq.load(given, cut=False)
    if source == "digits":
        loaded = eq.load((loaded.train.array[:60], loaded.train.labels[:60]), cut=False)
    seen = eq.audit_deep(loaded)
    assert seen.images == len(loaded.train)
    assert "file size" not in {
        fact.name for fact in (seen.shortcuts.facts if seen.shortcuts else ())
    }
    json.dumps(seen.to_dict())


def test_the_next_command_is_given_the_lists_once_they_were_looked_at(planted, tmp_path, capsys):
    out, cache = tmp_path / "audit", ["--cache", str(tmp_path / "cache")]
    shutil.copytree(planted / "train", tmp_path / "set")
    for k in (3, 11, 22):
        (tmp_path / "set/leaf" / f"{k}.jpg").rename(tmp_path / "set/roof" / f"leaf{k}.jpg")
    assert run(["audit", str(tmp_path / "set"), "--deep", "--out", str(out), *cache]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    start = "Next: look at the suspects, delete the rows whose label is right, then equipoise "
    assert last.startswith(start)
    assert f"--drop-suspects {out / 'suspects.csv'}" in last


def test_copies_of_ours_are_left_out(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    eq.upsample(photos, tmp_path / "balanced")
    seen = eq.audit_deep(eq.load(tmp_path / "balanced", cut=False))
    assert seen.images == 60
    assert any("Copies that upsample made" in note for note in seen.notes)
    assert not any("__" in name for name in seen.pool.names)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--deep", "--backbone", "lite9"], "no backbone"),
        (["--backbone", "lite0"], "--deep"),
    ],
)
def test_a_wrong_option_is_one_line(photos, capsys, options, told):
    assert run(["audit", str(photos), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def test_one_class_and_few_pictures_are_no_error(tmp_path, patches, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    for count in (1, 3):
        data = eq.load((patches(count, 16, 16), np.zeros(count, int)), cut=False)
        seen = eq.audit_deep(data)
        assert seen.suspects == ()
        assert seen.shortcuts is None
        json.dumps(seen.to_dict())


def test_what_load_did_not_return_is_refused():
    with pytest.raises(eq.InputError, match="audit_deep takes what load returns"):
        eq.audit_deep("photos/")
