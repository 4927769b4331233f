"""Cutting splits: stratified, whole groups, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from equipoise.errors import InputError
from equipoise.readers.splitting import Cut, cut, folds_of, units


def cut_plain(labels, fraction=0.2, seed=0, unit=None, grouped=False, name="test", later=()):
    labels = np.asarray(labels)
    unit = np.arange(len(labels)) if unit is None else unit
    classes = tuple(f"c{k}" for k in range(labels.max() + 1))
    return cut(labels, unit, Cut(name, fraction, seed, later), classes, grouped=grouped)


@given(
    counts=st.lists(st.integers(20, 200), min_size=2, max_size=6),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_every_class_gives_its_share(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    chosen = cut_plain(labels, fraction, seed)
    assert abs(chosen.sum() - fraction * len(labels)) <= 0.5 + 1e-9
    held = np.bincount(labels[chosen])
    np.testing.assert_allclose(held, fraction * np.array(counts), atol=1.01)
    np.testing.assert_array_equal(chosen, cut_plain(labels, fraction, seed))


def test_seeds_and_splits_choose_differently():
    labels = np.repeat([0, 1], 200)
    first = cut_plain(labels)
    assert (first != cut_plain(labels, seed=1)).any()
    assert (first != cut_plain(labels, name="validation")).any()


def test_seeds_of_any_size():
    labels = np.repeat([0, 1], 20)
    for seed in (2**32, 2**64, 2**70 + 1):
        assert cut_plain(labels, seed=seed).sum() == 8


@pytest.mark.parametrize(("folds", "split"), [(4, "test"), (10, "validation")])
def test_folds_share_no_random_numbers_with_a_split(folds, split):
    """A split draws by the length of its name."""
    labels, seed = np.repeat([0, 1], [120, 80]), 7
    state = int(np.random.SeedSequence([seed, len(split)]).generate_state(1)[0])
    dealt = StratifiedKFold(folds, shuffle=True, random_state=state).split(labels, labels)
    same = np.empty(200, int)
    for number, (_, members) in enumerate(dealt):
        same[members] = number
    found = folds_of(
        labels, np.arange(200), folds, seed=seed, classes=("cat", "dog"), grouped=False
    )
    assert (found != same).any()


@given(
    sizes=st.lists(st.integers(1, 9), min_size=20, max_size=80),
    fraction=st.floats(0.1, 0.5),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole(sizes, fraction, seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.repeat(np.arange(len(sizes)) % 2, sizes) ^ (rng.random(len(unit)) < 0.1)
    chosen = cut_plain(labels.astype(int), fraction, seed, unit, grouped=True)
    assert not set(unit[chosen]) & set(unit[~chosen])
    assert 0 < chosen.sum() < len(unit)
    assert abs(chosen.mean() - fraction) < 0.1 + max(sizes) / sum(sizes)


def test_duplicates_are_one_unit():
    digests = np.array([b"a", b"b", b"a", b"c", b"b"], "S16")
    unit = units(digests, None)
    assert unit[0] == unit[2] != unit[1] == unit[4] != unit[3]


def test_duplicates_join_their_groups():
    digests = np.array([b"a", b"b", b"c", b"b", b"d", b"e"], "S16")
    groups = np.array(["x", "x", "y", "y", "z", "z"])
    unit = units(digests, groups)
    assert len(set(unit[:4])) == 1
    assert unit[4] == unit[5] != unit[0]


def test_shares_are_near_even_for_large_groups():
    unit = np.repeat(np.arange(40), 25)
    labels = np.repeat(np.arange(40) % 4 == 0, 25).astype(int)
    for fraction in (0.15, 0.2, 0.3):
        chosen = cut_plain(labels, fraction, unit=unit, grouped=True)
        assert abs(chosen.mean() - fraction) < 0.06
        assert abs(labels[chosen].mean() - 0.25) < 0.1


@pytest.mark.parametrize(
    ("labels", "unit", "grouped"),
    [
        ([0] * 50 + [1], None, False),
        ([0] * 50 + [1] * 9, np.r_[np.arange(50), [50] * 9], True),
        ([0] * 50 + [1] * 9, np.r_[np.arange(50), [50] * 9], False),
    ],
)
def test_class_too_small(labels, unit, grouped):
    words = r"Every class must be in training and test, .*'c1' \(1 (image|group)\)"
    with pytest.raises(InputError, match=words):
        cut_plain(labels, 0.1, unit=unit, grouped=grouped)


def test_all_classes_that_are_too_small_are_named_at_once():
    labels = np.repeat(np.arange(14), [50, 3, *range(1, 3), *[2] * 10])
    with pytest.raises(InputError) as error:
        cut_plain(labels, later=("validation",))
    words = str(error.value)
    assert "in training, validation and test" in words
    assert "fewer than 3 different images" in words
    assert "'c2' (1 image)" in words
    assert "'c3' (2 images)" in words
    assert "and 2 more classes" in words
    assert "'c1'" not in words
    assert "--drop-classes-below 3" in words


@given(
    counts=st.lists(st.integers(3, 9), min_size=2, max_size=8),
    fraction=st.floats(0.01, 0.95),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_three_images_of_a_class_can_be_one_in_each_split(counts, fraction, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = cut_plain(labels, fraction, seed, later=("validation",))
    held = np.bincount(labels[chosen], minlength=len(counts))
    assert held.min() >= 1
    assert (np.array(counts) - held).min() >= 2
    again = cut_plain(labels[~chosen], fraction, seed, name="validation")
    assert np.bincount(labels[~chosen][again], minlength=len(counts)).min() >= 1
    assert np.bincount(labels[~chosen][~again], minlength=len(counts)).min() >= 1


@given(
    groups=st.lists(st.integers(3, 6), min_size=2, max_size=5),
    fraction=st.floats(0.1, 0.5),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_three_groups_of_a_class_can_be_one_in_each_split(groups, fraction, seed):
    rng = np.random.default_rng(seed)
    of_group = np.repeat(np.arange(len(groups)), groups)
    sizes = rng.integers(1, 9, len(of_group))
    labels, unit = np.repeat(of_group, sizes), np.repeat(np.arange(len(of_group)), sizes)
    chosen = cut_plain(labels, fraction, seed, unit, grouped=True, later=("validation",))
    assert not set(unit[chosen]) & set(unit[~chosen])
    assert len(np.unique(labels[chosen])) == len(groups)
    left = [len(np.unique(unit[~chosen & (labels == k)])) for k in range(len(groups))]
    assert min(left) >= 2


def test_few_groups_of_one_class_leave_the_others_shares_alone():
    """A rare class with three groups does not make the test split a third of the set."""
    labels = np.r_[np.zeros(900, int), np.ones(30, int)]
    unit = np.r_[np.arange(900) // 3, 300 + np.arange(30) // 10]
    chosen = cut_plain(labels, 0.2, unit=unit, grouped=True, later=("validation",))
    assert chosen[:900].mean() == pytest.approx(0.2, abs=0.02)
    assert chosen[900:].sum() == 10


def test_single_images_fill_up_what_groups_leave():
    unit = np.r_[np.repeat(np.arange(4), 30), np.arange(4, 1000)]
    labels = np.arange(len(unit)) % 3
    chosen = cut_plain(labels, 0.2, unit=unit, grouped=True)
    assert np.bincount(labels[chosen]) / np.bincount(labels) == pytest.approx(0.2, abs=0.01)


def test_entangled_groups_are_refused():
    """Three classes, each in two of three groups: whichever is cut off, a class is on one side."""
    labels, unit = np.tile([0, 1, 1, 2, 2, 0], 5), np.tile([0, 0, 1, 1, 2, 2], 5)
    with pytest.raises(InputError, match="no choice of them for the test split"):
        cut_plain(labels, unit=unit, grouped=True)
