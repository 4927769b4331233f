import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler

from equipoise.errors import InputError
from equipoise.planning import parse_strategy, plan, share_out, targets

COUNTS = st.lists(st.integers(1, 25), min_size=2, max_size=5)


def labels_of(counts):
    return np.repeat(np.arange(len(counts)), counts)


def spread(values, kinds):
    """Difference between the most and the least frequent of `kinds` values."""
    return np.ptp(np.bincount(values, minlength=kinds)) if kinds else 0


@st.composite
def wanted(draw):
    """Labels, how many new images each class gets, a number of techniques and a seed."""
    counts = draw(COUNTS)
    new = {label: draw(st.integers(0, 120)) for label in range(len(counts))}
    return labels_of(counts), new, draw(st.integers(1, 7)), draw(st.integers(0, 2**64 - 1))


def test_article_each_technique_once_on_each_dog():
    labels = labels_of([4800, 1200])
    made = plan(labels, "auto", 3, seed=0, ids=np.arange(6000))
    assert len(made) == 3600
    assert not made.replaces.any()
    pairs = np.unique(np.stack([made.source, made.technique]), axis=1)
    assert pairs.shape[1] == 3600
    assert np.bincount(made.technique).tolist() == [1200] * 3
    assert np.array_equal(np.unique(made.source), np.arange(4800, 6000))
    assert np.array_equal(np.sort(made.copy), np.repeat(np.arange(3), 1200))


@given(wanted())
@settings(max_examples=150, deadline=None)
def test_copies_are_shared_out_evenly(case):
    labels, new, techniques, seed = case
    made = share_out(labels, new, techniques, seed=seed, ids=np.arange(len(labels)))
    assert spread(made.technique, techniques) <= 1
    for label, count in new.items():
        rows = np.flatnonzero(labels == label)
        mine = np.isin(made.source, rows)
        assert mine.sum() == count
        assert spread(made.technique[mine], techniques) <= 1
        assert spread(made.source[mine] - rows[0], len(rows)) <= 1
        for source in rows:
            his = made.source == source
            assert np.array_equal(made.copy[his], np.arange(his.sum()))
            full = his.sum() // techniques * techniques
            assert spread(made.technique[his][:full], techniques) == 0


@given(wanted(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_rows_changes_nothing(case, random):
    labels, new, techniques, seed = case
    ids = np.arange(len(labels)) * 7919 % 10007
    shuffled = np.array(random.sample(range(len(labels)), len(labels)))
    one = share_out(labels, new, techniques, seed=seed, ids=ids, scope="all")
    two = share_out(labels[shuffled], new, techniques, seed=seed, ids=ids[shuffled], scope="all")
    assert np.array_equal(ids[one.source], ids[shuffled][two.source])
    assert np.array_equal(one.technique, two.technique)
    assert np.array_equal(one.copy, two.copy)
    assert np.array_equal(one.replaces, two.replaces)


def test_incomplete_rounds_take_other_sources_with_another_seed():
    labels = labels_of([100, 50])
    chosen = [
        set(plan(labels, {1: 70}, 2, seed=seed, ids=np.arange(150)).source.tolist())
        for seed in (0, 1)
    ]
    assert chosen[0] != chosen[1]
    assert all(len(rows) == 20 for rows in chosen)


@given(wanted())
@settings(max_examples=100, deadline=None)
def test_scope_all_gives_every_class_the_same_share(case):
    labels, new, techniques, seed = case
    made = share_out(labels, new, techniques, seed=seed, ids=np.arange(len(labels)), scope="all")
    sizes = np.bincount(labels)
    added = np.array([new[label] for label in range(len(sizes))])
    augmented = np.bincount(labels[made.source], minlength=len(sizes))
    share = (added / (sizes + added)).max()
    assert np.all(np.abs(augmented - share * (sizes + added)) <= 0.5 + 1e-9)
    # Nothing is replaced twice, and the numbers of the classes are the strategy's.
    gone = made.source[made.replaces]
    assert len(np.unique(gone)) == len(gone)
    assert made.kept(len(labels)).sum() == len(labels) - len(gone)
    assert len(labels) - len(gone) + len(made) == (sizes + added).sum()
    assert spread(made.technique, techniques) <= 1


def test_scope_all_on_the_article():
    labels = labels_of([4800, 1200])
    made = plan(labels, "auto", 3, seed=0, ids=np.arange(6000), scope="all")
    assert np.bincount(labels[made.source]).tolist() == [3600, 3600]
    assert np.bincount(labels[made.kept(6000)]).tolist() == [1200, 1200]


@given(COUNTS, st.sampled_from(["auto", "minority", "not minority", "not majority", "all"]))
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_imbalanced_learn(counts, strategy):
    labels = labels_of(counts)
    sampler = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    _, y = sampler.fit_resample(labels[:, None], labels)
    made = plan(labels, strategy, 0, seed=0, ids=np.arange(len(labels)))
    assert np.array_equal(np.concatenate([labels, labels[made.source]]), y)
    assert targets(labels, strategy) == dict(sampler.sampling_strategy_)
    assert np.all(made.technique == -1)


@pytest.mark.parametrize(
    ("counts", "strategy"),
    [
        ([40, 10], 0.5),
        ([40, 10], {0: 40, 1: 25}),
        ([40, 10, 5], {2: 9}),
        ([9, 4], lambda y: {1: 2 * (y == 1).sum()}),
    ],
)
def test_ratios_dicts_and_functions_too(counts, strategy):
    labels = labels_of(counts)
    sampler = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    sampler.fit_resample(labels[:, None], labels)
    assert targets(labels, strategy) == dict(sampler.sampling_strategy_)


def test_class_names_may_stand_for_labels():
    labels = labels_of([40, 10])
    assert targets(labels, {"dog": 25}, classes=("cat", "dog")) == {1: 15}
    assert targets(labels, None) == {}


@pytest.mark.parametrize(
    ("strategy", "complaint"),
    [
        ({"dgo": 25}, "no class 'dgo'. Did you mean 'dog'?"),
        ({"fox": 25}, "There is no class 'fox'.*There is: cat, dog."),
        ({"dog": 3}, "target count >= the 10 images that class dog has.*count=3"),
        ({"dog": 20.5}, "count=20.5"),
        ("minorty", "no strategy 'minorty'. Did you mean 'minority'?"),
        (1.5, r"strategy=1.5: .*\(0, 1\]"),
        (0.1, "strategy=0.1: The specified ratio"),
        ([1], "strategy=.*list"),
    ],
)
def test_a_wrong_strategy_is_told_in_one_line(strategy, complaint):
    with pytest.raises(InputError, match=complaint) as error:
        targets(labels_of([40, 10]), strategy, classes=("cat", "dog", "fox"))
    assert "\n" not in str(error.value)


def test_a_number_is_for_two_classes_and_one_class_is_not_imbalanced():
    with pytest.raises(InputError, match="binary"):
        targets(labels_of([40, 10, 5]), 0.5)
    with pytest.raises(InputError, match="more than 1 class"):
        targets(labels_of([40]), "auto")


def test_strategies_as_they_are_typed():
    assert parse_strategy("auto") == "auto"
    assert parse_strategy("0.5") == 0.5
    assert parse_strategy("dog=4800, red fox=300") == {"dog": 4800, "red fox": 300}
    assert parse_strategy("a=b=3") == {"a=b": 3}
    for text in ("automatic", "dog=", "dog=many", "=3", ""):
        with pytest.raises(InputError, match="A strategy is one of"):
            parse_strategy(text)


def test_scope_is_checked():
    with pytest.raises(InputError, match="scope 'minority' or 'all'"):
        plan(labels_of([2, 1]), "auto", 1, seed=0, ids=np.arange(3), scope="everyone")
