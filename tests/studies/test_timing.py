"""A progress display that fails is told once, goes on, and leaves the work alone."""

import time
import warnings

import pytest

from equipoise.errors import Remark
from equipoise.studies.timing import each_second


def watched(look, done):
    with each_second(look):
        while not done():
            time.sleep(0.05)


def test_it_goes_on_after_an_error():
    calls = []

    def look():
        calls.append(len(calls))
        if len(calls) < 3:
            raise RuntimeError("dictionary changed size\nduring iteration")

    with pytest.warns(Remark, match="RuntimeError: dictionary changed size during") as told:
        watched(look, lambda: len(calls) == 3)
    assert len(told) == 1
    assert len(calls) >= 4  # the last at the end


def test_files_that_come_and_go_are_no_news():
    calls = []

    def look():
        calls.append(len(calls))
        raise FileNotFoundError("failed.json")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched(look, lambda: calls)


def work():
    with each_second(lambda: [].pop()):
        raise KeyError("the work's own")


def test_an_error_of_the_work_is_its_own():
    with (
        pytest.warns(Remark, match="IndexError: pop from empty list"),
        pytest.raises(KeyError, match="the work's own"),
    ):
        work()
