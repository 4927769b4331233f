import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from equipoise.errors import InputError
from equipoise.planning import parse_strategy, plan, share_out, targets, undersample

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
        ({"dog": 10**23}, "target count <= 1,000,000,000"),
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


@given(
    COUNTS,
    st.sampled_from(["auto", "majority", "not minority", "not majority", "all"]),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_undersampling_keeps_as_many_as_imbalanced_learn_whatever_the_order(counts, strategy, seed):
    labels, ids = labels_of(counts), np.arange(sum(counts)) * 7
    rows = undersample(labels, strategy, seed=seed, ids=ids)
    peer = RandomUnderSampler(sampling_strategy=strategy).fit_resample(labels[:, None], labels)[1]
    assert np.bincount(labels[rows]).tolist() == np.bincount(peer).tolist()
    assert (np.diff(rows) > 0).all()
    mixed = np.random.default_rng(0).permutation(len(labels))
    again = undersample(labels[mixed], strategy, seed=seed, ids=ids[mixed])
    assert set(ids[mixed][again]) == set(ids[rows])


def test_undersampling_takes_ratios_and_class_names_and_says_what_cannot_be():
    labels, ids = labels_of([40, 10]), np.arange(50)
    for strategy, kept in (
        (0.5, [20, 10]),
        ({"cat": 25}, [25, 10]),
        ({1: 4}, [40, 4]),
        (None, [40, 10]),
    ):
        rows = undersample(labels, strategy, seed=1, ids=ids, classes=("cat", "dog"))
        assert np.bincount(labels[rows]).tolist() == kept
    first, other = (undersample(labels, "auto", seed=seed, ids=ids) for seed in (0, 1))
    assert not np.array_equal(first, other)
    for strategy, message in (
        ({"cat": 41}, "1 <= target count <= the 40 images that class cat has"),
        ({"dog": 0}, "Undersampling adds nothing"),
        ({"fox": 3}, "no class 'fox'"),
        (0.1, "strategy=0.1"),
        ("some", "no strategy 'some'"),
    ):
        with pytest.raises(InputError, match=message):
            undersample(labels, strategy, seed=0, ids=ids, classes=("cat", "dog"))


@given(wanted(), st.data())
@settings(max_examples=60, deadline=None)
def test_weights_are_the_techniques_shares_of_the_copies_of_each_class(case, data):
    labels, new, techniques, seed = case
    weights = data.draw(st.lists(st.floats(0.01, 10), min_size=techniques, max_size=techniques))
    ids = np.arange(len(labels))
    made = share_out(labels, new, techniques, seed=seed, ids=ids, weights=weights)
    plain = share_out(labels, new, techniques, seed=seed, ids=ids)
    for field in ("source", "copy", "replaces"):
        assert np.array_equal(getattr(made, field), getattr(plain, field))
    for label, count in new.items():
        mine = made.technique[labels[made.source] == label]
        shares = np.array(weights) / np.sum(weights) * count
        assert np.abs(np.bincount(mine, minlength=techniques) - shares).max() <= 1


def test_weights_that_do_not_fit_are_refused():
    labels = labels_of([4, 2])
    for techniques, weights in ((2, [1.0]), (2, [1.0, 0.0]), (0, [])):
        with pytest.raises(InputError, match="one weight > 0 a technique"):
            plan(labels, "auto", techniques, seed=0, ids=np.arange(6), weights=weights)
