"""Pins: exactly which outputs of which batches a corpus run reads.

Belongs here: the pin as a small file, and which outputs pins protect from removal. Does not belong here: which batches
may be pinned (`bioscan_etl.state`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import decisions, small_files
from bioscan_etl.lake.record import Record, from_dict
from bioscan_etl.lake.store import FORMAT, Lake, digest


@dataclass(frozen=True, slots=True)
class Pin:
    """What a corpus run reads.

    Attributes:
        settings: digest of all settings that decide results.
        records: the committed record of each batch.
        withdrawn: reasons of withdrawn batches, by batch.
        decisions: digest of the curators' files (`lake.decisions`); empty if there are none.
        proposals: digest of the files of users' reports; empty if there are none.
        notes: notes by batch, for example about a delivery that failed or is not ingested yet.
    """

    settings: str
    records: Mapping[str, Record]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    decisions: str = ""
    proposals: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hex sha256 over everything that decides the release, so without the notes."""
        batches = {name: record.digest for name, record in self.records.items()}
        parts = [batches, self.settings, dict(self.withdrawn), self.decisions]
        return digest([*parts, self.proposals] if self.proposals else parts)


def save_pin(lake: Lake, pin: Pin) -> None:
    """Store a pin under its digest, with the latest notes."""
    value = {
        "format": FORMAT,
        "settings": pin.settings,
        "records": {name: record.as_dict() for name, record in pin.records.items()},
        "withdrawn": dict(pin.withdrawn),
        "decisions": pin.decisions,
        "proposals": pin.proposals,
        "notes": dict(pin.notes),
    }
    small_files.write(lake.home / "pins" / f"{pin.digest}.json", value)


def load_pin(lake: Lake, pin_digest: str) -> Pin:
    """Read a pin.

    Raises:
        LakeError: the pin is unknown or damaged.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", pin_digest):
        raise LakeError(f"pin {pin_digest!r} is not a digest")
    path = lake.home / "pins" / f"{pin_digest}.json"
    value = small_files.read(path)
    if value is None:
        raise LakeError(f"pin {path} does not exist; start the run without one")
    try:
        records = {str(name): from_dict(one) for name, one in value["records"].items()}
        pin = Pin(
            str(value["settings"]),
            records,
            dict(value["withdrawn"]),
            str(value.get("decisions", "")),
            str(value.get("proposals", "")),
            dict(value["notes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeError(f"pin {path} is damaged ({error}); start the run without one") from None
    if pin.digest != pin_digest:
        raise LakeError(f"pin {path} does not match its digest; start the run without one")
    return pin


def load_pin_or_none(lake: Lake, pin_digest: str) -> Pin | None:
    """A pin; None if it is damaged."""
    try:
        return load_pin(lake, pin_digest)
    except LakeError:
        return None


def held(lake: Lake) -> dict[tuple[str, str], set[str]]:
    """Fingerprints that pins protect, by stage and batch; a damaged pin protects nothing."""
    found: dict[tuple[str, str], set[str]] = {}
    for name in small_files.names(lake.home / "pins"):
        pin = load_pin_or_none(lake, name)
        for batch, record in (pin.records if pin else {}).items():
            for stage, one in record.stages.items():
                found.setdefault((stage, batch), set()).add(one.fingerprint)
    return found


def drop_older_pins(lake: Lake, pin: Pin) -> None:
    """Remove the pins that are older than a released one, and the copies of decisions that no pin names."""
    own = lake.home / "pins" / f"{pin.digest}.json"
    if not own.exists():
        return
    for path in own.parent.glob("*.json"):
        if path != own and path.stat().st_mtime <= own.stat().st_mtime:
            path.unlink(missing_ok=True)
    left = [load_pin_or_none(lake, name) for name in small_files.names(own.parent)]
    decisions.drop_copies(lake, {name for one in left if one is not None for name in (one.decisions, one.proposals)})
