"""What is written, opened by the libraries that it is written for."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

import equipoise as eq


@pytest.fixture(scope="module")
def written(photos, tmp_path_factory):
    """The photos as Parquet and as WebDataset shards."""
    top = tmp_path_factory.mktemp("hub")
    for format in ("parquet", "webdataset"):
        eq.upsample(photos, top / format, format=format)
    return top


def test_load_dataset_opens_splits_classes_and_images(photos, written, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    found = datasets.load_dataset(str(written / "parquet"), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in found.items()} == {"train": 33, "test": 9}
    assert found["train"].features["label"].names == ["cat", "dog", "red fox"]
    assert Counter(found["train"]["label"]) == {0: 11, 1: 11, 2: 11}
    data = eq.load(str(photos), cut=False)
    for row in (0, 5, 16):  # originals stand first, in their order
        shown = np.asarray(found["train"][row]["image"].convert("RGB"))
        assert np.array_equal(shown, data.train.images[row])


def test_webdataset_streams_the_shards(written):
    wds = pytest.importorskip("webdataset", reason="the extra `hub` is not installed")
    shards = sorted(str(path) for path in (written / "webdataset").glob("train-*.tar"))
    samples = list(wds.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert Counter(sample["cls"] for sample in samples) == {0: 11, 1: 11, 2: 11}
    manifest = pd.read_parquet(written / "webdataset" / "manifest.parquet")
    keys = manifest[manifest.split == "train"].path.str.partition("#")[2]
    assert {sample["__key__"] for sample in samples} == set(keys)
    images = [sample[key] for sample in samples for key in ("png", "jpg") if key in sample]
    assert len(images) == 33
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in images)
