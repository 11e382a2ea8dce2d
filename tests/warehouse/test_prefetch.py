"""One item ahead: in order, with its errors, and nothing left behind."""

import gc
import threading
import weakref
from contextlib import closing

import pytest

from hd_pipelines.warehouse.prefetch import prefetch


class Rows:
    """Stands for a frame, whose memory matters."""


def list_workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("one-ahead")]


def test_the_next_item_is_worked_on_while_the_last_is_used():
    second_begun = threading.Event()

    def work(item):
        if item == 2:
            second_begun.set()
        return item * 10

    with closing(prefetch(work, [1, 2, 3])) as results:
        assert next(results) == 10
        assert second_begun.wait(10)
        assert list(results) == [20, 30]
    assert not list_workers()


def test_an_error_is_raised_in_its_turn_and_later_items_are_left_out():
    worked = []

    def work(item):
        worked.append(item)
        if item == 2:
            raise ValueError("the second is broken")
        return item

    results = prefetch(work, range(1, 10))
    assert next(results) == 1
    with pytest.raises(ValueError, match="the second"):
        next(results)
    assert worked in ([1, 2], [1, 2, 3])
    assert not list_workers()


def test_a_result_that_was_yielded_is_not_kept():
    results = prefetch(lambda _: Rows(), range(3))
    first = weakref.ref(next(results))
    gc.collect()
    assert first() is None
    results.close()
    assert not list_workers()
