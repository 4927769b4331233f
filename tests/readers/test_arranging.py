"""How people lay out their folders: used as it is meant, or refused or told with what to do."""

import io
import re
import tarfile
import zipfile
from itertools import cycle

import pytest

from equipoise.errors import InputError
from equipoise.images import LeftOut
from equipoise.readers import load


@pytest.fixture(scope="module")
def some(pictures, encode):
    """Different pictures in folders: some("cat", "dog", each=2)."""
    files = cycle([encode(picture) for picture in pictures[:100]])

    def made(*folders, each=2):
        return {f"{folder}/{i}.png": next(files) for folder in folders for i in range(each)}

    return made


def _packed(path, files, folders):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in folders:
                archive.writestr(f"{name}/", "")
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name in (".", *folders):
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz"])
def source(request, folder_of, tmp_path):
    """Write files, and empty folders, as a folder and as each kind of archive."""

    def written(files, folders=()):
        if request.param != "folder":
            return _packed(tmp_path / f"photos.{request.param}", files, folders)
        for name in folders:
            (folder_of(files) / name).mkdir(parents=True)
        return folder_of(files)

    return written


def counts(data):
    return {name: part.counts.tolist() for name, part in data.parts.items()}


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["Training/{}", "Testing/{}"], ["train", "test"]),
        (["train/{}", "tests/{}"], ["train", "test"]),
        (["{}", "tests/{}"], ["train", "test"]),
        (["train/{}", "eval/{}", "test/{}"], ["train", "validation", "test"]),
        (["train/{}", "evaluation/{}"], ["train", "test"]),
        (["train/{}", "dev/{}"], ["train", "test"]),
        (["train/{}", "val/{}", "dev/{}"], ["train", "validation", "test"]),
        (["training_set/{}", "test_set/{}"], ["train", "test"]),
        (["a/TrainSet/{}", "a/Test images/{}"], ["train", "test"]),
        (["seg_train/seg_train/{}", "seg_test/seg_test/{}"], ["train", "test"]),
        (["train/images/{}", "test/images/{}"], ["train", "test"]),
        (["{}/train", "{}/test"], ["train", "test"]),
        (["a/b/{}/Training", "a/b/{}/valid"], ["train", "validation"]),
    ],
)
def test_splits_are_found_where_they_are(source, some, folders, splits):
    files = {}
    for number, folder in enumerate(folders, 2):
        files |= some(folder.format("cat"), folder.format("dog"), each=number)
    data = load(source(files), cut=False)
    assert data.classes == ("cat", "dog")
    wanted = {split: [number] * 2 for number, split in enumerate(splits, 2)}
    assert counts(data) == {"train": [], "validation": [0, 0], "test": [0, 0]} | wanted
    assert data.left_out == ()


def test_splits_inside_classes_are_told(source, some):
    data = load(source(some("cat/train", "cat/test", "dog/train", "dog/test")), cut=False)
    assert data.notes == (
        "Splits were found inside the class folders: cat/test/, cat/train/, dog/test/ and 1 more",
    )


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["cat/train", "cat/test", "dog"], "cat/train/ look like splits .* dog/1.png is in none"),
        (["cat/train", "cat/test", "dog/train", "dog/x"], "dog/x/1.png is in none. Put all"),
        (["v1/train/a", "v1/test/a", "v2/train/a"], "splits below v1/, .* such as .*/v1"),
        (["one/train/good", "one/test/good", "one/gt/x", "two/train/good"], "splits below one/"),
        (["doc", "src", "data/cat", "data/dog"], r"a project, .* doc/, src/ too.* such as .*/data"),
        (["docs/img", "data/train/cat", "data/train/dog"], "looks like a project"),
        (["test/cat", "test/dog"], "holds no training image; all are of test"),
    ],
)
def test_what_can_be_taken_in_several_ways_is_refused(source, some, folders, words):
    with pytest.raises(InputError, match=words):
        load(source(some(*folders)), cut=False)


@pytest.mark.parametrize(
    ("folders", "classes", "words"),
    [
        (["cat", "doc", "dog", "src"], ("cat", "doc", "dog", "src"), "--classes cat,dog leaves"),
        (["a/cat", "a/dog", "b/cat", "b/dog"], ("a", "b"), "each of them holds cat/, dog/"),
        (["train/a/cat", "train/a/dog", "train/b/cat", "train/b/dog"], ("a", "b"), "holds cat/"),
        (["bus", "car", "train"], ("bus", "car", "train"), "Taken for a class, .*: train/"),
    ],
)
def test_what_may_be_meant_otherwise_is_told(source, some, folders, classes, words):
    data = load(source(some(*folders)), cut=False)
    assert data.classes == classes
    (note,) = data.notes
    assert re.search(words, note)


def test_folders_of_a_class_that_all_classes_have_are_nothing_special(source, some):
    assert load(source(some("a/images", "b/images")), cut=False).notes == ()


def test_unlabelled_pictures_of_a_test_split_are_left_out(source, some):
    data = load(source(some("train/cat", "train/dog", "test", "else")), cut=False)
    assert counts(data) == {"train": [2, 2], "validation": [0, 0], "test": [0, 0]}
    names = ("else/0.png", "else/1.png", "test/0.png", "test/1.png")
    assert data.left_out == (LeftOut("images in no class folder", 4, names),)


def test_classes_without_an_image_are_told_with_what_is_in_their_place(source, some):
    files = some("1", "2", "10") | {f"hen/{i}.heic": b"heic" for i in range(30)}
    data = load(source(files, folders=["fox", "2/empty"]), cut=False)
    assert data.classes == ("1", "2", "10")
    assert data.left_out[1] == LeftOut(
        "classes without a training image", 2, ("fox", "hen: 30 of other kinds")
    )


def test_a_class_of_other_kinds_that_is_asked_for_is_refused(source, some):
    path = source(some("cat", "dog") | {"hen/1.heic": b"heic"})
    with pytest.raises(InputError, match=r"class 'hen' has no readable .* \(1 files of other"):
        load(path, classes=["cat", "hen"])


def test_one_class_can_be_looked_at_and_what_is_left_out_is_told_otherwise(source, some):
    path = source(some("cat"), folders=["dog"])
    assert load(path, cut=False).classes == ("cat",)
    with pytest.raises(InputError, match=r"only 'cat'. Classes without .* left out: 1 \(dog\)"):
        load(path)


def test_files_called_as_ours_are_of_other_kinds_without_our_manifest(source, some):
    files = some("cat", "dog") | {"equipoise.json": b"{}", "cat/summary.json": b""}
    (left_out,) = load(source(files), cut=False).left_out
    assert left_out.names == ("cat/summary.json", "equipoise.json")


def test_a_table_beside_images_in_no_class_folder_is_named(source, some):
    files = {name.partition("/")[2]: data for name, data in some("images").items()}
    with pytest.raises(InputError, match=r"If metadata.csv is a table of them, give that"):
        load(source(files | {"metadata.csv": b"file_name,label\n"}))
