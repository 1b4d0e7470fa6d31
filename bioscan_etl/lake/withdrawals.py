"""Batches that a curator has withdrawn: recorded with a reason, and undoable.

Belongs here: the record. Does not belong here: what a withdrawn batch means for a release (`lake.pins`).
"""

from __future__ import annotations

import datetime as dt

from bioscan_etl.errors import LakeError, SourceError, sentence
from bioscan_etl.lake import small_files
from bioscan_etl.lake.store import Lake


def _history(lake: Lake, batch: str) -> list[dict[str, str]]:
    value = small_files.read(lake.root / "withdrawn" / f"{batch}.json")
    if value is None:
        return []
    events = value.get("events")
    if not isinstance(events, list) or not all(isinstance(one, dict) and "action" in one for one in events):
        raise LakeError(f"{lake.root / 'withdrawn' / batch}.json is damaged; correct or delete it")
    return events


def withdrawn(lake: Lake) -> dict[str, str]:
    """Reason by withdrawn batch, sorted by name, without batches whose file is damaged (see `damaged`)."""
    found = {}
    for batch in small_files.names(lake.root / "withdrawn"):
        try:
            events = _history(lake, batch)
        except LakeError:
            continue
        if events and events[-1]["action"] == "withdraw":
            found[batch] = str(events[-1].get("reason", ""))
    return found


def damaged(lake: Lake) -> dict[str, str]:
    """Error by batch whose withdrawal cannot be read; no release is made until it can be read."""
    found = {}
    for batch in small_files.names(lake.root / "withdrawn"):
        try:
            _history(lake, batch)
        except LakeError as error:
            found[batch] = sentence(error)
    return found


def _add(lake: Lake, batch: str, action: str, reason: str) -> None:
    events = _history(lake, batch)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    events.append({"action": action, "reason": reason, "at": now})
    small_files.write(lake.root / "withdrawn" / f"{batch}.json", {"batch": batch, "events": events})


def withdraw(lake: Lake, batch: str, reason: str, known: list[str]) -> None:
    """Exclude a batch from future releases; its outputs are kept.

    Args:
        lake: the lake.
        batch: its name.
        reason: why; releases state it.
        known: names of all batches.

    Raises:
        SourceError: the batch does not exist, the reason is empty, or the batch is withdrawn already.
    """
    if batch not in known:
        raise SourceError(f"there is no batch {batch!r}; bioscan-etl status lists them")
    if not reason.strip():
        raise SourceError("a withdrawal needs a reason: give --reason TEXT")
    if batch in withdrawn(lake):
        raise SourceError(f"batch {batch} is withdrawn already: {withdrawn(lake)[batch]}")
    _add(lake, batch, "withdraw", " ".join(reason.split()))


def restore(lake: Lake, batch: str) -> None:
    """Undo a withdrawal.

    Raises:
        SourceError: the batch is not withdrawn.
    """
    if batch not in withdrawn(lake):
        raise SourceError(f"batch {batch!r} is not withdrawn; bioscan-etl status lists those that are")
    _add(lake, batch, "restore", "")
