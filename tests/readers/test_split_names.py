"""Splits are called by one table of names, wherever they stand."""

import numpy as np
import pytest

from equipoise.readers.split_names import settled, split_named, split_of


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (("train", "Training", "training_set", "TrainSet", "seg_train", "Train images"), "train"),
        (("val", "valid", "Validation", "validation-data"), "validation"),
        (("test", "TESTS", "Testing", "test_set", "test.images"), "test"),
        (("eval", "evaluation", "Dev", "dev_set"), "evaluation"),
        (("cat", "", "train station", "contest", "test_results", "train_test", "devil"), None),
    ],
)
def test_names_of_folders(names, split):
    assert {split_named(name) for name in names} == {split}


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("test/shard-000.tar", "test"),
        ("trainset/testing_01.tar", "test"),
        ("imagenet_dev-1.tar", "evaluation"),
        ("latest.tar", "train"),
    ],
)
def test_names_of_files(path, split):
    assert split_of(path) == split


def test_an_evaluation_split_is_validation_beside_a_test_split_alone():
    both = np.array(["train", "evaluation", "test"])
    assert settled(both).tolist() == ["train", "validation", "test"]
    assert settled(both[:2]).tolist() == ["train", "test"]
    assert settled(both[::2]).tolist() == ["train", "test"]
