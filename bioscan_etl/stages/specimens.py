"""Specimens: all batches together, one row per process ID, accepted or quarantined."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.specimens.assemble import BatchTables, assemble, quarantine
from bioscan_etl.specimens.decided import effects
from bioscan_etl.stages.registry import ON_SPECIMENS
from bioscan_etl.stages.work import Work

_STAGES = (
    *("raw_records", "checked_barcodes", "placed_barcodes", "checked_geography", "normalised_names"),
    "specimen_boxes",
)


def build(work: Work) -> None:
    """Write specimens, quarantine, set-aside rows, rejects and value changes, and check the ledger."""
    decisions = read_parquet(work.path("decisions", ON_SPECIMENS))
    tables = assemble(
        _batch_tables(work), work.settings, decisions, read_parquet(work.path("drawn_boxes", "boxes.parquet"))
    )
    out = work.out
    written = out.write(schema.SPECIMENS, tables.lazy(work.progress))
    out.write(schema.SET_ASIDE, tables.set_aside)
    out.write(schema.REJECTS, tables.rejects)
    held = quarantine(written)
    out.write(schema.QUARANTINE, held)
    tables.changes.write_parquet(out.folder / "value_changes.parquet", compression="zstd")
    out.write(schema.DECISION_EFFECTS, effects(decisions, written, tables.set_places))
    rows_read = sum(int(output.counts["rows_read"]) for output in work.by_batch["raw_records"].values())
    ledger = Ledger.from_tables(
        rows_read, tables.rejects, tables.set_aside, held, out.counts["specimens"] - held.height
    )
    out.counts["ledger"] = ledger.as_dict()
    out.findings.append(ledger.finding())


def _batch_tables(work: Work) -> list[BatchTables]:
    """The tables of exactly the pinned batches."""
    tables = []
    for name in sorted(work.pinned.records):
        raw, barcodes, placements, geography, names, boxes = (work.by_batch[stage][name] for stage in _STAGES)
        tables.append(
            BatchTables(
                batch=name,
                records=raw.path("records.parquet"),
                set_aside=raw.path("set_aside.parquet"),
                rejects=raw.path("rejects.parquet"),
                barcodes=barcodes.path("checked_barcodes.parquet"),
                geography=geography.path("checked_geography.parquet"),
                names=names.path("normalised_names.parquet"),
                boxes=boxes.path("boxes.parquet"),
                placements=placements.path("placements.parquet"),
            )
        )
    return tables
