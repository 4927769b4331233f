import numpy as np
import pytest

import equipoise as eq
from equipoise.images import Splits


@pytest.fixture(scope="module")
def digits() -> Splits:
    return eq.load("digits", cut=False)


def test_the_keys_are_those_of_medmnist(digits, tmp_path):
    summary = eq.upsample(digits, tmp_path / "out", format="npz")
    with np.load(tmp_path / "out" / "data.npz") as made:
        keys = {name: made[name] for name in made.files}
    assert list(keys["classes"]) == list(digits.classes)
    for prefix, split in (("train_", "train"), ("val_", "validation"), ("test_", "test")):
        after = list(summary.after[split].values())
        if not sum(after):
            assert f"{prefix}images" not in keys
            continue
        assert np.bincount(keys[f"{prefix}labels"]).tolist() == after
        assert keys[f"{prefix}images"].shape == (sum(after), *digits.train.array.shape[1:])
        assert keys[f"{prefix}images"].dtype == np.uint8
    assert np.array_equal(keys["test_images"], digits.test.array)


def test_without_splits_it_holds_what_the_sampler_makes(arrays, tmp_path):
    eq.upsample(arrays, tmp_path / "out", format="npz", seed=3)
    sampler = eq.AugmentationOverSampler(random_state=3)
    images, labels = sampler.fit_resample(arrays.train.array, arrays.train.labels)
    with np.load(tmp_path / "out" / "data.npz") as made:
        assert sorted(made.files) == ["classes", "images", "labels"]
        assert np.array_equal(made["images"], images)
        assert np.array_equal(made["labels"], labels)


def test_it_reads_back(arrays, tmp_path):
    summary = eq.upsample(arrays, tmp_path / "out", format="npz")
    data = eq.load(str(tmp_path / "out" / "data.npz"), cut=False)
    assert data.train.counts.tolist() == list(summary.after["train"].values())
    assert np.array_equal(data.train.array[:17], arrays.train.array)


def test_the_number_of_jobs_changes_no_byte(arrays, tmp_path):
    made = []
    for jobs in (1, 3):
        eq.upsample(arrays, tmp_path / str(jobs), format="npz", jobs=jobs)
        made.append((tmp_path / str(jobs) / "data.npz").read_bytes())
    assert made[0] == made[1]
