"""Parquet and WebDataset: shards that other libraries open."""

import io
import json
import tarfile
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import equipoise as eq
from equipoise.writers import shards

FORMATS = ("parquet", "webdataset")


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    """Shards of a few pictures, so that a small set has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "_SHARD_BYTES", 20_000)
        patch.setattr(shards, "_GROUP_BYTES", 12_000)
        yield


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """The photos in each format, and as a folder."""
    top = tmp_path_factory.mktemp("out")
    for format in ("folder", *FORMATS):
        eq.upsample(str(photos), top / format, format=format)
    return top


def shards_of(folder):
    paths = sorted([*folder.rglob("*.tar"), *(folder / "data").glob("*.parquet")])
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def images_by_id(folder, kind):
    """Every image's file by its id in the manifest, whatever the format."""
    manifest = pd.read_parquet(folder / "manifest.parquet")
    places = zip(manifest.id, manifest.path, manifest.label, strict=True)
    if kind == "folder":
        return {i: ((folder / path).read_bytes(), label) for i, path, label in places}
    found = {}
    for name in shards_of(folder):
        if kind == "parquet":
            rows = pq.read_table(folder / name).to_pylist()
            found |= {f"{name}#{k}": (r["image"]["bytes"], r["label"]) for k, r in enumerate(rows)}
        else:
            found |= {f"{name}#{key}": value for key, value in samples(folder / name).items()}
    return {i: found[path] for i, path, _ in places}


def samples(path):
    """The samples of a tar shard: key to (image file, label)."""
    images, labels = {}, {}
    with tarfile.open(path) as archive:
        for member in archive:
            key, _, ending = member.name.partition(".")
            data = archive.extractfile(member).read()
            if ending == "cls":
                labels[key] = int(data)
            else:
                images[key] = data
    assert images.keys() == labels.keys()
    return {key: (images[key], labels[key]) for key in images}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_the_same_images(made, format):
    expected = images_by_id(made / "folder", "folder")
    assert images_by_id(made / format, format) == expected
    assert len(shards_of(made / format)) > 4


@pytest.mark.parametrize("format", FORMATS)
def test_neither_jobs_nor_a_resumed_run_change_a_byte(photos, made, tmp_path, format):
    out = tmp_path / "out"
    eq.upsample(str(photos), out, format=format, jobs=3)
    expected = shards_of(made / format)
    assert shards_of(out) == expected
    for name in [*list(expected)[::2], "manifest.parquet", "summary.json"]:
        (out / name).unlink()
    shard = out / next(iter(expected))
    shard.with_name(f".{shard.name}.123.part").write_bytes(b"half")
    eq.upsample(str(photos), out, format=format, jobs=1)
    assert shards_of(out) == expected
    assert not list(out.rglob("*.part"))
    assert (out / "manifest.parquet").read_bytes() == (
        made / format / "manifest.parquet"
    ).read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_a_manifest_makes_the_same_shards_again(photos, made, tmp_path, format):
    manifest = made / format / "manifest.parquet"
    eq.upsample(str(photos), tmp_path / "again", format=format, from_manifest=manifest)
    assert shards_of(tmp_path / "again") == shards_of(made / format)


def test_parquet_has_the_image_column_of_hugging_face(made):
    paths = sorted((made / "parquet" / "data").iterdir())
    assert paths[0].name.startswith("test-00000-of-0000")
    schema = pq.read_schema(paths[0])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": ["cat", "dog", "red fox"], "_type": "ClassLabel"}
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"
    row = pq.read_table(paths[-1]).to_pylist()[-1]
    assert Image.open(io.BytesIO(row["image"]["bytes"])).format == "PNG"
    assert "__" in row["image"]["path"]


def test_tar_shards_are_shuffled_and_whole(made):
    labels = [
        label
        for name in sorted(shards_of(made / "webdataset"))
        if name.startswith("train")
        for _, label in samples(made / "webdataset" / name).values()
    ]
    assert Counter(labels) == {0: 11, 1: 11, 2: 11}
    assert np.any(np.diff(labels[:11]) != 0)


def test_datasets_opens_the_parquet(made, tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra 'hub' is not installed")
    data = datasets.load_dataset(str(made / "parquet"), cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in data.items()} == {"train": 33, "test": 9}
    assert data["train"].features["label"].names == ["cat", "dog", "red fox"]
    assert Counter(data["train"]["label"]) == {0: 11, 1: 11, 2: 11}
    assert np.asarray(data["train"][0]["image"]).shape == (21, 31, 3)


def test_webdataset_reads_the_shards(made):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    urls = [
        str(made / "webdataset" / n) for n in shards_of(made / "webdataset") if n[:5] == "train"
    ]
    pipeline = (
        webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("png;jpg", "cls")
    )
    assert Counter(label for _, label in pipeline) == {0: 11, 1: 11, 2: 11}
