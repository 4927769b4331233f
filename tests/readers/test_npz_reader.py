"""NumPy archives, and arrays given from Python."""

import io
import zipfile

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.readers import load


@pytest.fixture
def save(tmp_path):
    def saved(**arrays):
        np.savez_compressed(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return saved


@pytest.fixture
def medmnist(pictures):
    """MedMNIST's keys and shapes: labels are (N, 1), grey images (N, H, W)."""
    rng = np.random.default_rng(0)
    grey = pictures[..., 1]
    labels = rng.integers(0, 3, (300, 1)).astype(np.uint8)
    places = {"train": slice(0, 200), "val": slice(200, 240), "test": slice(240, 300)}
    return {
        f"{name}_{key}": array[place]
        for name, place in places.items()
        for key, array in (("images", grey), ("labels", labels))
    }


def test_medmnist(save, medmnist, pictures):
    data = load(save(**medmnist))
    assert data.classes == ("0", "1", "2")
    assert [len(part) for part in data.parts.values()] == [200, 40, 60]
    np.testing.assert_array_equal(data.train.images, pictures[:200, ..., 1:2])
    np.testing.assert_array_equal(data.test.labels, medmnist["test_labels"][:, 0])
    ids = np.concatenate([part.ids for part in data.parts.values()])
    np.testing.assert_array_equal(ids, np.arange(300))
    assert data.validation.names[0] == "val_images/00000"
    assert data.sizes == {"32×24": 300}
    assert data.modes == {"L": 300}


def test_without_a_test_split_it_is_cut(save, medmnist):
    del medmnist["test_images"], medmnist["test_labels"]
    data = load(save(**medmnist))
    assert [len(part) for part in data.parts.values()] == [160, 40, 40]


def test_images_and_labels(save, pictures):
    labels = np.repeat([3, 11, 2], 100)
    data = load(save(images=pictures, labels=labels), cut=False)
    assert data.classes == ("2", "3", "11")
    np.testing.assert_array_equal(data.train.images, pictures)
    np.testing.assert_array_equal(data.train.labels, np.repeat([1, 2, 0], 100))
    np.testing.assert_array_equal(data.train.ids, np.arange(300))


def test_named_classes(save, pictures):
    path = save(images=pictures, labels=np.repeat([0, 2], 150), classes=np.array(["a", "b", "c"]))
    data = load(path, cut=False)
    assert data.classes == ("a", "c")
    assert data.train.counts.tolist() == [150, 150]
    assert [one.line for one in data.left_out] == [
        "Classes without a training image left out: 1 (b)"
    ]


def test_classes_keep_ids(save, medmnist):
    path = save(**medmnist)
    whole, part = load(path), load(path, classes=["2", "0"])
    kept = np.flatnonzero(whole.train.labels != 1)
    np.testing.assert_array_equal(part.train.ids, whole.train.ids[kept])
    np.testing.assert_array_equal(part.train.labels == 0, whole.train.labels[kept] == 2)


def mistakes(pictures):
    labels = np.repeat([0, 1], 150)
    return {
        "several columns": (
            pictures,
            np.eye(2, dtype=int)[labels],
            "one class an image.*2 columns",
        ),
        "wrong length": (pictures, labels[:9], r"got 300 images and labels of shape \(9,\)"),
        "missing label": (
            pictures,
            np.where(labels, np.nan, 1.0),
            "whole numbers or text, but some",
        ),
        "fractions": (pictures, labels + 0.5, "whole numbers or text, but some"),
        "complex labels": (pictures, labels + 1j, "whole numbers or text, but got complex128"),
        "float images": (pictures / 255, labels, "0 … 255, but got float64. Scale them"),
        "NaN images": (np.full((300, 8, 8), np.nan), labels, "got float64 with NaN"),
        "wide values": (pictures.astype(int) * 2, labels, r"got 0 … 510"),
        "booleans": (pictures > 9, labels, "but got bool"),
        "channels first": (pictures.transpose(0, 3, 1, 2), labels, "Move the channels last"),
        "two channels": (pictures[..., :2], labels, r"C = 1, 3 or 4 .* got \(300, 24, 32, 2\)"),
        "flat": (pictures.reshape(300, -1), labels, r"shape \(N, H, W, C\)"),
        "tiny": (pictures[:, :1], labels, "H, W of at least 2"),
        "none": (pictures[:0], labels[:0], "At least two classes are needed, but there is none"),
    }


@pytest.mark.parametrize("name", mistakes(np.zeros((300, 24, 32, 3), np.uint8)))
@pytest.mark.parametrize("way", ["npz", "arrays"])
def test_mistakes(save, pictures, name, way):
    images, labels, words = mistakes(pictures)[name]
    with pytest.raises(InputError, match=words) as caught:
        load(save(images=images, labels=labels) if way == "npz" else (images, labels))
    assert "\n" not in str(caught.value)


def test_integers_of_other_kinds(pictures):
    labels = np.repeat(["b", "a"], 150)
    data = load((pictures.astype(np.int64), labels), cut=False)
    np.testing.assert_array_equal(data.train.images, pictures)
    assert data.classes == ("a", "b")
    assert load((pictures, labels == "a"), cut=False).classes == ("False", "True")
    assert load((pictures, labels.astype(object)), cut=False).classes == ("a", "b")
    assert load((pictures, np.repeat([2.0, 1.0], 150)), cut=False).classes == ("1", "2")


def test_list_of_mixed_sizes(pictures):
    images = [picture[: 10 + i % 3] for i, picture in enumerate(pictures[:60])]
    labels = ["a", "b"] * 30
    whole = load((images, labels), cut=False).train
    assert [image.shape for image in whole.images] == [image.shape for image in images]
    assert load((images, labels)).train.images.shape[1:] == (64, 64, 3)
    with pytest.raises(InputError, match=r"images\[1\]: pixels must be whole numbers"):
        load(([images[0], images[1] / 2], ["a", "b"]))


def test_four_channels_of_arrays_stay_in_whole_sets_and_are_laid_on_white_else(pictures):
    images = np.concatenate([pictures, np.zeros_like(pictures[..., :1])], axis=-1)
    labels = np.arange(300) % 2
    np.testing.assert_array_equal(load((images, labels), cut=False).train.images, images)
    data = load((images, labels))
    assert (data.train.images == 255).all()
    assert data.notes == ("300 images have transparency, which was laid on white",)


def test_wrong_pair():
    with pytest.raises(InputError, match=r"a pair \(images, labels\), but got 3"):
        load((1, 2, 3))
    with pytest.raises(InputError, match="not a int"):
        load(5)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


def test_pickles_are_never_opened(save, pictures):
    evil = np.array([Evil()] * 300, object)
    with pytest.raises(InputError, match="labels holds Python objects"):
        load(save(images=pictures, labels=evil))


def test_missing_keys(save, pictures):
    with pytest.raises(InputError, match=r"expected the keys images and labels.* there is: x, y"):
        load(save(x=pictures, y=pictures))


def test_splits_of_several_shapes(save, medmnist):
    medmnist["val_images"] = medmnist["val_images"][:, :20]
    with pytest.raises(InputError, match="must have one shape"):
        load(save(**medmnist))


def test_header_that_promises_too_much(tmp_path):
    """Ten bytes that claim to be a terabyte are refused before any memory is set aside."""
    header = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    np.lib.format.write_array_header_1_0(header, fields)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(10))
        archive.writestr("labels.npy", header.getvalue() + bytes(10))
    with pytest.raises(InputError, match="promises more than the file holds"):
        load(tmp_path / "a.npz")


def test_header_without_end(tmp_path):
    """Version 2 allows headers of 4 GiB, which NumPy would read before it refused them."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("images.npy", "labels.npy"):
            archive.writestr(name, b"\x93NUMPY\2\0" + (2**31).to_bytes(4, "little") + bytes(2**20))
    with pytest.raises(InputError, match="its header is too long"):
        load(tmp_path / "a.npz")


def test_header_of_version_2(tmp_path, pictures):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, array in (("images", pictures), ("labels", np.arange(300) % 2)):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, version=(2, 0))
    np.testing.assert_array_equal(load(tmp_path / "a.npz", cut=False).train.images, pictures)


@pytest.mark.parametrize("data", [b"", b"no archive", bytes(3000)])
def test_no_npz(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"a.npz: damaged, or no .npz"):
        load(tmp_path / "a.npz")


def test_arrays_that_are_not_read_are_told(save, pictures):
    labels = np.repeat([0, 1, 2], 100)
    given = {"x_train": pictures, "y_train": labels, "x_val": pictures, "extra": labels}
    (one,) = load(save(**given), cut=False).left_out
    assert one.line == "Arrays that are not images with labels left out: 2 (extra, x_val)"
    named = {"images": pictures, "labels": labels, "classes": np.array(["a", "b", "c"])}
    assert load(save(**named), cut=False).left_out == ()


def test_a_class_has_a_name(save, pictures):
    with pytest.raises(InputError, match=r"a\.npz: some labels are empty text"):
        load(save(images=pictures, labels=np.repeat(["cat", "dog", ""], 100)))
