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
