"""A data set of 16-bit images, balanced: its copies are as deep and on the same scale."""

import cv2
import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.errors import InputError
from equipoise.readers.depth import to_eight, to_sixteen

TWELVE = (0, 4095)


@pytest.fixture(scope="module")
def xrays(tmp_path_factory):
    """Twelve cats in grey and four dogs in colour, of twelve bits in files of sixteen."""
    folder = tmp_path_factory.mktemp("xrays")
    rng = np.random.default_rng(0)
    for name, count, shape in (("cat", 12, (12, 12)), ("dog", 4, (12, 12, 3))):
        (folder / name).mkdir()
        for i in range(count):
            image = rng.integers(0, 4000, shape, dtype=np.uint16)
            cv2.imwrite(str(folder / name / f"{i:02d}.{'png' if i % 2 else 'tiff'}"), image)
    return folder


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*/*") if p.is_file()}


@pytest.mark.parametrize("format_", ["folder", "parquet", "webdataset"])
def test_originals_stay_and_copies_are_read_as_what_they_were_made_from(xrays, tmp_path, format_):
    data = eq.load(xrays, cut=False)
    out = tmp_path / "out"
    eq.upsample(xrays, out, techniques=["flip", "noise"], format=format_, seed=1)
    again = eq.load(out, cut=False)
    assert again.range == data.range == TWELVE
    assert len(again.train) == 24
    assert set(again.modes) == {"I;16", "RGB;16"}
    ids = dict(zip(data.train.digests.tolist(), data.train.ids.tolist(), strict=True))
    rows = pd.read_parquet(out / "manifest.parquet")
    assert set(rows["range"]) == {"0:4095"}
    assert set(again.train.digests.tolist()) >= set(ids)
    if format_ == "folder":
        for name, file in files_of(xrays).items():
            assert (out / name).read_bytes() == file
        flipped = rows[rows.technique == "flip"].iloc[0]
        source = data.train.ids.tolist().index(flipped.source_id)
        copy = cv2.imread(str(out / flipped.path), cv2.IMREAD_UNCHANGED)
        assert copy.dtype == np.uint16
        wide = to_sixteen(data.train.images[source], TWELVE)[:, ::-1, ::-1]
        np.testing.assert_array_equal(copy, wide)
        np.testing.assert_array_equal(
            to_eight(copy[..., ::-1], TWELVE), data.train.images[source][:, ::-1]
        )


def test_the_same_bytes_again_and_no_others(xrays, tmp_path):
    first = tmp_path / "first"
    eq.upsample(eq.load(xrays, cut=False, range="100:3000"), first)
    manifest = first / "manifest.parquet"
    assert set(pd.read_parquet(manifest)["range"]) == {"100:3000"}
    with pytest.raises(InputError, match=r"images was 100:3000, but it is 0:4095"):
        eq.upsample(xrays, tmp_path / "auto", from_manifest=manifest)
    data = eq.load(xrays, cut=False, range="100:3000")
    eq.upsample(data, tmp_path / "again", from_manifest=manifest)
    assert files_of(tmp_path / "again") == files_of(first)
    assert (tmp_path / "again" / "manifest.parquet").read_bytes() == manifest.read_bytes()


def test_another_range_is_another_data_set(xrays, tmp_path):
    eq.upsample(xrays, tmp_path / "out")
    with pytest.raises(InputError, match="from other data"):
        eq.upsample(eq.load(xrays, cut=False, range="full"), tmp_path / "out")


def test_codings_of_eight_bits_are_refused(xrays, tmp_path):
    for copies in ("jpeg", "webp"):
        with pytest.raises(InputError, match=f"{copies} cannot hold: take png copies"):
            eq.upsample(xrays, tmp_path / "out", copies=copies)
    assert not (tmp_path / "out").exists()


def test_arrays_of_sixteen_bits_become_eight(tmp_path):
    wide = np.random.default_rng(3).integers(0, 4000, (12, 8, 8), dtype=np.uint16)
    labels = ["cat"] * 8 + ["dog"] * 4
    eq.upsample((wide, labels), tmp_path / "out", format="npz")
    data = eq.load(tmp_path / "out" / "data.npz", cut=False)
    assert (data.range, data.modes) == (None, {"L": 16})
    np.testing.assert_array_equal(data.train.images[:12], to_eight(wide[..., None], TWELVE))


def test_extra_images_are_read_by_the_range_of_the_data_set(xrays, tmp_path):
    from equipoise.extras import with_extra
    from equipoise.recipes import Recipe

    extra = tmp_path / "extra" / "dog"
    extra.mkdir(parents=True)
    wide = np.full((12, 12, 3), 2048, np.uint16)
    cv2.imwrite(str(extra / "a.png"), wide)
    joined = with_extra(
        eq.load(xrays, validation_fraction=0.4), Recipe(name="more", extra=str(extra.parent))
    )
    assert (joined.train.array[-1] == 128).all()
