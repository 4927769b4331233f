from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise import InputError
from equipoise.training import Trainer, budget

trainers = st.builds(
    Trainer, name=st.just("t"), epochs=st.integers(1, 20), batch_size=st.integers(2, 70)
)


@settings(deadline=None)
@given(st.lists(st.integers(1, 200), min_size=2, max_size=5), trainers)
def test_equal_steps_are_those_of_the_balanced_set(counts, trainer):
    labels = np.repeat(np.arange(len(counts)), counts)
    b = budget(labels, trainer, presented=7)
    assert b.steps == trainer.epochs * ceil(len(counts) * max(counts) / trainer.batch_size)
    spans = [b.span(step) for step in range(b.steps)]
    # Full batches that follow one another without a gap.
    assert [stop - start for start, stop in spans] == [trainer.batch_size] * b.steps
    assert [start for start, _ in spans] == [0] + [stop for _, stop in spans[:-1]]


@settings(deadline=None)
@given(st.integers(2, 500), trainers)
def test_equal_epochs_are_passes_over_the_recipes_own_set(presented, trainer):
    b = budget([0, 1], trainer, equal="epochs", presented=presented)
    spans = [b.span(step) for step in range(b.steps)]
    assert spans[0][0] == 0
    assert spans[-1][1] == trainer.epochs * presented
    assert [start for start, _ in spans[1:]] == [stop for _, stop in spans[:-1]]
    # Batch norm needs two images: what is left over as one joins the batch before.
    assert all(2 <= stop - start <= trainer.batch_size + 1 for start, stop in spans)
    ends = {stop for _, stop in spans}
    assert {(epoch + 1) * presented for epoch in range(trainer.epochs)} <= ends


def test_the_articles_budget():
    labels = np.repeat([0, 1], [4080, 1020])
    trainer = Trainer(name="article")
    assert budget(labels, trainer).steps == 10 * 128
    assert budget(labels, trainer, equal="epochs").steps == 10 * 80
    with pytest.raises(InputError, match="equal 'steps' or 'epochs'"):
        budget(labels, trainer, equal="time")
