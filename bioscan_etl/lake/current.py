"""The current output of a stage: of a batch by its record, of the corpus by a pointer.

Belongs here: finding it for readers outside a run, and the pointers of the corpus stages. Does not belong here: what a
run reads; its pin alone decides that (`bioscan_etl.stages.situation`).
"""

from __future__ import annotations

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import small_files
from bioscan_etl.lake.locks import hold_soon
from bioscan_etl.lake.record import find_record
from bioscan_etl.lake.store import CORPUS, Lake, Output


def current(lake: Lake, stage: str, batch: str = CORPUS) -> Output | None:
    """The current output of a stage, or None."""
    if batch == CORPUS and (fingerprint := pointers(lake).get(stage)):
        return lake.find(stage, fingerprint)
    record = find_record(lake, batch)
    if record is None or stage not in record.stages:
        return None
    return lake.find(stage, record.stages[stage].fingerprint, batch)


def get(lake: Lake, stage: str, batch: str = CORPUS) -> Output:
    """The current output of a stage.

    Raises:
        LakeError: there is none.
    """
    output = current(lake, stage, batch)
    if output is None:
        raise LakeError(f"no output of {stage} for {batch} in {lake.root}; run bioscan-etl run --output {lake.root}")
    return output


def pointers(lake: Lake) -> dict[str, str]:
    """Fingerprint of the current output of each corpus stage; none if the file is damaged."""
    try:
        value = small_files.read(lake.home / "current.json") or {}
    except LakeError:
        return {}
    return {stage: found for stage, found in value.items() if isinstance(found, str)}


def point(lake: Lake, stage: str, fingerprint: str) -> None:
    """Atomically make an output the current one of a corpus stage.

    Raises:
        BusyError: another run is doing the same; without a lock, one of the two pointers would be lost.
    """
    with hold_soon(lake.home / ".current.lock", f"another run is updating {lake.home}; run again"):
        found = pointers(lake)
        if found.get(stage) != fingerprint:
            small_files.write(lake.home / "current.json", found | {stage: fingerprint})
