"""What the stages of expectations share: tables are validated, results and failing rows written, checks reported.

Belongs here: that. Does not belong here: which tables a stage validates (its own module), what is expected of them
(`bioscan_etl.quality.expectations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bioscan_etl.lake.store import Draft
from bioscan_etl.quality.failing import failing_file
from bioscan_etl.quality.results import RESULTS, ExpectationResult, write_results
from bioscan_etl.quality.validate import validate_and_list
from bioscan_etl.schema import Table
from bioscan_etl.stages.registry import STAGES, expected

FAILING = "failing.parquet"
"""The file that lists all failing rows: table, then the columns of `quality.failing.FAILING_ROWS`."""


def expect(stage: str, out: Draft, tables: Sequence[tuple[Table, Sequence[Path]]]) -> None:
    """Validate tables; write `RESULTS` and `FAILING`, and report each expectation as a check of the stage.

    Args:
        stage: name of the stage, whose entry has the checks.
        out: its output.
        tables: each table with its files in order.
    """
    results: list[ExpectationResult] = []
    with failing_file(out.folder / FAILING) as add:
        for table, paths in tables:
            results += validate_and_list(paths, table, partial(add, table))
    write_results(out.folder / RESULTS, results, prose=STAGES[stage].prose)
    out.counts["expectations"] = len(results)
    out.counts["failed"] = sum(not result.success for result in results)
    by_rule = {(result.table, result.id): result for result in results}
    for check, table, rule in expected(*(table for table, _ in tables)):
        result = by_rule.get((table.name, rule.id))
        if result is None:
            out.findings.append(
                STAGES[stage].finding(check.id, passed=False, count=0, detail="not evaluated: a column is missing")
            )
            continue
        out.findings.append(
            STAGES[stage].finding(
                check.id,
                passed=result.success,
                count=result.unexpected_count,
                samples=result.sample,
                detail=f"of {result.element_count} {'rows' if rule.condition else 'columns'}",
            )
        )
