"""Making a batch current, and storing what a release was made from.

Belongs here: committing complete outputs to the record of a batch, and removing unreferenced outputs. Does
not belong here: the form of the record (`bioscan_etl.lake.record`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import failures, pins, small_files
from bioscan_etl.lake.current import pointers
from bioscan_etl.lake.locks import hold_soon
from bioscan_etl.lake.record import Record, StageRecord, commit, committed, find_record
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.stages.examine import examine
from bioscan_etl.stages.registry import BATCH_STAGES, CORPUS_STAGES, STAGES, batch_settings
from bioscan_etl.stages.situation import Situation


def commit_if_whole(situation: Situation) -> Record | None:
    """Make a batch current if all its outputs for this delivery, these settings and this code exist and are valid.

    Removes outputs that neither the record nor a pin refers to.

    Returns:
        The record; None if an output is missing or a blocking check fails.
    """
    lake, batch = situation.lake, situation.batch
    assert batch is not None
    outputs = {}
    for name in BATCH_STAGES:
        output = situation.find(name)
        if output is None:
            return None
        outputs[name] = output
    stages = {}
    for name, output in outputs.items():
        findings = [*output.findings, *examine(STAGES[name], output, situation.settings)]
        failed = [finding for finding in findings if not finding.passed]
        if any(finding.blocking for finding in failed):
            return None
        stages[name] = StageRecord(
            fingerprint=output.fingerprint,
            content=output.content,
            code=output.made_from["code"],
            extra=output.made_from["inputs"].get("extra", {}),
            failed_checks=tuple(sorted(finding.check for finding in failed)),
        )
    record = Record(batch.name, batch.fingerprint, situation.settings.values(batch_settings()), stages)
    with holding_records(lake):
        if find_record_or_none(lake, batch.name) != record:
            commit(lake, record)
        sweep_batch(lake, record)
    failures.forget(lake, batch.name)
    return record


@contextmanager
def holding_records(lake: Lake) -> Iterator[None]:
    """Lock the records of batches, so that none is replaced and removed between reading and pinning it.

    Raises:
        BusyError: another run holds the lock for too long.
    """
    busy = f"another run holds the records of {lake.home}; run again"
    with hold_soon(lake.home / "batches" / ".lock", busy):
        yield


def find_record_or_none(lake: Lake, batch: str) -> Record | None:
    """The record of a batch; None if there is none, or if it is damaged and will be replaced."""
    try:
        return find_record(lake, batch)
    except LakeError:
        return None


def sweep_batch(lake: Lake, record: Record) -> None:
    """Remove the outputs of a batch that neither its record nor a pin refers to."""
    held = pins.held(lake)
    for name in BATCH_STAGES:
        # A record of before a stage was added does not name it.
        own = {record.stages[name].fingerprint} if name in record.stages else set()
        keep = own | held.get((name, record.batch), set())
        lake.sweep(name, record.batch, keep)


def corpus_state(situation: Situation) -> dict[str, Any]:
    """What the next release would be made from; the differences from the last release show why one is due."""
    pin, settings = situation.pinned, situation.settings
    return {
        "batches": {name: record.content for name, record in pin.records.items()},
        "withdrawn": sorted(pin.withdrawn),
        "settings": corpus_settings(settings),
        "code": {name: situation.code(name) for name in CORPUS_STAGES},
        "decisions": pin.decisions,
        "proposals": pin.proposals,
    }


def corpus_settings(settings: Settings) -> dict[str, Any]:
    """All settings that decide a release, by dotted name."""
    return {
        f"{section}.{name}": value for section, values in settings.choices().items() for name, value in values.items()
    }


def note_release(situation: Situation, version: str) -> None:
    """Store what a release was made from, and remove what only earlier ones needed."""
    lake, pin = situation.lake, situation.pinned
    small_files.write(
        lake.home / "corpus.json", {"pin": pin.digest, "version": version, "made_from": corpus_state(situation)}
    )
    failures.forget(lake, corpus=True)
    with holding_records(lake):
        pins.drop_older_pins(lake, pin)
        for name in committed(lake):
            record = find_record_or_none(lake, name)
            if record is not None:
                sweep_batch(lake, record)


def note_mirrored(lake: Lake, location: str) -> None:
    """Store where the last release was mirrored to."""
    small_files.write(lake.home / "corpus.json", last_release(lake) | {"mirrored": location})
    failures.forget(lake, corpus=True)


def last_release(lake: Lake) -> dict[str, Any]:
    """What `note_release` stored last; empty if there is nothing or it is damaged."""
    try:
        return small_files.read(lake.home / "corpus.json") or {}
    except LakeError:
        return {}


def tidy(lake: Lake) -> int:
    """Remove every output of the lake that no record, pin or pointer refers to.

    Returns:
        Number of outputs removed.
    """
    removed = 0
    with holding_records(lake):
        held = pins.held(lake)
        records = {name: find_record_or_none(lake, name) for name in committed(lake)}
        for stage in STAGES.values():
            for place in sorted((lake.home / "outputs" / stage.name).glob("*")):
                keep = set(held.get((stage.name, place.name), set()))
                record = records.get(place.name)
                if record is not None and stage.name in record.stages:
                    keep.add(record.stages[stage.name].fingerprint)
                if stage.name in CORPUS_STAGES:
                    keep |= {pointers(lake).get(stage.name, "")}
                before = _outputs_in(place)
                with lake.lock(stage.name, place.name):
                    lake.sweep(stage.name, place.name, keep)
                removed += before - _outputs_in(place)
    return removed


def _outputs_in(place: Path) -> int:
    return sum(path.is_dir() for path in place.iterdir())
