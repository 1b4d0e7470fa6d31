"""The ledger of one batch: the rows read, and the number of records, rows set aside and rejected rows.

Belongs here: the counts and the check that no row was lost. Does not belong here: counting (`extract`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from bioscan_etl.errors import InvariantError, SourceError


@dataclass(frozen=True, slots=True)
class SourceCount:
    """One table that was read.

    Attributes:
        name: its file's base name, or its name in an archive.
        layout: name of its layout.
        snapshot_date: date of its snapshot.
        rows_read: its rows, bad ones included.
        extra: columns that no layout knows, which were kept.
        absent: columns of `schema.RECORDS` that it does not have.
        damage: rows by kind of damage by a spreadsheet (`records.damage`).
        refused: if all its rows were rejected, why the first was.
    """

    name: str
    layout: str
    snapshot_date: date | None
    rows_read: int
    extra: tuple[str, ...]
    absent: tuple[str, ...] = ()
    damage: Mapping[str, int] = field(default_factory=dict)
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """The ledger of one batch.

    Attributes:
        rows_read: lines that are not blank, without headers, plus one per source that ended early.
        records: rows of records.parquet, one per process ID.
        set_aside: rows of set_aside.parquet by reason, every reason listed.
        rejected: rows of rejects.parquet by reason, every reason listed.
        sources: the tables that were read, by snapshot date and name.
    """

    rows_read: int
    records: int
    set_aside: Mapping[str, int]
    rejected: Mapping[str, int]
    sources: tuple[SourceCount, ...]

    def refuse(self) -> None:
        """Refuse a delivery with a file of which nothing can be used.

        Raises:
            SourceError: all rows of a file were rejected; names the file, the first reason and the way out.
        """
        for source in self.sources:
            if source.refused is not None:
                raise SourceError(
                    f"{source.name}: all rows are rejected ({source.rows_read:,}), the first as {source.refused}; save "
                    "the file as BOLD delivers it, tab-separated text in UTF-8, fetch it again, or leave it out"
                )

    @property
    def layouts(self) -> dict[str, str]:
        """Name of the layout by source."""
        return {source.name: source.layout for source in self.sources}

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values, dates as ISO text."""
        values = asdict(self)
        values["sources"] = [
            source
            | {"snapshot_date": str(source["snapshot_date"] or "") or None}
            | {name: list(source[name]) for name in ("extra", "absent")}
            for source in values["sources"]
        ]
        return values

    def check(self) -> None:
        """Check that rows read = records + set aside + rejected.

        Raises:
            InvariantError: it does not balance.
        """
        accounted = self.records + sum(self.set_aside.values()) + sum(self.rejected.values())
        if accounted != self.rows_read:
            raise InvariantError(
                f"{self.rows_read} rows were read, {accounted} are accounted for: {self.records} records, "
                f"{sum(self.set_aside.values())} set aside, {sum(self.rejected.values())} rejected"
            )
