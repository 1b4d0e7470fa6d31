"""Great Expectations on the curated table: one suite for all of its checks."""

from __future__ import annotations

import json
from dataclasses import asdict

from bioscan_etl import schema
from bioscan_etl.io.write import write_text
from bioscan_etl.quality.results import RESULTS
from bioscan_etl.quality.validate import validate_and_list
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the results, and the complete list of failing rows."""
    curated = work.path("curated_taxonomy", "curated.parquet")
    out = work.out
    results, failing = validate_and_list(curated, schema.CURATED)
    text = json.dumps([asdict(result) for result in results], indent=1, default=str)
    write_text(out.folder / RESULTS, text)
    failing.write_parquet(out.folder / "failing.parquet", compression="zstd")
    for result in results:
        out.findings.append(
            STAGES["curated_expectations"].finding(
                result.id,
                passed=result.success,
                count=result.unexpected_count,
                samples=tuple(str(value) for value in result.sample),
                detail=f"of {result.element_count} rows",
            )
        )
