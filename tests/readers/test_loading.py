"""`load`: selection, splits and size as the contract says, for every kind of source alike."""

import io
import os
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.readers import load


@pytest.fixture(scope="module")
def arrays(pictures):
    """200 of class a, 60 of b and 40 of c, mixed."""
    labels = np.repeat(["a", "b", "c"], [200, 60, 40])
    return pictures, np.random.default_rng(1).permutation(labels)


def test_test_is_cut_from_all_and_validation_from_the_rest(arrays):
    data = load(arrays)
    assert [len(part) for part in data.parts.values()] == [204, 36, 60]
    assert data.test.counts.tolist() == [40, 12, 8]
    assert data.validation.counts.tolist() == [24, 7, 5]
    ids = np.concatenate([part.ids for part in data.parts.values()])
    np.testing.assert_array_equal(np.sort(ids), np.arange(300))
    for part in data.parts.values():
        assert (np.diff(part.ids) > 0).all()
        np.testing.assert_array_equal(part.images, arrays[0][part.ids])
        np.testing.assert_array_equal(np.array(data.classes)[part.labels], arrays[1][part.ids])


def test_same_seed_same_splits(arrays):
    assert load(arrays, seed=3).digest == load(arrays, seed=3).digest
    assert load(arrays, seed=3).digest != load(arrays, seed=4).digest


@given(st.floats(0.05, 0.6), st.floats(0.05, 0.6))
@settings(max_examples=15, deadline=None)
def test_fractions(arrays, test_fraction, validation_fraction):
    data = load(arrays, test_fraction=test_fraction, validation_fraction=validation_fraction)
    assert abs(len(data.test) - 300 * test_fraction) <= 0.5 + 1e-9
    rest = 300 - len(data.test)
    assert abs(len(data.validation) - rest * validation_fraction) <= 0.5 + 1e-9


def test_classes_in_their_order(arrays):
    data = load(arrays, classes=["c", "a"])
    assert data.classes == ("c", "a")
    assert len(data.train) + len(data.validation) + len(data.test) == 240
    np.testing.assert_array_equal(arrays[1][data.train.ids[data.train.labels == 0]], "c")


def test_take_keeps_the_first_of_training_before_validation_is_cut(arrays):
    whole = load(arrays)
    data = load(arrays, take={"a": 50, "c": 20})
    np.testing.assert_array_equal(data.test.ids, whole.test.ids)
    pool = np.concatenate([data.train.ids, data.validation.ids])
    training = np.setdiff1d(np.arange(300), data.test.ids)
    for name, count in (("a", 50), ("b", 48), ("c", 20)):
        expected = training[arrays[1][training] == name][:count]
        np.testing.assert_array_equal(np.sort(pool[arrays[1][pool] == name]), expected)
    assert len(data.validation) == round(0.15 * 118)


def test_take_passes_over_broken_files(folder_of, some_files):
    files = some_files | {"cat/00.png": b"broken", "test/cat/1.png": some_files["cat/01.png"]}
    data = load(folder_of(files), take={"cat": 3}, cut=False)
    assert data.train.names[:4].tolist() == ["cat/01.png", "cat/02.png", "cat/03.png", "dog/30.png"]


def test_nothing_is_cut_unless_asked(arrays):
    data = load(arrays, cut=False)
    assert [len(part) for part in data.parts.values()] == [300, 0, 0]
    assert data.test.images.shape == (0, 24, 32, 3)


def test_duplicates_are_never_parted_by_a_cut(arrays):
    images, labels = arrays
    twice = np.concatenate([images, images[:100]]), np.concatenate([labels, labels[:100]])
    for seed in range(5):
        data = load(twice, seed=seed)
        held = [{digest.tobytes() for digest in part.digests} for part in data.parts.values()]
        assert sum(map(len, held)) == len(set.union(*held)) == 300


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (24, 32), (64, 2)])
def test_one_size_up_to_64_is_kept(shape):
    images = np.random.default_rng(0).integers(0, 256, (40, *shape, 3), dtype=np.uint8)
    data = load((images, np.arange(40) % 2))
    assert data.train.images.shape[1:] == (*shape, 3)
    assert data.notes == ()


def test_larger_pictures_are_brought_to_one_size_with_a_line(folder_of, encode, pictures):
    rng = np.random.default_rng(0)
    large = {
        f"{'ab'[i % 2]}/{i}.png": encode(rng.integers(0, 256, (65, 90), dtype=np.uint8))
        for i in range(40)
    }
    data = load(folder_of(large))
    assert data.train.images.shape[1:] == (160, 160, 1)
    assert data.sizes == {"90×65": 40}
    assert (data.size, data.fit) == (160, "squash")
    assert data.notes == (
        "40 of 40 images were brought to 160×160 (squashed); --size sets another size, --fit "
        "another way",
    )


def test_size_is_what_is_asked_for(arrays):
    assert load(arrays, size=48).train.images.shape[1:] == (48, 48, 3)
    whole = load(arrays, size=17, cut=False).train
    assert whole.images.shape == (300, 17, 17, 3)
    np.testing.assert_array_equal(whole.digests, load(arrays, cut=False).train.digests)
    assert load(arrays, size="auto").size is None


def test_grey_among_colour_becomes_colour(folder_of, some_files, encode, pictures):
    grey = {f"dog/g{i}.png": encode(pictures[100 + i, ..., 1]) for i in range(10)}
    data = load(folder_of(some_files | grey))
    assert data.train.images.shape[-1] == 3
    assert data.modes == {"RGB": 40, "L": 10}
    assert data.notes == ("10 grey images among colour were brought to colour",)
    row = next(i for i, name in enumerate(data.train.names) if name.startswith("dog/g"))
    source = pictures[100 + int(data.train.names[row][5])]
    np.testing.assert_array_equal(data.train.images[row], source[..., 1:2].repeat(3, -1))
    whole = load(folder_of(some_files | grey), cut=False).train.images
    assert {image.shape[2] for image in whole} == {1, 3}


def test_transparency_is_laid_on_white(folder_of, some_files, encode, pictures):
    alpha = np.full((24, 32, 1), 255, np.uint8)
    alpha[:5] = 0
    clear = encode(np.concatenate([pictures[99], alpha], axis=2))
    files = {
        f"{'ab'[i % 2]}/{i}.png": clear if i == 0 else data
        for i, data in enumerate(some_files.values())
    }
    data = load(folder_of(files))
    part = next(part for part in data.parts.values() if "a/0.png" in part.names)
    image = part.images[part.names.tolist().index("a/0.png")]
    assert (image[:5] == 255).all()
    np.testing.assert_array_equal(image[5:], pictures[99][5:])
    whole = load(folder_of(files), cut=False).train
    assert whole.images[whole.names.tolist().index("a/0.png")].shape == (24, 32, 4)


OPTIONS = [
    ({"classes": ["a", "z"]}, "no class 'z'. .*There is: a, b, c"),
    ({"classes": ["a"]}, "At least two classes are needed, but there is only 'a'"),
    ({"classes": []}, "At least two classes are needed, but there is none"),
    ({"classes": ["a", "a"]}, "given once, but got 'a' twice"),
    ({"classes": "a,b"}, "a list of names"),
    ({"take": {"z": 5}}, "no class 'z'"),
    ({"classes": ["a", "b"], "take": {"c": 5}}, "no class 'c'"),
    ({"take": {"b": 61}}, "--take b=61: the training split has only 60"),
    ({"take": {"b": 49}}, "--take b=49: the training split has only 48"),
    ({"take": {"b": 0}}, "take >= 1 must hold, but got take=0"),
    ({"take": {"b": 2.5}}, "take >= 1 must hold"),
    ({"size": 1}, "2 <= size <= 4096 must hold, but got size=1"),
    ({"size": 5000}, "2 <= size <= 4096"),
    ({"size": 32.0}, "2 <= size <= 4096"),
    ({"test_fraction": 0}, "0 < test_fraction < 1 must hold, but got test_fraction=0"),
    ({"test_fraction": 1.0}, "0 < test_fraction < 1"),
    ({"validation_fraction": -0.1}, "0 < validation_fraction < 1"),
    ({"validation_fraction": float("nan")}, "0 < validation_fraction < 1"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "words"), OPTIONS, ids=lambda value: str(value)[:40])
def test_mistakes_in_options(arrays, options, words):
    with pytest.raises(InputError, match=words) as caught:
        load(arrays, **options)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a.xyz", "noext", "picture.png", "a.parquet.bak"])
def test_unknown_format(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"unknown format; expected a folder, .zip, .tar"):
        load(tmp_path / name)


def test_digits():
    data = load("digits")
    assert data.classes == tuple("0123456789")
    assert data.train.images.shape[1:] == (16, 16, 1)
    assert data.test.counts.tolist() == [50] * 10
    whole = load("digits", cut=False)
    assert whole.train.counts.tolist() == [90] * 5 + [8] * 5
    assert data.train.images.max() == 255
    ids = np.concatenate([part.ids for part in whole.parts.values()])
    assert len(np.unique(ids)) == 1240
    assert load("digits").digest == data.digest


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be set here")
def test_cores_change_nothing(some_files, folder_of):
    root, cores = folder_of(some_files), os.sched_getaffinity(0)
    many = load(root)
    try:
        os.sched_setaffinity(0, {min(cores)})
        one = load(root)
    finally:
        os.sched_setaffinity(0, cores)
    assert one.digest == many.digest


def test_the_limit_of_pixels_can_be_set(folder_of, some_files, encode, pictures):
    large = np.tile(pictures[0], (3, 3, 1))
    folder = folder_of(some_files | {"dog/large.png": encode(large)})
    data = load(folder, cut=False, most_pixels=1000)
    assert [one.reason for one in data.broken] == [
        "96×72 pixels are more than the limit of 1,000; --most-pixels raises it"
    ]
    images = load(folder, cut=False, most_pixels=large.shape[0] * large.shape[1]).train.images
    assert images.most_pixels == 6912
    np.testing.assert_array_equal(images.pick(np.array([len(images) - 1]))[0], large)
    with pytest.raises(InputError, match="most_pixels >= 4 must hold, but got most_pixels=0"):
        load(folder, most_pixels=0)


def packed(kind, files, folder):
    """The files as one source: a folder, an archive, a table of paths or one of bytes."""
    place = folder / f"set.{kind}"
    names = list(files)
    if kind == "zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    elif kind.startswith("tar"):
        with tarfile.open(place, "w:gz" if kind == "tar.gz" else "w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    elif kind == "parquet":
        images = [{"bytes": data, "path": name.replace("/", "-")} for name, data in files.items()]
        labels = [name.partition("/")[0] for name in names]
        pq.write_table(pa.table({"image": images, "label": labels}), place)
    else:
        for name, data in files.items():
            (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "set" / name).write_bytes(data)
        if kind == "folder":
            return folder / "set"
        lines = [f"set/{name},{name.partition('/')[0]}" for name in names]
        place.write_text("\n".join(["path,label", *lines]))
    return place


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "csv", "parquet"])
def test_the_limit_of_bytes_can_be_set(kind, some_files, tmp_path):
    """A member of many bytes that takes little room in an archive is one too."""
    bomb = some_files["dog/30.png"] + bytes(300_000)
    source = packed(kind, some_files | {"dog/bomb.png": bomb}, tmp_path)
    data = load(source, cut=False, most_bytes=100_000)
    assert len(data.train) == 40
    assert [one.reason for one in data.broken] == [
        f"{len(bomb):,} bytes are more than the limit of 100,000; --most-bytes raises it"
    ]
    assert data.broken[0].name.endswith("bomb.png")
    whole = load(source, cut=False)
    assert (len(whole.train), whole.broken) == (41, ())
    with pytest.raises(InputError, match="most_bytes >= 1 must hold, but got most_bytes=0"):
        load(source, most_bytes=0)
