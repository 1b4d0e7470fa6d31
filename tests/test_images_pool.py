"""Ordered, bounded work in threads."""

import threading
import time

import pytest

from bioscan_etl.images.pool import ordered_map


def test_results_come_in_order_and_memory_is_bounded() -> None:
    taken = 0
    most = 0

    def items():
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    for done, (number, result) in enumerate(ordered_map(work, items(), 3)):
        assert (number, result) == (done, done * done)
        most = max(most, taken - done)
    assert most <= 13


def test_work_is_spread_over_threads_and_errors_come_in_turn() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def work(number: int) -> int:
        if number < 2:
            meeting.wait()
        if number == 5:
            raise ValueError("five")
        return number

    results = ordered_map(work, range(1000), 2)
    assert [next(results) for _ in range(5)] == [(number, number) for number in range(5)]
    with pytest.raises(ValueError, match="five"):
        next(results)
