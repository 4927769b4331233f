import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise import InputError
from equipoise.training.draws import WAYS, Draws

labels_ = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(labels_, st.integers(0, 2**64 - 1))
def test_natural_draws_are_passes_in_an_order_of_their_own(labels, seed):
    n = len(labels)
    rows, passes = Draws(labels, seed=seed)(0, 5 * n)
    for number, order in enumerate(rows.reshape(5, n)):
        assert sorted(order) == list(range(n))
        assert (passes.reshape(5, n)[number] == number).all()
    if n >= 10:
        assert len({tuple(order) for order in rows.reshape(5, n)}) == 5


@settings(deadline=None)
@given(labels_, st.integers(0, 2**64 - 1))
def test_balanced_draws_take_every_class_equally_often_and_its_images_in_passes(labels, seed):
    present = np.unique(labels)
    turns = 3 * len(labels)
    rows, passes = Draws(labels, "balanced", seed=seed)(0, turns * len(present))
    drawn = labels[rows].reshape(turns, len(present))
    assert (np.sort(drawn, axis=1) == present).all()
    for label in present:
        members = np.flatnonzero(labels == label)
        mine = labels[rows] == label
        whole = turns // len(members) * len(members)
        in_passes = rows[mine][:whole].reshape(-1, len(members))
        assert (np.sort(in_passes, axis=1) == members).all()
        assert (passes[mine] == np.arange(turns) // len(members)).all()


@settings(max_examples=50, deadline=None)
@given(
    labels_,
    st.sampled_from(sorted(WAYS)),
    st.integers(0, 300),
    st.lists(st.integers(0, 300), min_size=2, max_size=8),
)
def test_a_draw_depends_on_its_position_alone(labels, way, begins, cuts):
    options = {"seed": 3, "begins": begins, "total": 250}
    whole = Draws(labels, way, **options)(0, 300)
    again = Draws(labels, way, **options)
    # Backwards and with gaps: nothing that was drawn before matters.
    for start, stop in reversed(list(zip(sorted(cuts), sorted(cuts)[1:], strict=False))):
        for drawn, expected in zip(again(start, stop), whole, strict=True):
            np.testing.assert_array_equal(drawn, expected[start:stop])


@settings(max_examples=50, deadline=None)
@given(labels_, st.sampled_from(sorted(WAYS)), st.integers(0, 100))
def test_passes_count_how_often_a_row_came_before(labels, way, begins):
    draws = Draws(labels, way, seed=1, begins=begins, total=400)
    rows, passes = draws(0, 400)
    for row in np.unique(rows):
        mine = passes[rows == row]
        assert mine.tolist() == list(range(len(mine)))


@settings(max_examples=50, deadline=None)
@given(labels_, st.integers(1, 60))
def test_shares_are_those_of_their_formula(labels, turns):
    present, n = np.unique(labels, return_counts=True)
    root = Draws(labels, "square_root", seed=0)
    length = turns * root._length
    drawn = np.bincount(np.searchsorted(present, labels[root(0, length)[0]]), minlength=len(n))
    assert np.abs(drawn - length * np.sqrt(n) / np.sqrt(n).sum()).max() <= 1
    length = turns * Draws(labels, "progressive", seed=0, total=1)._length
    whole = Draws(labels, "progressive", seed=0, total=length)(0, length)[0]
    drawn = np.bincount(np.searchsorted(present, labels[whole]), minlength=len(n))
    # From natural to equal shares: on average halfway.
    assert np.abs(drawn - length * (n / n.sum() + 1 / len(n)) / 2).max() <= 1


def test_progressive_draws_go_from_natural_to_equal_shares():
    labels = np.repeat([0, 1, 2], [160, 30, 10])
    drawn = labels[Draws(labels, "progressive", seed=0, total=20_000)(0, 30_000)[0]]
    parts = np.stack([np.bincount(part, minlength=3) for part in drawn.reshape(30, 1000)]) / 1000
    natural, equal = np.array([0.8, 0.15, 0.05]), np.full(3, 1 / 3)
    for number, share in enumerate(parts):
        t = min((number + 0.5) / 20, 1)
        np.testing.assert_allclose(share, (1 - t) * natural + t * equal, atol=0.025)


def test_deferred_draws_are_natural_and_then_balanced():
    labels = np.repeat([0, 1], [30, 6])
    rows, _ = Draws(labels, "balanced", seed=4, begins=100)(0, 160)
    np.testing.assert_array_equal(rows[:100], Draws(labels, seed=4)(0, 100)[0])
    np.testing.assert_array_equal(rows[100:], Draws(labels, "balanced", seed=4)(0, 60)[0])
    assert (np.bincount(labels[rows[100:]]) == 30).all()


def test_other_seeds_draw_otherwise():
    labels = np.arange(100) % 2
    for way in WAYS:
        first, second = (Draws(labels, way, seed=s, total=100)(0, 100)[0] for s in (0, 1))
        assert (first == second).mean() < 0.2


def test_mistakes_are_named():
    with pytest.raises(InputError, match="Did you mean 'balanced'"):
        Draws([0, 1], "balancd", seed=0)
    with pytest.raises(InputError, match="whole length for progressive draws"):
        Draws([0, 1], "progressive", seed=0)
