"""Hold a Parquet file against the expectations on its table.

Belongs here: running Great Expectations on DuckDB, and the complete list of failing rows with polars. Does not
belong here: what is expected (`bioscan_etl.quality.expectations`).

Great Expectations counts; polars names every failing row, since SQL results of Great Expectations end after
200. Both are made from the same entries, and where they disagree the run stops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import BioscanError, SchemaError
from bioscan_etl.io.write import write_text
from bioscan_etl.quality.expectations import ExpectationRule, ExpectationSeverity, expectation_rules
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.schema import Table

SAMPLE = 10
_SHOWN = 120
FAILING_ROWS = pl.Schema({"processid": pl.String(), "rule": pl.String(), "value": pl.String()})


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What one expectation found.

    Attributes:
        id: of the `ExpectationRule`, unique within a table.
        statement: what holds if it passes.
        column: the columns it reads, joined by a comma and a blank; empty for the whole table.
        severity: blocking or warning.
        success: whether no row fails.
        element_count: number of rows checked; of columns, for the order of columns.
        unexpected_count: rows that fail.
        unexpected_percent: failing rows per 100 rows, those without a value included.
        sample: the first failing rows by process ID, as "processid: value", values cut at 120 characters.
    """

    id: str
    statement: str
    column: str
    severity: ExpectationSeverity
    success: bool
    element_count: int
    unexpected_count: int
    unexpected_percent: float
    sample: tuple[str, ...] = ()


def validate(parquet: Path, table: Table, folder: Path | None = None) -> list[ExpectationResult]:
    """Run all expectations on a table's Parquet file.

    Args:
        parquet: a Parquet file of `table`. An absent column fails the expectation on the columns, and the
            expectations that need it are left out.
        table: what the file should be.
        folder: where to write `expectations.json` (the results) and `failing_rows.csv` (all failing rows, safe to
            open in a spreadsheet); None writes nothing.

    Returns:
        One result per expectation, in the order of `expectation_rules`.

    Raises:
        SchemaError: a column has another dtype than the table gives it.
        BioscanError: an expectation could not be evaluated, or the two engines disagree.
    """
    found = pl.read_parquet_schema(parquet)
    wrong = [
        f"{column.name} is {found[column.name]}, not {column.dtype}"
        for column in table.columns
        if column.name in found and found[column.name] != column.dtype
    ]
    if wrong:
        raise SchemaError(f"{parquet} is not a table {table.name}: {'; '.join(wrong)}")
    rules = [rule for rule in expectation_rules(table) if set(rule.columns) <= set(found)]
    rows = int(pl.scan_parquet(parquet, hive_partitioning=False).select(pl.len()).collect().item())
    outcomes = _run(parquet, table, rules)
    broken = [rule for rule in rules if not outcomes[rule.id].success and rule.failing is not None]
    failing = _failing(parquet, broken)
    results = []
    for rule in rules:
        outcome = outcomes[rule.id]
        if rule.failing is None:
            results.append(_column_result(rule, list(found), table))
            continue
        count = _count(outcome.result)
        named = failing.filter(pl.col("rule") == rule.id)
        if count != named.height:
            raise BioscanError(
                f"expectation {rule.id} on {parquet}: DuckDB counts {count} failing rows, polars {named.height}; "
                "this is a defect of bioscan-etl, please report it with the file"
            )
        results.append(
            ExpectationResult(
                rule.id,
                rule.statement,
                ", ".join(rule.columns),
                rule.severity,
                count == 0,
                rows,
                count,
                round(100 * count / rows, 6) if rows else 0.0,
                _sample(named),
            )
        )
    if folder is not None:
        write_text(
            folder / "expectations.json",
            json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False) + "\n",
        )
        write_spreadsheet(folder / "failing_rows.csv", failing)
    return results


def failing_rows(parquet: Path, table: Table) -> pl.DataFrame:
    """Every row that fails an expectation, once per expectation it fails.

    Args:
        parquet: a Parquet file of `table`, with its dtypes.
        table: what the file should be.

    Returns:
        processid (null where the table has none), rule, value as text; sorted by the order of
        `expectation_rules`, then processid and value.
    """
    found = pl.read_parquet_schema(parquet)
    return _failing(parquet, [rule for rule in expectation_rules(table) if set(rule.columns) <= set(found)])


def _failing(parquet: Path, rules: Sequence[ExpectationRule]) -> pl.DataFrame:
    scan = pl.scan_parquet(parquet, hive_partitioning=False)
    processid = pl.col("processid") if "processid" in scan.collect_schema() else pl.lit(None, dtype=pl.String)
    parts = [
        scan.filter(rule.failing)
        # `select` of constants alone would give one row, whatever the filter left.
        .with_columns(processid=processid, rule=pl.lit(rule.id), value=rule.value)
        .select(FAILING_ROWS.names())
        .sort("processid", "value", nulls_last=True)
        for rule in rules
        if rule.failing is not None
    ]
    # One after the other: the lists of a table that is wrong throughout are long.
    return pl.concat([FAILING_ROWS.to_frame(), *(part.collect(engine="streaming") for part in parts)])


def _sample(failing: pl.DataFrame) -> tuple[str, ...]:
    """The first rows as "processid: value"; long values are cut because the list has the complete ones."""
    value = pl.col("value").fill_null("")
    cut = pl.when(value.str.len_chars() > _SHOWN).then(value.str.slice(0, _SHOWN) + "…").otherwise(value)
    who = pl.col("processid").fill_null("–")
    return tuple(failing.head(SAMPLE).select(pl.when(value == "").then(who).otherwise(who + ": " + cut)).to_series())


def _column_result(rule: ExpectationRule, found: list[str], table: Table) -> ExpectationResult:
    expected = table.names()
    wrong = [
        f"column {place + 1}: {found[place] if place < len(found) else 'nothing'}, expected "
        f"{expected[place] if place < len(expected) else 'nothing'}"
        for place in range(max(len(found), len(expected)))
        if found[place : place + 1] != expected[place : place + 1]
    ]
    return ExpectationResult(
        rule.id,
        rule.statement,
        "",
        rule.severity,
        not wrong,
        len(expected),
        len(wrong),
        round(100 * len(wrong) / len(expected), 6),
        tuple(wrong[:SAMPLE]),
    )


def _count(result: Mapping[str, Any]) -> int:
    """Failing rows in a result: what a query observed, or the count, which is None for an empty table."""
    return int(result["observed_value"] if "observed_value" in result else result["unexpected_count"] or 0)


def _run(parquet: Path, table: Table, rules: Sequence[ExpectationRule]) -> dict[str, Any]:
    """Results of Great Expectations by rule id."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    from bioscan_etl.quality import duckdb_dialect

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        ),
    )
    own = {
        "ExpectColumnValuesToMatchRe2": duckdb_dialect.pattern_expectation(),
        "ExpectQueryToReturnNoRows": duckdb_dialect.no_rows_expectation(),
    }
    classes: dict[str, Any] = {**vars(gx.expectations), **own}
    suite = gx.ExpectationSuite(
        name=table.name,
        expectations=[
            classes[rule.expectation](
                **rule.arguments,
                meta={"id": rule.id, "statement": rule.statement},
                severity="critical" if rule.severity == "blocking" else "warning",
            )
            for rule in rules
        ],
    )
    sources: Any = context.data_sources  # the stub of `add_sql` leaves `kwargs` out
    source = sources.add_sql(
        "parquet",
        connection_string=f"{duckdb_dialect.ParquetViews.driver}://",
        kwargs={"connect_args": {"views": {table.name: str(parquet)}}},
    )
    batch = source.add_table_asset(table.name, table_name=table.name).add_batch_definition_whole_table("all")
    validation = batch.get_batch().validate(
        suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
    )
    outcomes: dict[str, Any] = {}
    outcome: Any
    for outcome in validation.results:
        rule_id = outcome.expectation_config.meta["id"]
        for message in _raised(outcome.exception_info):
            raise BioscanError(f"expectation {rule_id} on {parquet} could not be evaluated: {message}")
        outcomes[rule_id] = outcome
    return outcomes


def _raised(information: Mapping[str, Any]) -> list[str]:
    """Messages of what an expectation raised; they come plain or by metric."""
    entries = [information, *(entry for entry in information.values() if isinstance(entry, Mapping))]
    return [
        " ".join(str(entry.get("exception_message")).split())[:300]
        for entry in entries
        if entry.get("raised_exception")
    ]
