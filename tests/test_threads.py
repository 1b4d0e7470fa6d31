import threading
import time

import pytest

from bioscan_etl.threads import cores, ordered_map


def test_results_come_in_the_order_of_the_items_however_long_each_takes():
    def slow_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(ordered_map(slow_first, range(6), threads=3, ahead=3)) == [(item, item * item) for item in range(6)]
    assert list(ordered_map(slow_first, [], threads=2, ahead=2)) == []


def test_no_more_items_are_taken_than_may_wait():
    taken = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    results = ordered_map(lambda item: item, items(), threads=2, ahead=3)
    assert next(results) == (0, 0)
    assert len(taken) == 4
    results.close()


def test_an_error_comes_at_its_item_and_ends_the_work():
    begun = threading.Event()

    def fails(item):
        begun.set()
        if item == 1:
            raise ValueError("item 1")
        return item

    results = ordered_map(fails, range(100), threads=1, ahead=2)
    assert next(results) == (0, 0)
    with pytest.raises(ValueError, match="item 1"):
        next(results)
    assert begun.is_set()
    assert cores() >= 1


def test_work_is_spread_over_threads():
    meeting = threading.Barrier(2, timeout=10)

    def meets(item):
        if item < 2:
            meeting.wait()
        return item

    assert [result for _, result in ordered_map(meets, range(20), 2)] == list(range(20))
