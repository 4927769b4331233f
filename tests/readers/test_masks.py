"""Masks beside photos are no images of a class; other pictures of one name are told."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from equipoise.images import LeftOut
from equipoise.readers import load


@pytest.fixture(scope="module")
def photo(pictures, encode):
    return lambda i: encode(pictures[i], "JPEG")


@pytest.fixture(scope="module")
def mask(pictures, encode):
    return lambda i: encode(Image.fromarray((pictures[i][..., 0] > 200).astype(np.uint8) * 255))


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        ("{label}/{i}.jpg", "{label}/{i}.png"),
        ("{label}/{i}.JPG", "{label}/{i}.bmp"),
        ("train/{label}/{i}.jpg", "train/{label}/{i}_mask.png"),
        ("{label}/{label} ({i}).jpg", "{label}/{label} ({i})_mask_1.png"),
        ("{label}/{i}.jpg", "{label}/{i}-GT.png"),
        ("{label}/images/{i}.jpg", "{label}/masks/{i}.png"),
        ("{label}/{i}.jpg", "{label}/Ground_Truth/{i}_mask.png"),
        ("{label}/{i}.jpg", "masks/{label}-{i}.png"),
    ],
)
def test_masks_are_left_out_and_told(folder_of, photo, mask, photos, masks):
    keys = [{"label": "ab"[i % 2], "i": i} for i in range(8)]
    files = {photos.format(**key): photo(i) for i, key in enumerate(keys)}
    wanted = {masks.format(**key): mask(i) for i, key in enumerate(keys)}
    data = load(folder_of(files | wanted), cut=False)
    assert data.classes == ("a", "b")
    assert len(data.train) == 8
    assert data.left_out[0] == LeftOut("masks beside photos", 8, tuple(sorted(wanted)[:5]))


def test_a_second_mask_of_a_photo(folder_of, photo, mask):
    files = {f"{label}/1.png": photo(0) for label in "ab"}
    masks = {f"b/1_mask{more}.png": mask(1) for more in ("", "_1", "_2")}
    data = load(folder_of(files | masks), cut=False)
    assert data.left_out == (LeftOut("masks beside photos", 3, tuple(sorted(masks))),)


def test_photographs_called_like_one_beside_them_are_kept_and_told(
    folder_of, photo, pictures, encode
):
    files = {f"{label}/{i}.jpg": photo(i) for label in "ab" for i in range(4)}
    files |= {"a/0.png": encode(pictures[9]), "b/2.png": encode(pictures[8])}
    data = load(folder_of(files), cut=False)
    assert (len(data.train), data.left_out) == (10, ())
    assert data.notes == (
        "Images with the same name as one beside them: 2, such as a/0.png. If they are masks, or "
        "the same pictures again, move them away",
    )


def test_classes_of_faces_with_a_mask_are_classes(folder_of, photo):
    files = {f"{label}/{i}.jpg": photo(i) for label in ("mask", "no_mask") for i in range(4)}
    files["mask/4_mask.jpg"] = photo(5)  # beside no photo
    data = load(folder_of(files), cut=False)
    assert data.train.counts.tolist() == [5, 4]
    assert data.left_out == data.notes == ()


def test_masks_among_classes_that_are_not_wanted(tmp_path, photo, mask):
    """In a .tar.gz the pictures of other classes are passed over, and cannot be looked at."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, data in [
            (f"{label}/{i}.{ending}", made(i))
            for label in "abcdef"
            for i in range(8)
            for ending, made in (("jpg", photo), ("png", mask))
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = load(tmp_path / "a.tar.gz", classes=["e", "f"], cut=False)
    assert data.train.counts.tolist() == [8, 8]
