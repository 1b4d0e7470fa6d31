"""The committed record of a batch: all its current outputs, made from one delivery with the same settings and code.

Belongs here: the content of the record, and replacing it atomically. Does not belong here: when a batch is complete
(`bioscan_etl.stages.commit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import small_files
from bioscan_etl.lake.store import FORMAT, Lake, Output, digest


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A current output.

    Attributes:
        fingerprint: fingerprint of the output, which decides its path.
        content: hex sha256 over names and bytes of its files.
        code: the stage's code: `version`, `libraries`, `data`.
        extra: inputs that are neither delivery nor other outputs, such as the detector.
        failed_checks: names of its failed checks, all of them non-blocking.
    """

    fingerprint: str
    content: str
    code: Mapping[str, Any]
    extra: Mapping[str, Any]
    failed_checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """The current outputs of a batch.

    Attributes:
        batch: its name.
        delivery: fingerprint of the delivery it was made from.
        settings: the values of all settings that its stages read.
        stages: its outputs by stage.
    """

    batch: str
    delivery: str
    settings: Mapping[str, Any]
    stages: Mapping[str, StageRecord]

    @property
    def digest(self) -> str:
        """Hex sha256 over all its values."""
        return digest(asdict(self))

    @property
    def content(self) -> str:
        """Hex sha256 over the content of its outputs, independent of what made them."""
        return digest({name: stage.content for name, stage in self.stages.items()})

    def output(self, lake: Lake, stage: str) -> Output:
        """One of its outputs.

        Raises:
            LakeError: it is missing, also because the record is older than the stage.
        """
        if stage not in self.stages:
            raise LakeError(f"batch {self.batch} was ingested before the stage {stage} was added; run the batch again")
        found = lake.find(stage, self.stages[stage].fingerprint, self.batch)
        if found is None:
            raise LakeError(f"the output of {stage} of batch {self.batch} is missing from the lake; run again")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"format": FORMAT, **asdict(self)}


def from_dict(value: Mapping[str, Any]) -> Record:
    """The reverse of `Record.as_dict`.

    Raises:
        ValueError: it is not a record of this format.
    """
    try:
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']!r}")
        stages = {
            str(name): StageRecord(
                str(one["fingerprint"]),
                str(one["content"]),
                dict(one["code"]),
                dict(one["extra"]),
                tuple(one["failed_checks"]),
            )
            for name, one in value["stages"].items()
        }
        return Record(str(value["batch"]), str(value["delivery"]), dict(value["settings"]), stages)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a record of a batch: {error}") from None


def committed(lake: Lake) -> list[str]:
    """Names of the batches that have a record, sorted."""
    return small_files.names(lake.home / "batches")


def find_record(lake: Lake, batch: str) -> Record | None:
    """The record of a batch, or None.

    Raises:
        LakeError: the record is damaged.
    """
    path = lake.home / "batches" / f"{batch}.json"
    value = small_files.read(path)
    if value is None:
        return None
    try:
        found = from_dict(value)
        if found.batch != batch:
            raise ValueError(f"of batch {found.batch!r}")
    except ValueError as error:
        raise LakeError(f"{path} is damaged ({error}); delete it and run again") from None
    return found


def commit(lake: Lake, record: Record) -> None:
    """Atomically make a record the current one of its batch."""
    small_files.write(lake.home / "batches" / f"{record.batch}.json", record.as_dict())
