"""What runs are trained on: draws, folds and the oracle's images, on real digits."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.errors import InputError
from equipoise.images import Splits
from equipoise.mapped import is_mapped
from equipoise.readers import load
from equipoise.studies.drawing import check_draws, check_folds, drawn, folded, with_real


@pytest.fixture(scope="module")
def threes_and_eights():
    raw = load_digits()
    rows = np.isin(raw.target, (3, 8))
    return np.round(raw.images[rows] * (255 / 16)).astype(np.uint8), raw.target[rows]


@pytest.fixture(scope="module")
def taken(threes_and_eights) -> Splits:
    return load(threes_and_eights, take={"3": 90, "8": 20})


def test_what_is_left_out_is_kept_apart_from_the_study(threes_and_eights, taken):
    whole = load(threes_and_eights)
    assert whole.withheld is None
    everything = len(taken.train) + len(taken.validation) + len(taken.test) + len(taken.withheld)
    assert everything == len(threes_and_eights[0])
    assert taken.digest == replace(taken, withheld=None).digest
    used = np.concatenate([part.ids for part in taken.parts.values()])
    assert not np.isin(taken.withheld.ids, used).any()


def test_what_is_made_of_a_map_is_a_map(threes_and_eights, tmp_path):
    images, labels = threes_and_eights
    np.save(tmp_path / "images.npy", images)
    data = load((np.load(tmp_path / "images.npy", mmap_mode="r"), labels), take={"8": 20})
    held = load(threes_and_eights, take={"8": 20})
    for make in (lambda d: with_real(d).train, lambda d: folded(d, 0, 3).train):
        assert is_mapped(make(data).array)
        np.testing.assert_array_equal(make(data).array, make(held).array)


def test_draws_are_of_the_same_sizes_and_share_validation_and_test(taken):
    assert drawn(taken, 0) is taken
    one, again, two = drawn(taken, 1), drawn(taken, 1), drawn(taken, 2)
    assert one.digest == again.digest
    assert len({taken.digest, one.digest, two.digest}) == 3
    for draw in (one, two):
        assert draw.train.counts.tolist() == taken.train.counts.tolist()
        assert draw.validation is taken.validation
        assert draw.test is taken.test
        pool = np.concatenate([taken.train.ids, taken.withheld.ids])
        assert len(np.unique(draw.train.ids)) == len(draw.train)
        both = np.concatenate([draw.train.ids, draw.withheld.ids])
        assert np.array_equal(np.sort(both), np.sort(pool))
        # Pixels and labels have come along.
        where = {one: row for row, one in enumerate(taken.train.ids)}
        for row, number in enumerate(draw.train.ids):
            if number in where:
                assert np.array_equal(draw.train.array[row], taken.train.array[where[number]])


def test_every_image_is_drawn_equally_often(taken):
    rare = int(taken.train.counts.argmin())
    pool = np.concatenate([part.ids[part.labels == rare] for part in (taken.train, taken.withheld)])
    count, draws = taken.train.counts[rare], 300
    hits = np.zeros(len(pool))
    for draw in range(1, draws + 1):
        train = drawn(taken, draw).train
        hits += np.isin(pool, train.ids[train.labels == rare])
    share = count / len(pool)
    # A binomial's spread about the same share for all.
    deviation = (hits - draws * share) / np.sqrt(draws * share * (1 - share))
    assert abs(deviation).max() < 4.5
    assert 0.7 < deviation.std() < 1.3


def test_no_withheld_image_is_one_of_validation_or_in_a_group_with_one(threes_and_eights):
    images, labels = threes_and_eights
    # Every picture three times over: copies stay together in the splits that are cut, and what is
    # taken of the first so many leaves copies of validation images behind.
    tripled = load((np.concatenate([images] * 3), np.tile(labels, 3)), take={"8": 60})
    held = np.concatenate([tripled.validation.digests, tripled.test.digests])
    assert np.isin(tripled.train.digests, held).sum() == 0
    assert np.isin(tripled.withheld.digests, held).sum() == 0
    assert np.isin(drawn(tripled, 1).train.digests, held).sum() == 0


def test_the_oracle_has_real_images_up_to_the_largest_class(taken):
    real = with_real(taken)
    assert real.train.counts.tolist() == [taken.train.counts.max()] * 2
    assert np.array_equal(real.train.ids[: len(taken.train)], taken.train.ids)
    added = real.train.ids[len(taken.train) :]
    assert np.isin(added, taken.withheld.ids).all()
    assert real.validation is taken.validation
    # Of another draw it is that draw's images and others.
    other = with_real(drawn(taken, 1))
    assert len(np.unique(other.train.ids)) == len(other.train) == len(real.train)


def test_every_image_is_tested_in_one_fold(threes_and_eights):
    data = load(threes_and_eights)
    parts = [folded(data, fold, 4) for fold in range(4)]
    tested = np.concatenate([part.test.ids for part in parts])
    assert np.array_equal(np.sort(tested), np.arange(len(threes_and_eights[0])))
    for part in parts:
        every = np.concatenate([p.ids for p in part.parts.values()])
        assert np.array_equal(np.sort(every), np.arange(len(threes_and_eights[0])))
        # The classes' shares, and validation's, are those of the data.
        assert abs(np.diff(part.test.counts)).max() <= 4
        share = len(part.validation) / (len(part.validation) + len(part.train))
        assert share == pytest.approx(0.15, abs=0.02)
    assert folded(data, 1, 4).digest == parts[1].digest


def test_groups_stay_in_one_fold(threes_and_eights):
    data = load(threes_and_eights)

    def grouped(part):
        return replace(part, groups=np.array([f"camera {number % 40}" for number in part.ids]))

    grouped_data = Splits(*(grouped(part) for part in data.parts.values()))
    for fold in range(3):
        part = folded(grouped_data, fold, 3)
        assert not set(part.test.groups) & set(part.train.groups)
        assert not set(part.validation.groups) & set(part.train.groups)


def test_what_cannot_be_drawn_or_folded_is_refused(threes_and_eights, taken):
    whole = load(threes_and_eights)
    with pytest.raises(InputError, match="--draws 2 needs more images of a class"):
        check_draws(whole, 2)
    with pytest.raises(InputError, match="does not go with --take"):
        check_folds(taken, 3, 1, oracle=False)
    with pytest.raises(InputError, match="brings its own"):
        check_folds(load("digits"), 3, 1, oracle=False)
    with pytest.raises(InputError, match="folds >= 2"):
        check_folds(whole, 1, 1, oracle=False)
    images, labels = threes_and_eights
    few = np.flatnonzero((labels == 3) | (np.cumsum(labels == 8) <= 9))
    with pytest.raises(
        InputError,
        match=r"every class must be in every fold, but there are too few of '8' \(9 images\)",
    ):
        check_folds(load((images[few], labels[few])), 10, 1, oracle=False)
