"""Why a batch or the corpus failed: stored in the lake until it succeeds or its inputs change.

Belongs here: the notes. Does not belong here: when work is retried (`bioscan_etl.state`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import small_files
from bioscan_etl.lake.store import CORPUS, Lake


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt.

    Attributes:
        key: identifies what should have been made: delivery, settings and code (`bioscan_etl.state`).
        stage: the stage that failed.
        sentence: why, in one line.
        transient: whether a retry may succeed.
        delivery: fingerprint of the delivery; empty for the corpus.
    """

    key: str
    stage: str
    sentence: str
    transient: bool
    delivery: str = ""


def _path(lake: Lake, batch: str, *, corpus: bool) -> Path:
    folder = lake.home / "failures"
    return folder / f"{CORPUS}.json" if corpus else folder / "batches" / f"{batch}.json"


def note(lake: Lake, failure: Failure, batch: str = CORPUS, *, corpus: bool = False) -> None:
    """Store a failure, replacing an earlier one."""
    small_files.write(_path(lake, batch, corpus=corpus), asdict(failure))


def find(lake: Lake, batch: str = CORPUS, *, corpus: bool = False) -> Failure | None:
    """The stored failure, or None; a damaged note counts as none."""
    try:
        value = small_files.read(_path(lake, batch, corpus=corpus))
        return None if value is None else Failure(**value)
    except (LakeError, TypeError):
        return None


def forget(lake: Lake, batch: str = CORPUS, *, corpus: bool = False) -> None:
    """Remove the note after the work succeeded."""
    _path(lake, batch, corpus=corpus).unlink(missing_ok=True)
