"""WebDataset shards: samples are put together, and what we write is read back."""

import io
import json
import tarfile

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import InputError
from equipoise.images import LeftOut
from equipoise.readers import load
from equipoise.writers import shards


@pytest.fixture
def pack(tmp_path):
    def packed(files, name="a.tar"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
            for inner, data in files.items():
                member = tarfile.TarInfo(inner)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return path

    return packed


@pytest.fixture(scope="module")
def images(pictures, encode):
    return [encode(picture) for picture in pictures[:12]]


def samples(images, ending="cls", label=lambda i: str(i % 2).encode(), key="{:03d}"):
    """Files of samples, the label first or last in turn."""
    files = {}
    for i, image in enumerate(images):
        pair = [(f"{key.format(i)}.png", image), (f"{key.format(i)}.{ending}", label(i))]
        files |= dict(pair[:: (-1) ** i])
    return files


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
@pytest.mark.parametrize("key", ["{:03d}", "./some/folder/{:03d}"])
@pytest.mark.parametrize(
    ("ending", "label"),
    [
        ("cls", lambda i: f"{i % 2}\n".encode()),
        ("txt", lambda i: str(i % 2).encode()),
        ("json", lambda i: json.dumps({"label": i % 2, "caption": "a cat"}).encode()),
    ],
)
def test_one_archive(pack, images, pictures, name, key, ending, label):
    path = pack(samples(images, ending, label, key), name)
    if ending != "cls" and "/" in key:  # a .txt beside images in a class folder may be anything
        with pytest.raises(InputError, match="there is only 'folder'"):
            load(path)
        return
    data = load(path, cut=False)
    assert data.classes == ("0", "1")
    np.testing.assert_array_equal(data.train.images, pictures[:12])
    np.testing.assert_array_equal(data.train.labels, np.arange(12) % 2)
    some = load(path, classes=["1", "0"], cut=False)
    assert some.train.counts.tolist() == [6, 6]
    assert not some.broken


def test_text_beside_class_folders_is_no_label(pack, some_files):
    captions = {f"{name[:-4]}.txt": b"a picture" for name in some_files}
    assert load(pack(some_files | captions), cut=False).classes == ("cat", "dog")


@pytest.mark.parametrize("room", ["", "{}/"])
def test_a_folder_of_shards(pack, images, tmp_path, room):
    for number, split in enumerate(("train", "train", "val", "test")):
        name = f"set/{room.format(split)}imagenet-{split}-{number:06d}.tar"
        pack(samples(images[number:] + images[:number], label=lambda i: b"ab"[i % 2 :][:1]), name)
    data = load(tmp_path / "set", cut=False)
    assert data.classes == ("a", "b")
    assert [len(part) for part in data.parts.values()] == [24, 12, 12]
    assert len(set(np.concatenate([part.ids for part in data.parts.values()]).tolist())) == 48
    assert data.test.names[0].endswith("imagenet-test-000003.tar/000.png")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_folders_in_an_archive_are_splits(pack, images, name):
    files = {}
    for split, count in (("train", 6), ("Testing", 4), ("dev", 2)):
        files |= {f"set/{split}/{key}": data for key, data in samples(images[:count]).items()}
    data = load(pack(files, name), cut=False)
    assert {name: len(part) for name, part in data.parts.items()} == {
        "train": 6,
        "validation": 2,
        "test": 4,
    }


@pytest.mark.parametrize("sort", [sorted, lambda names: sorted(names, reverse=True)])
@pytest.mark.parametrize(
    ("picture", "others"),
    [
        ("png", ["depth.png", "mask.png"]),
        ("jpg", ["png"]),
        ("image.png", ["depth.png", "seg.png"]),
        ("rgb.jpg", ["flow.jpg"]),
    ],
)
def test_the_picture_of_a_sample(pack, images, sort, picture, others):
    files = {}
    for i in range(6):
        files |= {f"{i}.{picture}": images[i], f"{i}.cls": str(i % 2).encode()}
        files |= {f"{i}.{other}": images[-1] for other in others}
    data = load(pack({name: files[name] for name in sort(files)}), cut=False)
    assert data.train.names.tolist() == [f"{i}.{picture}" for i in range(6)]
    assert data.train.images.encoded(3) == images[3]
    (left_out,) = data.left_out
    assert (left_out.reason, left_out.count) == ("second images of a sample", 6 * len(others))


def test_a_class_whose_pictures_are_all_of_other_kinds(pack, images):
    files = samples(images) | {"a.heic": b"heic", "a.cls": b"hen", "b.json": b'{"label": "hen"}'}
    data = load(pack(files), cut=False)
    assert data.classes == ("0", "1")
    assert LeftOut("classes without a training image", 1, ("hen: 2 of other kinds",)) in (
        data.left_out
    )


def test_what_is_wrong_with_a_sample(pack, images):
    files = samples(images) | {
        "alone.png": images[0],
        "many.png": images[1],
        "many.second.png": images[2],
        "many.cls": b"1",
        "long.png": images[3],
        "long.cls": b"1" * 70_000,
        "several.png": images[4],
        "several.json": b'{"label": [0, 1]}',
        "deep.png": images[5],
        "deep.json": b"[" * 60_000,
        "text.png": images[6],
        "text.cls": b"\xff",
        "other.npy": b"",
    }
    data = load(pack(files), cut=False)
    assert len(data.train) == 13
    assert {one.name.partition(".")[0]: one.reason[:40] for one in data.broken} == {
        "long": "label cls: more than 65,536 bytes",
        "several": "label json: one class an image is needed",
        "deep": next(one.reason[:40] for one in data.broken if one.name == "deep.png"),
        "text": "label cls: 'utf-8' codec can't decode by",
    }
    assert data.left_out[1:] == (
        LeftOut("files of other kinds", 1, ("other.npy",)),
        LeftOut("second images of a sample", 1, ("many.second.png",)),
        LeftOut("images without a label", 1, ("alone.png",)),
    )


def test_mistakes(pack, images, some_files, tmp_path):
    with pytest.raises(InputError, match=r"holds no image with a label"):
        load(pack({"0.cls": b"1"}))
    pack(some_files, "folder/photos.tar")
    with pytest.raises(InputError, match=r"its .tar files hold no samples"):
        load(tmp_path / "folder")
    pack(samples(images, label=lambda i: str(i).encode()), "named/train.tar")
    (tmp_path / "named/summary.json").write_text('{"classes": ["a", "b"]}')
    with pytest.raises(InputError, match=r"label \d+ is none of its 2 classes"):
        load(tmp_path / "named")
    for text in ("{", "[]", '{"classes": [1, 2]}', '{"classes": ["a", "a"]}'):
        (tmp_path / "named/summary.json").write_text(text)
        assert len(load(tmp_path / "named", cut=False).classes) == 12


@pytest.fixture
def photos(folder_of, pictures, encode):
    """JPEG and PNG files of several sizes in three splits."""
    files = {}
    for split, counts in {"train": (11, 4), "val": (2, 2), "test": (3, 3)}.items():
        for name, count in zip(("wild cat", "dög"), counts, strict=True):
            for i in range(count):
                image = pictures[len(files), : 16 + len(files) % 5]
                format_ = ("PNG", "JPEG")[i % 2]
                ending = ("png", "jpg")[i % 2]
                files[f"{split}/{name}/{i:02d}.{ending}"] = encode(image, format_)
    return folder_of(files)


@pytest.mark.parametrize("format_", ["parquet", "webdataset"])
def test_what_we_write_is_read_back(photos, tmp_path, monkeypatch, format_):
    """The same pixels, labels, classes and splits as of the folder, whatever the shards."""
    eq.upsample(str(photos), tmp_path / "folder", techniques=["crop", "noise"])
    monkeypatch.setattr(shards, "_SHARD_BYTES", 15_000)
    eq.upsample(str(photos), tmp_path / "out", techniques=["crop", "noise"], format=format_)
    ending = {"parquet": "*.parquet", "webdataset": "*.tar"}[format_]
    assert len(list((tmp_path / "out").rglob(ending))) > 4
    expected, found = (load(tmp_path / name, cut=False) for name in ("folder", "out"))
    assert found.classes == expected.classes == ("dög", "wild cat")
    assert found.broken == ()
    assert found.notes == ("Copies that upsample made, for training alone: 7",)
    for name, part in found.parts.items():
        other = expected.parts[name]
        pairs, others = (
            sorted(zip(p.digests.tolist(), p.labels.tolist(), strict=True)) for p in (part, other)
        )
        assert pairs == others
    again = eq.upsample(str(tmp_path / "out"), tmp_path / "again", strategy="minority")
    assert again.before["train"] == {"dög": 4, "wild cat": 11}
    assert again.copies == 7
