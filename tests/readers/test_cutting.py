import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.errors import InputError
from equipoise.readers import load
from equipoise.readers.cutting import long_tailed


def test_the_profile_is_the_published_one():
    # CIFAR-10-LT at ratio 100, as Cao et al. (2019) train on it.
    published = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert long_tailed(np.full(10, 5000), 100).tolist() == published
    assert long_tailed(np.full(10, 4800), 100)[[0, -1]].tolist() == [4800, 48]
    assert long_tailed(np.full(3, 7), 1).tolist() == [7, 7, 7]


def test_no_class_gives_more_than_it_has():
    counts = np.array([4800, 4801, 2000, 4799, 4800])
    kept = long_tailed(counts, 10)
    assert (kept <= counts).all()
    assert kept[0] / kept[-1] == pytest.approx(10, rel=0.01)


def test_a_long_tail_keeps_the_first_of_each_class_and_withholds_the_rest():
    raw = load_digits()
    pixels = np.round(raw.images * (255 / 16)).astype(np.uint8)
    tail = load((pixels, raw.target), long_tail=20)
    whole = load((pixels, raw.target))
    assert np.array_equal(tail.test.ids, whole.test.ids)
    kept = tail.train.counts + tail.validation.counts
    assert kept[0] / kept[-1] == pytest.approx(20, rel=0.15)
    assert (np.diff(kept) < 0).all()
    for label in range(10):
        there = np.concatenate(
            [part.ids[part.labels == label] for part in (tail.train, tail.validation)]
        )
        left = tail.withheld.ids[tail.withheld.labels == label]
        assert not len(left) or there.max() < left.min()


def test_mistakes_are_named():
    raw = load_digits()
    data = (np.round(raw.images * (255 / 16)).astype(np.uint8), raw.target)
    with pytest.raises(InputError, match="long_tail >= 1"):
        load(data, long_tail=0.5)
    with pytest.raises(InputError, match="give one"):
        load(data, long_tail=10, take={"3": 20})
    with pytest.raises(InputError, match="leaves no image of the last class"):
        load(data, long_tail=1e4)
