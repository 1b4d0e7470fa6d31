"""Great Expectations on the curated table: one suite for all of its checks."""

from __future__ import annotations

import json
from dataclasses import asdict

from bioscan_etl import schema
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.store import Output
from bioscan_etl.quality.validate import ExpectationResult, failing_rows, validate
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.work import Work

RESULTS = "results.json"


def build(work: Work) -> None:
    """Write the results, and the complete list of failing rows."""
    curated = work.path("curated_taxonomy", "curated.parquet")
    out = work.out
    results = validate(curated, schema.CURATED)
    text = json.dumps([asdict(result) for result in results], indent=1, default=str)
    write_text(out.folder / RESULTS, text)
    failing_rows(curated, schema.CURATED).write_parquet(out.folder / "failing.parquet", compression="zstd")
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


def read_results(output: Output) -> list[ExpectationResult]:
    """The results in the form of the report."""
    found = json.loads(output.path(RESULTS).read_text(encoding="utf-8"))
    return [ExpectationResult(**result | {"sample": tuple(result["sample"])}) for result in found]
