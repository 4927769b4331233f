"""Memory used again: never while anything shows it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from equipoise.recycling import recycled, taken

SHAPE = (7, 151, 157, 3)  # a size of these tests alone


def address(array):
    return array.__array_interface__["data"][0]


def test_the_memory_of_a_result_that_is_gone_serves_the_next():
    first = recycled(SHAPE)
    where = address(first)
    del first
    assert address(recycled(SHAPE)) == where


def test_what_is_shown_stays_as_it_is():
    """By a view, a view of a view, a tensor or a buffer alone: the result itself is gone."""
    for hold in (
        lambda a: a[1:, ::2],
        lambda a: a.reshape(-1)[5:].view(np.int8)[::3],
        torch.from_numpy,
        memoryview,
    ):
        result = recycled(SHAPE)
        result[...] = 1
        shown = hold(result)
        where = address(result)
        del result
        other = recycled(SHAPE)
        assert address(other) != where
        other[...] = 2
        assert (np.asarray(shown) == 1).all()


def test_threads_never_get_the_same():
    def work(number):
        for _ in range(50):
            mine = recycled(SHAPE)
            mine[...] = number
            if not (mine == number).all():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_rows_are_taken_from_any_layout(patches):
    images, rows = patches(40, 64, 64), np.array([3, 3, 39, 0] * 4)
    assert np.array_equal(taken(images, rows), images[rows])
    assert np.array_equal(taken(images[:, :, ::-1], rows), images[rows][:, :, ::-1])
    assert recycled((0, 4, 4, 3)).shape == (0, 4, 4, 3)
