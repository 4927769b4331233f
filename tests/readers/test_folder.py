"""Folders of class folders."""

import os
import pickle

import numpy as np
import pytest

from equipoise.errors import InputError, WorkError
from equipoise.images import LeftOut
from equipoise.readers import decoded, load
from equipoise.readers.table import path_ids


def test_classes_order_names_and_ids(folder_of, some_files, pictures):
    data = load(folder_of(some_files), cut=False)
    assert data.classes == ("cat", "dog")
    assert data.train.names.tolist() == sorted(some_files)
    assert len(data.validation) == len(data.test) == 0
    np.testing.assert_array_equal(data.train.labels, [0] * 30 + [1] * 10)
    np.testing.assert_array_equal(data.train.ids, path_ids(sorted(some_files)))
    assert (data.train.ids >= 0).all()
    assert len(np.unique(data.train.ids)) == 40
    np.testing.assert_array_equal(np.stack(list(data.train.images)), pictures[:40])
    assert data.sizes == {"32×24": 40}
    assert data.modes == {"RGB": 40}
    assert data.broken == ()


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("val", "validation"),
        ("valid", "validation"),
        ("Validation", "validation"),
        ("test", "test"),
        ("TEST", "test"),
    ],
)
@pytest.mark.parametrize("train", ["train/", "Training/", ""])
def test_splits(folder_of, some_files, train, folder, split):
    files = {f"{train}{name}": data for name, data in some_files.items()}
    files |= {f"{folder}/{name}": data for name, data in list(some_files.items())[20:]}
    data = load(folder_of(files), cut=False)
    assert len(data.train) == 40
    assert len(data.parts[split]) == 20
    assert set(data.parts[split].names) == {name for name in files if name.startswith(folder)}


def test_deeper_folders_belong_to_their_class(folder_of, some_files):
    files = {name.replace("cat/", "cat/a/b/"): data for name, data in some_files.items()}
    assert load(folder_of(files), cut=False).train.counts.tolist() == [30, 10]


def test_folder_that_wraps_all_is_passed_over(folder_of, some_files):
    wrapped = {f"deep/deeper/{name}": data for name, data in some_files.items()}
    data = load(folder_of(wrapped), cut=False)
    assert data.train.names.tolist() == sorted(some_files)
    np.testing.assert_array_equal(data.train.ids, path_ids(sorted(some_files)))


def test_hidden_files_are_no_data(folder_of, some_files):
    junk = (".DS_Store", "cat/.hidden.png", ".git/cat/1.png", "__MACOSX/cat/._1.png", "Thumbs.db")
    data = load(folder_of(some_files | dict.fromkeys(junk, b"junk")), cut=False)
    assert len(data.train) == 40
    assert data.broken == data.notes == ()


def test_broken_files_are_named_and_left_out(folder_of, some_files):
    bad = {"cat/a.png": b"", "dog/b.jpg": b"no", "cat/c.png": some_files["cat/00.png"][:-60]}
    data = load(folder_of(some_files | bad), cut=False)
    assert {one.name for one in data.broken} == set(bad)
    assert {one.reason for one in data.broken} >= {"empty file", "not an image of a known format"}
    assert len(data.train) == 40


def test_what_is_left_out_is_told_reason_by_reason(folder_of, some_files):
    files = {f"train/{name}": data for name, data in some_files.items()}
    more = {"readme.txt": b"x", "train/cat/a.json": b"{}", "train/cat/bad.png": b""}
    data = load(folder_of(files | more | {"test/1.png": some_files["cat/00.png"]}), cut=False)
    assert [one.line for one in data.left_out] == [
        "Unreadable files left out: 1 (train/cat/bad.png: empty file)",
        "Files of other kinds left out: 2 (readme.txt, train/cat/a.json)",
        "Images in no class folder left out: 1 (test/1.png)",
    ]


def test_of_many_files_left_out_a_few_are_named(folder_of, some_files):
    data = load(folder_of(some_files | {f"cat/{i:04}.txt": b"" for i in range(1200)}), cut=False)
    names = tuple(f"cat/{i:04}.txt" for i in range(5))
    assert data.left_out == (LeftOut("files of other kinds", 1200, names),)
    assert data.left_out[0].line == (
        "Files of other kinds left out: 1,200, such as cat/0000.txt, cat/0001.txt, cat/0002.txt"
    )


def test_strange_class_names(folder_of, some_files):
    names = [
        "<b>cat<b>",
        "CON",
        "a\nb\x1b[31m",
        "\u202etxt",
        "🐈‍⬛",
        "x" * 250,
        "a\\b",
        "$(rm)",
        " ",
    ]
    picture = some_files["cat/00.png"]
    data = load(folder_of({f"{name}/1.png": picture for name in names}), cut=False)
    assert data.classes == tuple(sorted(names))
    with pytest.raises(InputError) as caught:
        load(folder_of({}), classes=["a\nb", "CON"])
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_links(folder_of, some_files, tmp_path):
    root = folder_of(some_files)
    outside = tmp_path / "private.png"
    outside.write_bytes(some_files["cat/00.png"])
    (tmp_path / "secret").mkdir()
    (root / "cat" / "inside.png").symlink_to(root / "dog" / "30.png")
    (root / "cat" / "outside.png").symlink_to(outside)
    (root / "cat" / "dangling.png").symlink_to(root / "nowhere.png")
    (root / "dog" / "loop").symlink_to(root)
    (root / "fox").symlink_to(tmp_path / "secret")
    os.mkfifo(root / "cat" / "pipe.png")
    data = load(root, cut=False)
    assert {one.name: one.reason for one in data.broken} == {
        "cat/outside.png": "symbolic link that leaves the folder",
        "cat/dangling.png": "symbolic link to nothing",
        "cat/pipe.png": "not a regular file",
        "dog/loop": "symbolic link to a folder around it",
        "fox": "symbolic link that leaves the folder",
    }
    assert "cat/inside.png" in data.train.names
    assert len(data.train) == 41


def test_folder_may_itself_be_a_link(folder_of, some_files, tmp_path):
    (tmp_path / "link").symlink_to(folder_of(some_files))
    assert len(load(tmp_path / "link", cut=False).train) == 40


def test_file_that_becomes_a_link_after_listing(folder_of, some_files, encode, tmp_path):
    sizes = {"cat/x.png": encode(np.zeros((9, 9, 3), np.uint8))}
    root = folder_of(some_files | sizes)
    images = load(root, cut=False).train.images
    first = root / "cat" / "00.png"
    (tmp_path / "secret.png").write_bytes(first.read_bytes())
    first.unlink()
    first.symlink_to(tmp_path / "secret.png")
    with pytest.raises(WorkError, match=r"cat/00.png"):
        images.encoded(0)


@pytest.mark.parametrize("budget", [0, 20_000, 2**30], ids=["none", "some", "all"])
def test_mixed_sizes_decode_on_demand(folder_of, some_files, pictures, encode, monkeypatch, budget):
    monkeypatch.setattr(decoded, "_HELD", budget)
    files = some_files | {"cat/99.png": encode(pictures[50][:9, :7])}
    root = folder_of(files)
    images = load(root, cut=False).train.images
    assert not isinstance(images, np.ndarray)
    held = sum(one is not None for one in images.held)
    assert held == len(images) if budget > 20_000 else held < len(images)
    assert not pickle.loads(pickle.dumps(images)).held
    np.testing.assert_array_equal(images[0], pictures[0])
    picked = images.pick(np.array([30, 2]))
    np.testing.assert_array_equal(picked[0], pictures[50][:9, :7])
    np.testing.assert_array_equal(picked[1], pictures[2])
    np.testing.assert_array_equal(images[1:3][1], pictures[2])
    assert picked.encoded(1) == some_files["cat/02.png"]


def test_change_after_loading_is_noticed(folder_of, some_files, pictures, encode, monkeypatch):
    monkeypatch.setattr(decoded, "_HELD", 0)
    root = folder_of(some_files | {"cat/99.png": encode(pictures[50][:9, :7])})
    images = load(root, cut=False).train.images
    (root / "cat" / "00.png").write_bytes(some_files["cat/01.png"])
    (root / "cat" / "01.png").unlink()
    (root / "cat" / "02.png").write_bytes(b"junk")
    with pytest.raises(WorkError, match=r"cat/00.png has changed since"):
        images[0]
    with pytest.raises(WorkError, match=r"cat/01.png: No such file"):
        images[1]
    with pytest.raises(WorkError, match=r"cat/02.png has changed since"):
        images[2]
    with pytest.raises(WorkError, match=r"cat/00.png has changed since"):
        images.encoded(0)  # as an original it would be another picture than its manifest says


MISTAKES = [
    ({"note.txt": b"x"}, "holds no images, only others such as note.txt"),
    ({"cat/1.png": b"x", "dog/1.png": b"x"}, "none of the images can be read; cat/1.png: not an"),
    ({"1.png": b"x"}, r"must lie in class folders .* but 1.png does not"),
]


@pytest.mark.parametrize(("files", "words"), MISTAKES)
def test_mistakes(folder_of, files, words):
    with pytest.raises(InputError, match=words):
        load(folder_of(files))


def test_a_class_without_a_readable_image_is_left_out_unless_it_is_asked_for(folder_of, some_files):
    root = folder_of(some_files | {"fox/1.png": b""})
    data = load(root)
    assert data.classes == ("cat", "dog")
    assert LeftOut("classes without a training image", 1, ("fox: 1 unreadable",)) in data.left_out
    for asked in ({"classes": ["fox", "cat"]}, {"take": {"fox": 1}}):
        with pytest.raises(InputError, match=r"class 'fox' has no readable image .*1.png: empty"):
            load(root, **asked)


def test_a_class_in_test_alone_is_left_out(folder_of, some_files):
    more = {f"test/{name}/1.png": some_files["cat/00.png"] for name in ("ant", "cat", "dog")}
    data = load(folder_of(some_files | more))
    assert data.classes == ("cat", "dog")
    assert data.test.names.tolist() == ["test/cat/1.png", "test/dog/1.png"]
    assert data.test.labels.tolist() == [0, 1]
    assert [one.line for one in data.left_out] == [
        "Classes without a training image left out: 1 (ant: 1 in other splits)",
        "Images of classes without a training image left out: 1 (test/ant/1.png)",
    ]


def test_one_class(folder_of, some_files):
    cats = {name: data for name, data in some_files.items() if name.startswith("cat")}
    with pytest.raises(
        InputError, match="At least two classes are needed, but there is only 'cat'"
    ):
        load(folder_of(cats))


def test_empty_and_missing(tmp_path):
    with pytest.raises(InputError, match="holds no images; expected class folders"):
        load(tmp_path)
    for path in (tmp_path / "nowhere", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(InputError):
            load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_right_to_read(folder_of, some_files):
    root = folder_of(some_files)
    (root / "cat" / "00.png").chmod(0)
    assert [one.reason for one in load(root, cut=False).broken] == ["Permission denied"]
    (root / "dog").chmod(0)
    with pytest.raises(InputError, match="dog: Permission denied"):
        load(root)
    (root / "dog").chmod(0o700)
