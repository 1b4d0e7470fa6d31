"""Process a stream of items in several threads, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import polars as pl

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4


def cores() -> int:
    """Number of threads, the same as polars uses: `POLARS_MAX_THREADS` limits both. No result depends on it."""
    return pl.thread_pool_size()


def workers(wanted: int) -> int:
    """Number of threads for work that runs mostly outside of Python's lock: `wanted`, or for 0 the default.

    The default is one more than the number of cores, because a thread sometimes waits for a file or for Python's lock.
    """
    return wanted or cores() + 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int | None = None
) -> Generator[tuple[Item, Result], None, None]:
    """Apply a function in threads and yield `(item, result)` in the order of the items.

    At most `ahead` items are in progress or wait to be consumed, so memory does not depend on the number of items. If
    the function raises for an item, the exception is raised at that item's turn; items not started are dropped.

    Args:
        function: called from the threads; must be thread-safe.
        items: iterated in the caller's thread, as slots become free.
        threads: at least 1.
        ahead: number of items, at least 1; by default four per thread, so that a slow item does not stall the others.
    """
    most = _AHEAD * threads if ahead is None else ahead
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > most:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
