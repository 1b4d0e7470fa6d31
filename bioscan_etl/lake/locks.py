"""Locks between processes of one machine; nothing else takes locks.

Belongs here: lock files that end with their process. Does not belong here: what they protect.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bioscan_etl.errors import BusyError


@contextmanager
def hold(path: Path, busy: str) -> Iterator[IO[str]]:
    """Hold a lock file against other processes; the lock ends with the block or with the process.

    Args:
        path: the lock file; its folder is created.
        busy: error message if another process holds it.

    Yields:
        The open file; a child process that inherits it holds the lock as well.

    Raises:
        BusyError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(busy) from None
        yield handle


@contextmanager
def hold_soon(path: Path, busy: str) -> Iterator[IO[str]]:
    """As `hold`, for what others hold for moments only: wait for half a minute at most.

    Raises:
        BusyError: another process holds it for longer.
    """
    tries = Retrying(
        stop=stop_after_delay(30), wait=wait_fixed(0.1), retry=retry_if_exception_type(BusyError), reraise=True
    )
    with ExitStack() as stack:
        yield tries(lambda: stack.enter_context(hold(path, busy)))
