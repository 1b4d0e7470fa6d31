"""A budget of memory that several threads share.

Belongs here: waiting until the memory is free. Does not belong here: how much an image takes (`images.decode`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """Bytes that threads take and give back; who asks first is served first.

    A request for more than the whole budget waits until nobody holds a part of it, and then goes alone.

    Args:
        total: bytes.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """Hold `size` bytes of the budget; waits until they are free."""
        wanted = min(size, self._total)
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is turn and self._taken + wanted <= self._total)
                self._taken += wanted
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= wanted
                self._changed.notify_all()
