"""Work on a stream of items in several threads, in order and within bounded memory."""

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
    """Threads that polars uses, and so do we: `POLARS_MAX_THREADS` limits both. No result depends on it."""
    return pl.thread_pool_size()


def workers(asked: int) -> int:
    """Threads to take for work that is done outside of Python for the most part: those asked for, or, of 0, our choice.

    One more than there are cores: now and then one waits for a file or for Python's lock.
    """
    return asked or cores() + 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int | None = None
) -> Generator[tuple[Item, Result], None, None]:
    """Apply a function in threads and yield `(item, result)` in the order of the items.

    At most `ahead` items are in flight or wait to be taken, so memory does not depend on the number of items. The
    first exception of the function is raised where its item's turn comes; what has not begun by then is dropped.

    Args:
        function: called from the threads; has to be thread-safe.
        items: taken from the caller's thread, as room becomes free.
        threads: at least 1.
        ahead: number of items, at least 1; by default four per thread, which rides out one that takes long.
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
