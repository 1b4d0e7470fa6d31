"""A batch's records files to three tables: records, rows set aside, rejected rows.

Belongs here: choosing one row per specimen and the ledger that proves no row was lost. Does not belong here:
parsing (`read`), the order of preference (`choose`), sorting what does not fit into memory (`runs`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import InvariantError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.records import snapshots
from bioscan_etl.records.choose import MEASURES, prefer
from bioscan_etl.records.read import Block, read
from bioscan_etl.records.runs import ROW_GROUP, Runs, Spill
from bioscan_etl.records.sources import DamagedError, Descriptor, Entry, RecordsFile, entries
from bioscan_etl.schema import RECORDS, REJECT_REASONS, REJECTS, SET_ASIDE, SET_ASIDE_REASONS
from bioscan_etl.settings import RecordSettings

_PROVENANCE = ("batch", "source_file", "source_line", "snapshot_date")
_SCRATCH = ".extract"


@dataclass(frozen=True, slots=True)
class SourceCount:
    """One table that was read: its name, layout, snapshot, rows, and the extra columns that were kept."""

    name: str
    layout: str
    snapshot_date: date | None
    rows_read: int
    extra: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """The ledger of one batch.

    Attributes:
        rows_read: lines that are not blank, headers left out, plus one per source that broke off.
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

    @property
    def layouts(self) -> dict[str, str]:
        """Name of the layout by source."""
        return {source.name: source.layout for source in self.sources}

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values, dates as ISO text."""
        values = asdict(self)
        values["sources"] = [
            source | {"snapshot_date": str(source["snapshot_date"] or "") or None, "extra": list(source["extra"])}
            for source in values["sources"]
        ]
        return values

    def check(self) -> None:
        """Hold the ledger: read = records + set aside + rejected.

        Raises:
            InvariantError: it does not balance.
        """
        accounted = self.records + sum(self.set_aside.values()) + sum(self.rejected.values())
        if accounted != self.rows_read:
            raise InvariantError(
                f"{self.rows_read} rows were read, {accounted} are accounted for: {self.records} records, "
                f"{sum(self.set_aside.values())} set aside, {sum(self.rejected.values())} rejected"
            )


@dataclass(slots=True)
class _Source:
    """A table while it is read; `number` is its place in reading order, `member` that in its archive."""

    number: int
    file: RecordsFile
    name: str
    member: int
    layout: str = ""
    rows_read: int = 0
    extra: tuple[str, ...] = ()
    newest: date | None = None
    snapshot: date | None = None

    @property
    def order(self) -> tuple[date, str, str, int]:
        """The order imposed on sources, whatever the order they were given in."""
        return (self.snapshot or date.min, self.name, self.file.location, self.member)


@dataclass(slots=True)
class _Reading:
    """What a pass over all sources leaves: rows in runs and spills on disk, keys of all rows in memory."""

    scratch: Path
    settings: RecordSettings
    progress: Progress
    runs: Runs
    sources: list[_Source] = field(default_factory=list)
    keys: list[pl.DataFrame] = field(default_factory=list)
    rejects: dict[int, Spill] = field(default_factory=dict)
    rows_read: int = 0

    def spill(self, source: _Source) -> Spill:
        """Where the rejects of a source go."""
        return self.rejects.setdefault(source.number, Spill(self.scratch, f"rejects-{source.number}"))


def extract(
    files: Sequence[RecordsFile],
    batch: str,
    settings: RecordSettings,
    folder: Path,
    progress: Progress = silent,
) -> Counts:
    """Read a batch's files and write records.parquet, set_aside.parquet and rejects.parquet into a folder.

    records.parquet holds `schema.RECORDS`, sorted by processid, then the unknown columns of all sources as
    `extra:<name>`, sorted. The bytes of all three depend on the files' contents, names and dates, the batch
    name and the settings; not on the order of `files`, `chunk_bytes` or the number of threads. Whatever the
    size of the files, about 2 GB of rows and some 150 bytes per row for the keys are in memory at a time.

    Args:
        files: the records files; at least one.
        batch: name of the specimen batch.
        settings: marker, null markers, block size.
        folder: an existing or new folder; files of these names are replaced.
        progress: told the rows read so far, under the stage name `records`.

    Returns:
        The ledger, already checked.

    Raises:
        SourceError: a file is absent, empty or of an unknown layout.
        InvariantError: the ledger does not balance.
    """
    scratch = folder / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        counts = _extract(files, batch, settings, scratch, progress)
        for table in (RECORDS, SET_ASIDE, REJECTS):
            (scratch / f"{table.name}.parquet").replace(folder / f"{table.name}.parquet")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return counts


def _extract(
    files: Sequence[RecordsFile], batch: str, settings: RecordSettings, scratch: Path, progress: Progress
) -> Counts:
    reading = _Reading(scratch, settings, progress, Runs(scratch))
    for file in files:
        _read_file(file, reading)
    sources = sorted(reading.sources, key=lambda source: source.order)
    rank = pl.DataFrame(
        {
            "source": [source.number for source in sources],
            "rank": list(range(len(sources))),
            "source_file": [source.name for source in sources],
            "snapshot_date": [source.snapshot for source in sources],
        },
        schema={"source": pl.UInt32, "rank": pl.UInt32, "source_file": pl.String, "snapshot_date": pl.Date},
    )
    keys = pl.concat(reading.keys) if reading.keys else pl.DataFrame(schema=_KEYS)
    keys = keys.join(rank, on="source", how="left", maintain_order="left")
    standing, aside = _choose(keys, reading.runs, settings.marker)
    records = _write_records(standing, reading.runs, batch, scratch / "records.parquet")
    set_aside = _set_aside(standing, aside, batch)
    set_aside.write_parquet(scratch / "set_aside.parquet", row_group_size=ROW_GROUP)
    rejected = _write_rejects(sources, reading.rejects, batch, scratch / "rejects.parquet")
    counts = Counts(
        rows_read=reading.rows_read,
        records=records,
        set_aside=_by_reason(set_aside, SET_ASIDE_REASONS),
        rejected=rejected,
        sources=tuple(
            SourceCount(source.name, source.layout, source.snapshot, source.rows_read, source.extra)
            for source in sources
        ),
    )
    counts.check()
    return counts


_KEYS = {
    "source": pl.UInt32,
    "source_line": pl.Int64,
    "processid": pl.String,
    "record_id": pl.String,
    "marker_code": pl.String,
}


def _read_file(file: RecordsFile, reading: _Reading) -> None:
    descriptors: list[str] = []
    started = len(reading.sources)
    source = None
    try:
        for entry in entries(file.location):
            if isinstance(entry, Descriptor):
                descriptors.append(entry.text)
                continue
            source = _Source(len(reading.sources), file, entry.name, len(reading.sources) - started)
            reading.sources.append(source)
            if not _read_entry(entry, source, reading):
                break  # what follows damage in an archive cannot be told from it
    except DamagedError as error:
        _note_damage(file, source, reading, str(error))
    _date(file, reading.sources[started:], descriptors)


def _read_entry(entry: Entry, source: _Source, reading: _Reading) -> bool:
    """Read one table; False where it broke off."""
    dated = source.file.snapshot_date or snapshots.from_name(source.name) or snapshots.from_name(source.file.name)
    spill = reading.spill(source)
    sound = True
    for block in read(entry, reading.settings, source.file.location):
        source.layout, source.extra = block.layout.generation, block.layout.extra
        _take(block, source, reading)
        spill.add(block.rejects)
        if dated is None:
            newest = snapshots.newest(block.rows)
            source.newest = max(filter(None, (source.newest, newest)), default=None)
        reading.progress("records", reading.rows_read)
        sound = not block.damaged
    return sound


def _take(block: Block, source: _Source, reading: _Reading) -> None:
    if block.rows_read != block.rows.height + block.rejects.height:
        raise InvariantError(f"{source.name}: {block.rows_read} rows were read, not all became records or rejects")
    rows = block.rows.insert_column(0, pl.lit(source.number, pl.UInt32).alias("source"))
    reading.keys.append(rows.select(*_KEYS))
    barcodes = (rows["marker_code"] == reading.settings.marker).fill_null(value=False)
    reading.runs.add(rows if barcodes.all() else rows.filter(barcodes))
    source.rows_read += block.rows_read
    reading.rows_read += block.rows_read


def _note_damage(file: RecordsFile, source: _Source | None, reading: _Reading, damage: str) -> None:
    """An archive that broke off between its tables: one reject without a line."""
    if source is None:
        source = _Source(len(reading.sources), file, file.name, 0, layout="unreadable")
        reading.sources.append(source)
    reject = {"source_line": None, "reason": "truncated_file", "detail": f"{damage}; tables before it are kept"}
    spill = reading.spill(source)
    spill.add(pl.DataFrame([reject | {"raw_text": ""}], schema_overrides={"source_line": pl.Int64}))
    source.rows_read += 1
    reading.rows_read += 1


def _date(file: RecordsFile, sources: Sequence[_Source], descriptors: Sequence[str]) -> None:
    """Settle the snapshot date of a file's tables: given, descriptor, name, newest date inside."""
    if file.snapshot_date is None and not descriptors:
        beside = snapshots.beside(file.location)
        descriptors = [] if beside is None else [beside]
    for source in sources:
        own = [text for text in descriptors if snapshots.describes(text, source.name)]
        described = own or (descriptors if len(descriptors) == 1 else [])
        source.snapshot = (
            file.snapshot_date
            or next(filter(None, map(snapshots.from_descriptor, described)), None)
            or snapshots.from_name(source.name)
            or snapshots.from_name(file.name)
            or source.newest
        )


def _choose(keys: pl.DataFrame, runs: Runs, marker: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split the keys into rows that stand, sorted by processid, and the others with their `reason`."""
    barcode = (pl.col("marker_code") == marker).fill_null(value=False)
    of_marker = keys.filter(barcode)
    others = keys.filter(~barcode).with_columns(reason=pl.lit("other_marker"))
    several = of_marker["processid"].is_duplicated()
    single, contested = of_marker.filter(~several), of_marker.filter(several)
    if not contested.height:
        return single.sort("processid"), others
    # Only contested rows need their sequences measured; they are few, so the runs are read once more for them.
    measured = runs.select(contested["processid"].unique(), pl.col("source"), pl.col("source_line"), *MEASURES)
    contested = contested.join(measured, on=["source", "source_line"], how="left")
    ordered = prefer(contested, after=("rank", "source_line"))
    latest = pl.col("snapshot_date").first().over("processid")
    reason = pl.when(pl.col("snapshot_date").eq_missing(latest)).then(pl.lit("duplicate_marker_row"))
    marked = ordered.with_columns(reason=reason.otherwise(pl.lit("superseded")))
    standing = pl.concat([single, marked.filter("stands").select(single.columns)]).sort("processid")
    return standing, pl.concat([others, marked.filter(~pl.col("stands")).select(others.columns)])


def _write_records(standing: pl.DataFrame, runs: Runs, batch: str, path: Path) -> int:
    schema = RECORDS.schema()
    extra = sorted(name for name in runs.columns if name not in schema and name not in _KEYS)
    columns = {**schema, **dict.fromkeys(extra, pl.String())}

    def finish(rows: pl.DataFrame) -> pl.DataFrame:
        missing = [pl.lit(None, kind).alias(name) for name, kind in columns.items() if name not in rows.columns]
        rows = rows.with_columns(pl.lit(batch).alias("batch"), *(m for m in missing if m.meta.output_name() != "batch"))
        RECORDS.conform(rows)
        return rows.select(*columns)

    return runs.merge(standing.drop("marker_code", "rank", "record_id"), finish, columns, path)


def _set_aside(standing: pl.DataFrame, aside: pl.DataFrame, batch: str) -> pl.DataFrame:
    kept = standing.select("processid", kept_batch=pl.lit(batch), kept_record_id="record_id")
    rows = aside.join(kept, on="processid", how="left").with_columns(batch=pl.lit(batch))
    return SET_ASIDE.conform(rows.sort("processid", "record_id", "rank", "source_line"))


def _write_rejects(sources: Sequence[_Source], spills: Mapping[int, Spill], batch: str, path: Path) -> dict[str, int]:
    parts = [
        part.with_columns(batch=pl.lit(batch), source_file=pl.lit(source.name))
        for source in sources
        if source.number in spills
        for part in spills[source.number].parts()
    ]
    schema = REJECTS.schema()
    empty = REJECTS.empty().lazy()
    rows = pl.concat([empty, *(part.select(pl.col(n).cast(t) for n, t in schema.items()) for part in parts)])
    rows.sink_parquet(path, row_group_size=ROW_GROUP, maintain_order=True)
    return _by_reason(pl.read_parquet(path, columns=["reason"]), REJECT_REASONS)


def _by_reason(rows: pl.DataFrame, reasons: Sequence[str]) -> dict[str, int]:
    found = dict(rows.group_by("reason").len().iter_rows())
    return {reason: found.get(reason, 0) for reason in reasons}
