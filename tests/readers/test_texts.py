"""Names of any bytes, and classes that may be one."""

import os
import tarfile

import numpy as np
import pytest

from equipoise.readers import load
from equipoise.readers.texts import alike, as_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("café", "café"),
        (os.fsdecode(b"caf\xe9/\xff.png"), r"caf\xe9/\xff.png"),
        ("\ud800", r"\ud800"),
    ],
)
def test_as_text(name, text):
    assert as_text(name) == text
    assert text.encode().decode() == text


@pytest.fixture
def odd(folder_of, some_files):
    """A folder with a class, an image and a broken file whose names are no UTF-8."""
    root = os.fsencode(folder_of(some_files | {"dog/bad.png": b"no"}))
    os.rename(root + b"/dog", root + b"/ch\xefen")  # noqa: PTH104
    os.rename(root + b"/ch\xefen/30.png", root + b"/ch\xefen/\xff.png")  # noqa: PTH104
    os.rename(root + b"/ch\xefen/bad.png", root + b"/ch\xefen/\xfe.png")  # noqa: PTH104
    return os.fsdecode(root)


@pytest.mark.parametrize("kind", ["", "tar", "tar.gz"])
def test_bytes_that_are_no_text_are_escaped_in_all_that_is_read(odd, tmp_path, kind, some_files):
    path = odd
    if kind:
        path = tmp_path / f"a.{kind}"
        with tarfile.open(path, "w:gz" if "gz" in kind else "w") as archive:
            archive.add(odd, "photos")
    data = load(path, cut=False)
    assert data.classes == ("cat", r"ch\xefen")
    assert r"ch\xefen/\xff.png" in data.train.names
    assert [one.name for one in data.broken] == [r"ch\xefen/\xfe.png"]
    assert data.left_out[0].names == (r"ch\xefen/\xfe.png: not an image of a known format",)
    row = int(np.flatnonzero(data.train.names == r"ch\xefen/\xff.png")[0])
    assert data.train.images.encoded(row) == some_files["dog/30.png"]
    for classes in ([r"ch\xefen", "cat"], [os.fsdecode(b"ch\xefen"), "cat"]):
        assert load(path, cut=False, classes=classes).train.counts.tolist() == [10, 30]


def test_classes_that_would_be_one_by_escaping_stay_two(odd, some_files):
    root = f"{odd}/" + r"ch\xefen"
    os.mkdir(root)  # noqa: PTH102
    with open(f"{root}/1.png", "wb") as file:  # noqa: PTH123
        file.write(some_files["cat/00.png"])
    data = load(odd, cut=False)
    assert data.classes == ("cat", r"ch\xefen", r"ch\xefen'")
    assert sorted(data.train.counts.tolist()) == [1, 10, 30]


def test_classes_written_in_two_ways():
    assert alike(("cat", "dog", "1", "10", "a-b", "none")) == ()
    words = alike(
        ("Dog", "dog", "0", "0.0", "New_York", "new york", "cafe\u0301", "caf\xe9", "NaN")
    )
    assert [note.partition(". ")[0] for note in words] == [
        "Classes written alike: 'Dog', 'dog'",
        "Classes written alike: '0', '0.0'",
        "Classes written alike: 'New_York', 'new york'",
        "Classes written alike: 'cafe\u0301', 'caf\xe9'",
        "Taken for a class: 'NaN'",
    ]


def test_classes_that_may_be_splits_of_one():
    (note,) = alike(("cat_train", "cat_test", "dog-train", "boat", "test strip"))
    assert note == (
        "Classes that may be splits of one: 'cat_train', 'cat_test'. If they are, name "
        "their folders train/CLASS and test/CLASS"
    )


def test_they_are_told_of_every_source(folder_of, some_files, pictures):
    files = some_files | {f"Dog/{i}.png": some_files["cat/00.png"] for i in range(2)}
    note = "Classes written alike: 'Dog', 'dog'. If they are one class, write them in one way"
    assert load(folder_of(files), cut=False).notes == (note,)
    assert load((pictures[:3], ["Dog", "dog", "cat"]), cut=False).notes == (note,)
