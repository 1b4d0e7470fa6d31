"""Great Expectations on the curated table."""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.stages.expectations import expect
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the results, and the complete list of failing rows."""
    expect("curated_expectations", work.out, [(schema.CURATED, [work.path("curated_taxonomy", "curated.parquet")])])
