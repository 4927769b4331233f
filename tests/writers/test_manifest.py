import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import equipoise as eq
from equipoise.readers.digests import digest

COLUMNS = [
    "id", "path", "split", "label", "class", "source_id", "technique", "parameters", "seed",
    "copy", "epoch", "source_digest", "version", "generated", "group",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "balanced"
    eq.upsample(str(photos), out, techniques=["crop", {"noise": {"white": 0.2}}], seed=2**64 - 1)
    return out


@pytest.fixture(scope="module")
def manifest(made):
    return pd.read_parquet(made / "manifest.parquet")


def test_one_row_an_image_under_the_contracts_columns(made, manifest):
    assert list(manifest.columns) == COLUMNS
    files = {str(path.relative_to(made)) for path in made.rglob("*/*.*") if path.is_file()}
    assert set(manifest.path) == files
    assert len(manifest) == len(files)
    assert manifest.id.is_unique
    assert not manifest.isna().any().any()


def test_originals_come_first_then_copies_then_the_other_splits(manifest):
    assert manifest.split.tolist() == ["train"] * 33 + ["test"] * 9
    assert (manifest.technique == "original").tolist() == [True] * 17 + [False] * 16 + [True] * 9
    originals = manifest[manifest.technique == "original"]
    assert (originals.id == originals.source_id).all()
    assert (originals["copy"] == -1).all()


def test_a_row_is_enough_to_make_the_image_again(photos, made, manifest):
    data = eq.load(str(photos), cut=False)
    for row in manifest[manifest.technique != "original"].to_dict("records"):
        source = int(np.flatnonzero(data.train.ids == row["source_id"])[0])
        image = data.train.images[source]
        assert digest(image).hex() == row["source_digest"]
        again = eq.augment(
            [image],
            {row["technique"]: json.loads(row["parameters"])},
            seed=row["seed"],
            ids=[row["source_id"]],
            copy=row["copy"],
            epoch=row["epoch"],
        )
        assert np.array_equal(again[0], np.asarray(Image.open(made / row["path"])))
        assert row["class"] == data.classes[row["label"]] == row["path"].split("/")[1]
        assert row["seed"] == 2**64 - 1


def test_it_carries_the_version(manifest):
    version, _, engine = manifest.version.unique().item().partition("+engine.")
    assert version == eq.__version__
    assert engine.isdigit()


def test_ids_of_copies_do_not_depend_on_what_else_is_copied(photos, manifest, tmp_path):
    eq.upsample(
        str(photos),
        tmp_path / "out",
        strategy={"dog": 11},
        techniques=["crop", {"noise": {"white": 0.2}}],
        seed=2**64 - 1,
    )
    other = pd.read_parquet(tmp_path / "out" / "manifest.parquet")
    both = manifest.merge(other, on=["source_id", "technique", "parameters", "copy"])
    assert len(both) == 17 + 9 + 7
    assert (both.id_x == both.id_y).all()


def test_the_types_are_plain(made):
    types = {field.name: str(field.type) for field in pq.read_schema(made / "manifest.parquet")}
    assert types["id"] == types["source_id"] == "int64"
    assert types["seed"] == "uint64"
    assert types["parameters"] == "string"
