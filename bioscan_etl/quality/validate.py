"""Check a Parquet file against the expectations on its table.

Belongs here: evaluating expectations with Great Expectations on DuckDB, and the complete lists of failing rows. Does
not belong here: what is expected (`bioscan_etl.quality.expectations`), and the form of the results (`results`).

Great Expectations counts the failing rows, and its SQL results end after 200; so DuckDB lists them. Both queries are
made of one condition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import BioscanError, SchemaError
from bioscan_etl.io.write import write_text
from bioscan_etl.quality.expectations import ExpectationRule, expectation_rules, sql_name
from bioscan_etl.quality.parquet_views import open_views
from bioscan_etl.quality.results import SAMPLE, ExpectationResult
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.schema import Table

_SHOWN = 120
_PARAMETER = re.compile(r"(?<!:):(?=\w)")  # what SQLAlchemy would take for a parameter
FAILING_ROWS = pl.Schema({"processid": pl.String(), "rule": pl.String(), "value": pl.String()})


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
        BioscanError: an expectation could not be evaluated.
    """
    results, failing = validate_and_list(parquet, table)
    if folder is not None:
        write_text(
            folder / "expectations.json",
            json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False) + "\n",
        )
        write_spreadsheet(folder / "failing_rows.csv", failing)
    return results


def validate_and_list(parquet: Path, table: Table) -> tuple[list[ExpectationResult], pl.DataFrame]:
    """As `validate`, with the `failing_rows`.

    Raises:
        SchemaError: a column has another dtype than the table gives it.
        BioscanError: an expectation could not be evaluated.
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
    broken = [rule for rule in rules if rule.condition is not None and not outcomes[rule.id].success]
    failing = _failing(parquet, table, broken)
    results = []
    for rule in rules:
        if rule.condition is None:
            results.append(_column_result(rule, list(found), table))
            continue
        count = int(outcomes[rule.id].result["observed_value"])
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
                _sample(failing.filter(pl.col("rule") == rule.id)),
            )
        )
    return results, failing


def failing_rows(parquet: Path, table: Table) -> pl.DataFrame:
    """Every row that fails an expectation, once per expectation it fails; without Great Expectations.

    Args:
        parquet: a Parquet file of `table`, with its dtypes.
        table: what the file should be.

    Returns:
        processid (null if the table has none), rule, value as text; sorted by the order of
        `expectation_rules`, then processid and value.
    """
    found = pl.read_parquet_schema(parquet)
    return _failing(parquet, table, [rule for rule in expectation_rules(table) if set(rule.columns) <= set(found)])


def _query(rule: ExpectationRule, columns: str) -> str:
    """SQL of the failing rows, with `{batch}` for the table."""
    # The condition is made of column names of the schema and constants of the expectations.
    return f"SELECT {columns} FROM {{batch}} WHERE {rule.condition}"  # noqa: S608


def _failing(parquet: Path, table: Table, rules: Sequence[ExpectationRule]) -> pl.DataFrame:
    found = pl.read_parquet_schema(parquet)
    processid = pl.col("processid") if "processid" in found else pl.lit(None, dtype=pl.String)
    parts = [FAILING_ROWS.to_frame()]
    with open_views({table.name: str(parquet)}) as connection:
        # One after the other: the lists of a table that is wrong throughout are long.
        for rule in rules:
            if rule.condition is None:
                continue
            names = {*rule.value.meta.root_names(), *({"processid"} & found.keys())}
            columns = ", ".join(sql_name(name) for name in found if name in names) or "true AS failing"
            rows = connection.sql(_query(rule, columns).format(batch=sql_name(table.name))).pl()
            # `select` of constants alone would give one row, whatever the query left.
            shown = rows.with_columns(processid=processid, rule=pl.lit(rule.id), value=rule.value)
            parts.append(shown.select(FAILING_ROWS.names()).sort("processid", "value", nulls_last=True))
    return pl.concat(parts)


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
    ordered: Any = vars(gx.expectations)["ExpectTableColumnsToMatchOrderedList"]
    no_rows = duckdb_dialect.no_rows_expectation()

    def expectation(rule: ExpectationRule) -> Any:
        common: dict[str, Any] = {
            "meta": {"id": rule.id, "statement": rule.statement},
            "severity": "critical" if rule.severity == "blocking" else "warning",
        }
        if rule.condition is None:
            return ordered(column_list=table.names(), **common)
        return no_rows(unexpected_rows_query=_PARAMETER.sub(r"\\:", _query(rule, "1")), **common)

    suite = gx.ExpectationSuite(name=table.name, expectations=[expectation(rule) for rule in rules])
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
