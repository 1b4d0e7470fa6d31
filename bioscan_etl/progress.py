"""Reports of progress during long work.

A stage calls its `Progress` with its name, the amount done and the total (None if unknown); the
command line draws bars from it, Dagster logs it.
"""

from __future__ import annotations

import threading
from typing import Protocol


class Progress(Protocol):
    """Receives `(stage, done, total)`; `total` is None while it is unknown."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Receive one report; called from the thread that makes the stage, never from its workers."""


def silent(stage: str, done: int, total: int | None = None) -> None:
    """Discard the report."""


def one_at_a_time(progress: Progress) -> Progress:
    """Pass on the reports of stages that are made at the same time, one after another."""
    lock = threading.Lock()

    def report(stage: str, done: int, total: int | None = None) -> None:
        with lock:
            progress(stage, done, total)

    return report


def estimate(done: int, total: int | None, seconds: float) -> str:
    """Estimate the remaining time from the pace so far, as `, about 3 min left`; empty if unknown.

    Example:
        >>> estimate(25, 100, 60)
        ', about 3 min left'
        >>> estimate(0, 100, 60), estimate(100, 100, 60)
        ('', '')
    """
    if not done or total is None or done >= total or seconds < 1:
        return ""
    left = seconds / done * (total - done)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if left >= size:
            return f", about {left / size:.0f} {unit} left"
    return f", about {left:.0f} s left"
