"""`upsample(…, from_manifest=…)`: the same bytes again."""

import cv2
import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.errors import InputError


def images_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*/*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "balanced"
    eq.upsample(
        str(photos), out, techniques=["crop", {"noise": {"white": 0.2}}], seed=7, scope="all"
    )
    return out


@pytest.fixture
def manifest(made):
    return pd.read_parquet(made / "manifest.parquet")


def test_the_whole_data_set_again(photos, made, tmp_path):
    out = tmp_path / "again"
    summary = eq.upsample(str(photos), out, from_manifest=made / "manifest.parquet")
    assert images_of(out) == images_of(made)
    assert (out / "manifest.parquet").read_bytes() == (made / "manifest.parquet").read_bytes()
    assert summary.images == len(images_of(made))


def test_only_the_rows_asked_for_in_any_order(photos, made, manifest, tmp_path):
    wanted = manifest[(manifest["class"] == "dog") & (manifest.technique == "noise")][::-1]
    assert len(wanted) > 2
    wanted.to_parquet(tmp_path / "wanted.parquet")
    eq.upsample(str(photos), tmp_path / "again", from_manifest=tmp_path / "wanted.parquet")
    expected = {name: data for name, data in images_of(made).items() if name in set(wanted.path)}
    assert images_of(tmp_path / "again") == expected


def test_an_npz_again(arrays, tmp_path):
    eq.upsample(arrays, tmp_path / "out", format="npz")
    eq.upsample(
        arrays,
        tmp_path / "again",
        format="npz",
        from_manifest=tmp_path / "out" / "manifest.parquet",
    )
    for name in ("data.npz", "manifest.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def refuse(photos, manifest, tmp_path, complaint):
    manifest.to_parquet(tmp_path / "m.parquet")
    with pytest.raises(InputError, match=complaint) as error:
        eq.upsample(str(photos), tmp_path / "again", from_manifest=tmp_path / "m.parquet")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("path", "../../evil.png", "is no path of an upsampled image"),
        ("path", "/etc/passwd", "is no path of an upsampled image"),
        ("path", "train/dog/.profile", "is no path of an upsampled image"),
        ("path", "manifest.parquet", "is no path of an upsampled image"),
        ("path", "train/dog/a\nb.png", "is no path of an upsampled image"),
        ("version", "9.9.9+engine.999", "version 9.9.9.engine.999, whose images differ"),
        ("split", "testing", "split 'testing' is none of train, validation, test"),
        ("source_id", 5, "the data set lacks 1 source of it, such as 5"),
        ("source_digest", "00" * 16, "has changed since"),
        ("label", 2, "other classes or labels"),
        ("class", "wolf", "other classes or labels"),
        ("technique", "swirl", "no technique 'swirl'"),
        ("parameters", "{", "m.parquet: "),
        ("seed", 8, "mixes runs"),
        ("epoch", 1, "mixes runs"),
        ("copy", None, "rows with gaps"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    photos, manifest, tmp_path, column, value, complaint
):
    row = int(np.flatnonzero(manifest.technique == "noise")[0])
    values = manifest[column].astype(object)
    values[row] = value
    whole = manifest[column].dtype.kind in "iu" and value is not None
    refuse(
        photos,
        manifest.assign(**{column: values.astype(manifest[column].dtype) if whole else values}),
        tmp_path,
        complaint,
    )


def test_a_path_listed_twice_and_rows_missing(photos, manifest, tmp_path):
    refuse(photos, manifest.iloc[[0, 0]], tmp_path, "lists a path twice")
    refuse(photos, manifest.iloc[:0], tmp_path, "no rows")
    refuse(photos, manifest.drop(columns="copy"), tmp_path, "is no manifest")


def test_a_file_that_is_no_manifest(photos, tmp_path):
    (tmp_path / "text.parquet").write_text("not parquet")
    for name in ("text.parquet", "absent.parquet"):
        with pytest.raises(InputError, match=name):
            eq.upsample(str(photos), tmp_path / "again", from_manifest=tmp_path / name)


def test_a_source_that_has_changed_is_named(photos, made, tmp_path):
    import shutil

    copy = tmp_path / "photos"
    shutil.copytree(photos, copy)
    victim = sorted((copy / "train" / "dog").iterdir())[0]
    cv2.imwrite(str(victim), cv2.imread(str(victim))[::-1])
    with pytest.raises(InputError, match=rf"{victim.stem}.*has changed since"):
        eq.upsample(str(copy), tmp_path / "again", from_manifest=made / "manifest.parquet")
