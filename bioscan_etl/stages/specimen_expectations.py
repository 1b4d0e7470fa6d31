"""Great Expectations on the specimens, before their labels are curated."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.stages.expectations import expect
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the results, and the complete list of failing rows."""
    tables = (schema.SPECIMENS, schema.QUARANTINE)
    expect(
        "specimen_expectations",
        work.out,
        [(table, [work.path("specimens", f"{table.name}.parquet")]) for table in tables],
    )
