"""The budget of memory that the threads share."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bioscan_etl.images.memory import MemoryBudget


def test_no_more_is_taken_than_there_is() -> None:
    budget, held, most, guard = MemoryBudget(100), 0, 0, threading.Lock()

    def take(size: int) -> None:
        nonlocal held, most
        with budget.taking(size):
            with guard:
                held += min(size, 100)
                most = max(most, held)
            time.sleep(0.001)
            with guard:
                held -= min(size, 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, [10, 40, 70, 1000, 5, 60, 100, 30] * 10))
    assert held == 0
    assert 70 <= most <= 100


def test_a_large_one_is_not_passed_over_for_ever() -> None:
    budget, order = MemoryBudget(100), []
    with ThreadPoolExecutor(2) as pool:
        with budget.taking(60):
            large = pool.submit(lambda: _note(budget, 80, order))
            while not budget._waiting:
                time.sleep(0.001)
            small = pool.submit(lambda: _note(budget, 10, order))
            time.sleep(0.02)
            assert order == []
        large.result(5)
        small.result(5)
    assert order == [80, 10]


def _note(budget: MemoryBudget, size: int, order: list[int]) -> None:
    with budget.taking(size):
        order.append(size)


def test_an_error_gives_the_memory_back() -> None:
    budget = MemoryBudget(10)
    for _ in range(3):
        with pytest.raises(RuntimeError), budget.taking(10):
            raise RuntimeError
    with budget.taking(10):
        pass
