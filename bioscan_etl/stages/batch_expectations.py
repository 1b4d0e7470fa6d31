"""Great Expectations on the tables of a batch."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.stages.expectations import expect
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the results of all tables, and the complete list of failing rows."""
    # Named here, so that a change of a table makes this stage stale; the registry lists the same.
    tables = (
        ("raw_records", schema.RECORDS),
        ("raw_records", schema.SET_ASIDE),
        ("raw_records", schema.REJECTS),
        ("specimen_images", schema.IMAGE_INDEX),
        ("specimen_boxes", schema.BOXES),
        ("checked_barcodes", schema.CHECKED_BARCODES),
        ("placed_barcodes", schema.PLACEMENTS),
        ("checked_geography", schema.CHECKED_GEOGRAPHY),
        ("normalised_names", schema.NORMALISED_NAMES),
    )
    expect(
        "batch_expectations",
        work.out,
        [(table, [work.path(stage, f"{table.name}.parquet")]) for stage, table in tables],
    )
