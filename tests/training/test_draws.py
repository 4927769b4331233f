import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.training.draws import Draws

labels_ = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(labels_, st.integers(0, 2**64 - 1))
def test_natural_draws_are_passes_in_an_order_of_their_own(labels, seed):
    n = len(labels)
    rows, passes = Draws(labels, balanced=False, seed=seed)(0, 5 * n)
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
    rows, passes = Draws(labels, balanced=True, seed=seed)(0, turns * len(present))
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
@given(labels_, st.booleans(), st.lists(st.integers(0, 300), min_size=2, max_size=8))
def test_a_draw_depends_on_its_position_alone(labels, balanced, cuts):
    whole = Draws(labels, balanced=balanced, seed=3)(0, 300)
    again = Draws(labels, balanced=balanced, seed=3)
    # Backwards and with gaps: nothing that was drawn before matters.
    for start, stop in reversed(list(zip(sorted(cuts), sorted(cuts)[1:], strict=False))):
        for drawn, expected in zip(again(start, stop), whole, strict=True):
            np.testing.assert_array_equal(drawn, expected[start:stop])


def test_other_seeds_draw_otherwise():
    labels = np.arange(100) % 2
    for balanced in (False, True):
        first, second = (Draws(labels, balanced=balanced, seed=s)(0, 100)[0] for s in (0, 1))
        assert (first == second).mean() < 0.2
