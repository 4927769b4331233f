"""Groups by folder, by name and by likeness; conflicts and small classes left out."""

import csv
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import equipoise as eq
from equipoise.readers import belonging, load


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@pytest.fixture
def patients(tmp_path) -> Path:
    """Twelve patients of five pictures each, in a folder a patient and class."""
    for k in range(60):
        patient, name = k // 5, ("benign", "malignant")[k % 5 > 2]
        save(tmp_path / "scans" / name / f"p{patient:02d}" / f"p{patient:02d}-{k}.png", noise(k))
    return tmp_path / "scans"


def whole(data: eq.Splits, key) -> None:
    """Check that no two splits share a key."""
    keys = [{key(name) for name in part.names.tolist()} for part in data.parts.values()]
    assert all(keys)
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]


@pytest.mark.parametrize("groups", ["folder", r"p(\d+)-", r"/p(\d+)/"])
def test_pictures_of_a_patient_stay_together(patients, groups):
    data = load(patients, groups=groups)
    whole(data, lambda name: name.split("/")[1])
    assert eq.audit(load(patients, groups=groups, cut=False)).straddling_groups == ()
    assert all((part.counts > 0).all() for part in data.parts.values())


def test_given_splits_are_no_folders_of_groups(patients, tmp_path):
    for split, of in (("train", "0"), ("test", "1")):
        for folder in patients.rglob(f"p{of}?"):
            target = tmp_path / "split" / split / folder.relative_to(patients)
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
    data = load(tmp_path / "split", groups="folder")
    whole(data, lambda name: name.split("/")[2])
    assert set(data.test.groups) == {"p10", "p11"}


def test_a_table_by_its_folders_and_its_own_groups_too(patients, tmp_path):
    rows = [
        (p.relative_to(tmp_path), p.parts[-3], f"clinic {int(p.parts[-2][1:]) // 2}")
        for p in sorted(patients.rglob("*.png"))
    ]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    data = load(tmp_path / "table.csv", groups=r"/p(\d+)/")
    whole(data, lambda name: int(name.split("/")[2][1:]) // 2)
    assert {name[:6] for name in data.train.groups} == {"clinic"}


def test_what_an_expression_does_not_match_is_told(patients):
    data = load(patients, groups=r"p(0\d)-")
    assert any("in no group: 10" in note for note in data.notes)
    whole(data, lambda name: name if "/p1" in name else name.split("/")[1])


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ("p(", "no regular expression"),
        ("(" * 5000 + ")" * 5000, "no regular expression"),
        ("p01", "must capture"),
        ("zebra-([0-9]+)", "matches none of the 60 images"),
        ("(x?)p0", "matches none"),
        (7, "groups is near, folder or a regular expression"),
    ],
)
def test_expressions_that_will_not_do(patients, groups, words):
    with pytest.raises(eq.InputError, match=words) as error:
        load(patients, groups=groups)
    assert "\n" not in str(error.value)


def test_an_expression_that_never_ends_is_ended(patients, monkeypatch):
    save(patients / "benign" / ("a" * 60 + ".png"), noise(99))
    monkeypatch.setattr(belonging, "_LEAST_SECONDS", 1)
    begun = time.monotonic()
    with pytest.raises(eq.InputError, match="not through after 1 seconds"):
        load(patients, groups="((a+)+)!")
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("kind", ["flat", "arrays", "npz"])
def test_folders_are_needed_for_groups_of_folders(tmp_path, kind):
    images = np.stack([noise(k) for k in range(40)])
    source = (images, np.arange(40) % 2)
    if kind == "npz":
        source = tmp_path / "set.npz"
        np.savez(source, images=images, labels=np.arange(40) % 2)
    if kind == "flat":
        source = tmp_path / "flat"
        for k in range(40):
            save(source / "ab"[k % 2] / f"{k}.png", images[k])
    with pytest.raises(eq.InputError, match="--groups folder"):
        load(source, groups="folder")


def test_near_duplicates_stay_together(tmp_path):
    photo = load_sample_images().images[0]
    rng = np.random.default_rng(0)
    for k in range(24):
        top, left = rng.integers(0, 300), rng.integers(0, 500)
        piece = photo[top : top + 64, left : left + 64]
        for shot in range(3):
            light = np.clip(piece * (0.8 + 0.1 * shot), 0, 255).astype(np.uint8)
            light = cv2.GaussianBlur(light, (3, 3), 0) if shot else light
            save(tmp_path / "near" / "ab"[k % 2] / f"{k:02d}-{shot}.png", light)
    alone = load(tmp_path / "near")
    assert {n[2:4] for n in alone.train.names} & {n[2:4] for n in alone.test.names}
    data = load(tmp_path / "near", groups="near")
    found = eq.audit(data, near=True)
    assert found.near_leaks == ()
    assert len(set(data.train.groups)) < len(data.train)


def test_conflicts_are_left_out(tmp_path):
    for k in range(40):
        save(tmp_path / "set" / "ab"[k % 2] / f"{k}.png", noise(k))
    for k in (0, 2):
        save(tmp_path / "set" / "b" / f"again-{k}.png", noise(k))
    save(tmp_path / "set" / "a" / "same.png", noise(4))
    plain = load(tmp_path / "set", cut=False)
    assert len(eq.audit(plain).label_conflicts) == 2
    data = load(tmp_path / "set", cut=False, drop_conflicts=True)
    assert eq.audit(data).label_conflicts == ()
    assert len(data.train) == len(plain.train) - 4
    (one,) = data.left_out
    assert (one.reason, one.count) == ("pictures under two classes", 4)


def test_small_classes_are_left_out(tmp_path):
    for name, count in (("cat", 20), ("dog", 9), ("fox", 2), ("owl", 4)):
        for k in range(count):
            save(tmp_path / "set" / name / f"{k}.png", noise(100 * ord(name[0]) + k))
    save(tmp_path / "set" / "owl" / "same.png", noise(100 * ord("o")))
    data = load(tmp_path / "set", drop_classes_below=5)
    assert data.classes == ("cat", "dog")
    (one,) = data.left_out
    assert one.reason == "classes with fewer than 5 different images"
    assert one.names == ("fox: 2", "owl: 4")
    assert load(tmp_path / "set", drop_classes_below=3).classes == ("cat", "dog", "owl")
    with pytest.raises(eq.InputError, match=r"At least two classes are needed.*only 'cat'"):
        load(tmp_path / "set", drop_classes_below=10)
    with pytest.raises(eq.InputError, match="--take fox=1: the class is left out"):
        load(tmp_path / "set", drop_classes_below=5, take={"fox": 1})
    with pytest.raises(eq.InputError, match="drop_classes_below >= 1"):
        load(tmp_path / "set", drop_classes_below=0)
    with pytest.raises(eq.InputError, match="fewer than 3 different images of 'fox'"):
        load(tmp_path / "set")
