"""How images become files: codings of copies, and links for originals."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import equipoise as eq
from equipoise.errors import InputError, WorkError


def images_of(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        name: path.read_bytes() for path in paths if "/" in (name := str(path.relative_to(folder)))
    }


@pytest.mark.parametrize(("copies", "ending"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_copies_are_encoded_as_asked_and_originals_stay(arrays, photos, tmp_path, copies, ending):
    eq.upsample(photos, tmp_path / "plain", techniques=["flip", "blur"])
    plain = images_of(tmp_path / "plain")
    for quality in (30, 95):
        eq.upsample(
            photos,
            tmp_path / str(quality),
            techniques=["flip", "blur"],
            copies=copies,
            quality=quality,
        )
    coarse, fine = (images_of(tmp_path / str(quality)) for quality in (30, 95))
    made = [name for name in plain if "__" in name]
    for name in made:
        stem = name.removesuffix(".png")
        assert len(coarse[stem + ending]) < len(fine[stem + ending])
        with Image.open(BytesIO(fine[stem + ending])) as image:
            assert image.format == copies.upper()
            error = np.asarray(image.convert("RGB"), float) - np.asarray(
                Image.open(BytesIO(plain[name])).convert("RGB"), float
            )
        assert np.abs(error).mean() < 12
    assert {n: d for n, d in fine.items() if "__" not in n} == {
        n: d for n, d in plain.items() if "__" not in n
    }
    assert eq.load(tmp_path / "95", cut=False).train.counts.tolist() == [11, 11, 11]


def test_another_quality_is_another_run(photos, tmp_path):
    eq.upsample(photos, tmp_path / "out", copies="jpeg", quality=80)
    with pytest.raises(InputError, match="was made with another copies"):
        eq.upsample(photos, tmp_path / "out", copies="jpeg", quality=81)
    with pytest.raises(InputError, match="was made with another"):
        eq.upsample(photos, tmp_path / "out")


def test_a_manifest_makes_the_same_copies_again(photos, tmp_path):
    eq.upsample(photos, tmp_path / "out", copies="webp", quality=70)
    manifest = tmp_path / "out" / "manifest.parquet"
    eq.upsample(photos, tmp_path / "again", from_manifest=manifest, copies="webp", quality=70)
    assert images_of(tmp_path / "again") == images_of(tmp_path / "out")
    with pytest.raises(InputError, match=r"is no png file\. Name the coding of copies"):
        eq.upsample(photos, tmp_path / "other", from_manifest=manifest)


def test_parquet_holds_them_too(arrays, tmp_path):
    eq.upsample(arrays, tmp_path / "out", copies="jpeg", format="parquet")
    table = pq.read_table(next((tmp_path / "out" / "data").glob("*.parquet")))
    starts = {row["bytes"][:3] for row in table["image"].to_pylist() if "__" in row["path"]}
    assert starts == {b"\xff\xd8\xff"}


def test_transparency_does_not_go_into_jpeg(arrays, tmp_path):
    images = np.concatenate([arrays.train.array, arrays.train.array[..., :1]], axis=3)
    data = replace(arrays, train=replace(arrays.train, images=images))
    with pytest.raises((InputError, WorkError), match="JPEG has no transparency"):
        eq.upsample(data, tmp_path / "out", copies="jpeg")
    eq.upsample(data, tmp_path / "webp", copies="webp")
    made = next(path for path in (tmp_path / "webp").rglob("*__crop__*"))
    assert Image.open(made).mode == "RGBA"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"copies": "jpg"}, "no coding of copies 'jpg'. Did you mean 'jpeg'"),
        ({"quality": 0}, "1 <= quality <= 100 must hold"),
        ({"format": "npz", "copies": "jpeg"}, "holds pixels and no files"),
        ({"format": "parquet", "link": True}, "Only a folder can hold links"),
    ],
)
def test_mistakes(arrays, tmp_path, wrong, complaint):
    with pytest.raises(InputError, match=complaint):
        eq.upsample(arrays, tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_linked_originals_take_no_room_and_are_the_same_files(photos, tmp_path):
    eq.upsample(photos, tmp_path / "copied")
    eq.upsample(photos, tmp_path / "linked", link=True)
    assert images_of(tmp_path / "linked") == images_of(tmp_path / "copied")
    for path in photos.rglob("*.*"):
        assert (tmp_path / "linked" / path.relative_to(photos)).samefile(path)
        assert not (tmp_path / "copied" / path.relative_to(photos)).samefile(path)


def test_links_are_made_where_they_can_be(arrays, tmp_path):
    eq.upsample(arrays, tmp_path / "out", link=True)  # there are no files to link to
    assert (tmp_path / "out" / "sky" / "0.png").stat().st_nlink == 1
