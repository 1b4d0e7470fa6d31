"""Specimens: all batches together, one row per process ID, accepted or held at a gate."""

import dagster as dg
import polars as pl

from assets.checks import checked_barcodes, checked_geography, normalised_names
from assets.images import specimen_boxes
from assets.records import raw_records
from assets.stage import report, run, stage
from bioscan_etl import batches, schema
from bioscan_etl.batches import Pin
from bioscan_etl.lake import Draft, Lake
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.resources import LakeResource
from bioscan_etl.specimens import BatchTables, assemble, quarantine

PIN_TAG = "bioscan/pin"


def batch_tables(home: Lake, pin: Pin) -> list[BatchTables]:
    """The tables of the pinned batches, and of no other."""
    return [
        BatchTables(
            batch=name,
            records=(raw := home.get("raw_records", name)).path("records.parquet"),
            set_aside=raw.path("set_aside.parquet"),
            rejects=raw.path("rejects.parquet"),
            barcodes=home.get("checked_barcodes", name).path("checked_barcodes.parquet"),
            geography=home.get("checked_geography", name).path("checked_geography.parquet"),
            names=home.get("normalised_names", name).path("normalised_names.parquet"),
            boxes=home.get("specimen_boxes", name).path("boxes.parquet"),
        )
        for name in sorted(pin.batches)
    ]


@stage(
    group="curate",
    kinds={"polars", "parquet"},
    table=schema.SPECIMENS,
    deps=[raw_records, checked_barcodes, checked_geography, normalised_names, specimen_boxes],
    checks=[
        dg.AssetCheckSpec(
            "ledger_balances",
            asset="specimens",
            blocking=True,
            description="Rows read = specimens + quarantined + set aside + rejected.",
        )
    ],
    pool="corpus",
)
def specimens(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """One row per specimen: the record of its latest snapshot with checked values and image, and the gates it fails.

    Key: process ID. Source: exactly the batches that the run's pin names. Rules: the later snapshot wins, an
    image of an earlier delivery is kept, gates quarantine with their reasons; nothing is lost.
    """
    home, settings = lake.lake(), lake.settings()
    wanted = context.run.tags.get(PIN_TAG)
    pin = batches.load_pin(home, wanted) if wanted else batches.pin_current(home)
    batches.save_pin(home, pin)

    def build(draft: Draft) -> None:
        tables = assemble(batch_tables(home, pin), settings)
        written = draft.write(schema.SPECIMENS, tables.lazy())
        draft.write(schema.SET_ASIDE, tables.set_aside)
        draft.write(schema.REJECTS, tables.rejects)
        held = quarantine(written)
        draft.write(schema.QUARANTINE, held)
        tables.changes.write_parquet(draft.folder / "value_changes.parquet", compression="zstd")
        rows_read = sum(int(home.get("raw_records", name).counts["rows_read"]) for name in pin.batches)
        ledger = Ledger.from_tables(
            rows_read, tables.rejects, tables.set_aside, held, draft.counts["specimens"] - held.height
        )
        ledger.balance()
        draft.counts["ledger"] = ledger.as_dict()

    result = run(
        home,
        settings,
        "specimens",
        inputs={"pin": pin.digest, "batches": pin.batches},
        sections=("barcodes", "gates", "images"),
        build=build,
    )
    ledger = result[0].counts["ledger"]
    Ledger(**ledger).balance()
    balanced = dg.AssetCheckResult(
        check_name="ledger_balances", passed=True, metadata={"ledger": dg.MetadataValue.json(ledger)}
    )
    return report(result, rows="specimens", checks=[balanced], pin=pin.digest, batches=len(pin.batches))


def read_specimens(home: Lake) -> pl.LazyFrame:
    """The specimens of the current corpus."""
    return pl.scan_parquet(home.get("specimens").path("specimens.parquet"))
