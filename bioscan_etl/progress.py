"""How long work tells how far it is.

A stage calls its `Progress` with its name, what is done and the total (None where nobody knows); the
command line draws bars from it, Dagster logs it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives `(stage, done, total)`; `total` is None where it is not known yet."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Take one report; called from the stage's own thread, never from workers."""


def silent(stage: str, done: int, total: int | None = None) -> None:
    """Report to nobody."""


def estimate(done: int, total: int | None, seconds: float) -> str:
    """How long the rest may take at the pace so far, as `, about 3 min left`; empty where nobody knows.

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
