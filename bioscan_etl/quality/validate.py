"""Check the Parquet files of a table against the expectations on it.

Belongs here: evaluating expectations with Great Expectations on DuckDB. Does not belong here: what is expected
(`bioscan_etl.quality.expectations`), the complete lists of failing rows (`failing`), and the form of the results
(`results`).

Great Expectations counts the failing rows, and its SQL results end after 200; so DuckDB lists those of the
expectations that fail. Both queries are made of one condition.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from bioscan_etl.errors import BioscanError, SchemaError
from bioscan_etl.io.tables import Place, scan_parquet
from bioscan_etl.quality.expectations import ExpectationRule, expectation_rules, sql_name
from bioscan_etl.quality.failing import FAILING_ROWS, failing_pieces, failing_spreadsheet, tables
from bioscan_etl.quality.parquet_views import open_views
from bioscan_etl.quality.results import SAMPLE, ExpectationResult, write_results
from bioscan_etl.schema import Table

_SHOWN = 120
_PARAMETER = re.compile(r"(?<!:):(?=\w)")  # what SQLAlchemy would take for a parameter


def validate(parquet: Place | Sequence[Place], table: Table, folder: Path | None = None) -> list[ExpectationResult]:
    """Run all expectations on a table's Parquet file.

    Args:
        parquet: a Parquet file of `table`, or its files in order, all of the same columns. An absent column fails the
            expectation on the columns, and the expectations that need it are left out.
        table: what the file should be.
        folder: where to write `expectations.json` (the results) and `failing_rows.csv` (all failing rows, safe to
            open in a spreadsheet); None writes nothing.

    Returns:
        One result per expectation, in the order of `expectation_rules`.

    Raises:
        SchemaError: a column has another dtype than the table gives it.
        BioscanError: an expectation could not be evaluated.
    """
    if folder is None:
        return validate_and_list(parquet, table, lambda rows: None)
    with failing_spreadsheet(folder / "failing_rows.csv") as add:
        results = validate_and_list(parquet, table, add)
    write_results(folder / "expectations.json", results)
    return results


def validate_and_list(
    parquet: Place | Sequence[Place], table: Table, keep: Callable[[pl.DataFrame], None]
) -> list[ExpectationResult]:
    """As `validate`, with the list of all failing rows.

    Args:
        parquet: as of `validate`.
        table: as of `validate`.
        keep: called with the pieces of the list (`failing.failing_pieces`), one after the other.

    Raises:
        SchemaError: a column has another dtype than the table gives it.
        BioscanError: an expectation could not be evaluated.
    """
    found = _schema(parquet)
    wrong = [
        f"{column.name} is {found[column.name]}, not {column.dtype}"
        for column in table.columns
        if column.name in found and found[column.name] != column.dtype
    ]
    if wrong:
        raise SchemaError(f"{_shown(parquet)} is not a table {table.name}: {'; '.join(wrong)}")
    rules = _evaluable(table, found)
    rows = int(scan_parquet(parquet).select(pl.len()).collect().item())
    samples: dict[str, list[str]] = {}
    with open_views({table.name: parquet}, tables(table, rules)) as views:
        counts = _counts(views, parquet, table, rules)
        for piece in failing_pieces(views, parquet, table, [rule for rule in rules if counts.get(rule.id)]):
            sample = samples.setdefault(piece["rule"][0], [])
            sample += _sample(piece.head(SAMPLE - len(sample)))
            keep(piece)
    results = []
    for rule in rules:
        if rule.condition is None:
            results.append(_column_result(rule, list(found), table))
            continue
        count = counts[rule.id]
        results.append(
            ExpectationResult(
                table.name,
                rule.id,
                rule.statement,
                ", ".join(rule.columns),
                rule.severity,
                count == 0,
                rows,
                count,
                round(100 * count / rows, 6) if rows else 0.0,
                tuple(samples.get(rule.id, ())),
            )
        )
    return results


def failing_rows(parquet: Place | Sequence[Place], table: Table) -> pl.DataFrame:
    """Every row that fails an expectation, once per expectation it fails; without Great Expectations.

    Args:
        parquet: a Parquet file of `table`, with its dtypes, or its files in order.
        table: what the file should be.

    Returns:
        processid (null if the table has none), rule, value as text; sorted by the order of
        `expectation_rules`, then processid and value.
    """
    rules = [rule for rule in _evaluable(table, _schema(parquet)) if rule.condition is not None]
    with open_views({table.name: parquet}, tables(table, rules)) as views:
        return pl.concat([FAILING_ROWS.to_frame(), *failing_pieces(views, parquet, table, rules)])


def count_failing(parquet: Place | Sequence[Place], table: Table) -> dict[str, int]:
    """Number of rows that fail each expectation on rows, by its id; without Great Expectations.

    Args:
        parquet: a Parquet file of `table`, with its dtypes, or its files in order.
        table: what the file should be; expectations that need an absent column are left out.
    """
    rules = [rule for rule in _evaluable(table, _schema(parquet)) if rule.condition is not None]
    alone = [rule for rule in rules if rule.looks_elsewhere]
    together = [rule for rule in rules if not rule.looks_elsewhere]
    counts: dict[str, int] = {}
    with open_views({table.name: parquet}, tables(table, rules)) as connection:
        columns = ", ".join(f"count(*) FILTER (WHERE {rule.condition})" for rule in together)
        queries = [(together, f"SELECT {columns} FROM {{batch}}")] if together else []  # noqa: S608 (constants)
        queries += [([rule], f"SELECT count(*) FROM ({_failing(rule)})") for rule in alone]  # noqa: S608 (constants)
        for part, query in queries:
            [row] = connection.sql(query.format(batch=sql_name(table.name))).fetchall()
            counts |= dict(zip((rule.id for rule in part), row, strict=True))
    return {rule.id: counts[rule.id] for rule in rules}


def _evaluable(table: Table, found: pl.Schema) -> list[ExpectationRule]:
    """The expectations on a table whose columns a file has."""
    return [rule for rule in expectation_rules(table) if set(rule.columns) <= set(found)]


def _schema(parquet: Place | Sequence[Place]) -> pl.Schema:
    return scan_parquet(parquet).collect_schema()


def _shown(parquet: Place | Sequence[Place]) -> str:
    """The file of a table as an error names it; the first of several."""
    return str(parquet) if isinstance(parquet, (str, os.PathLike)) else str(parquet[0])


def _sample(failing: pl.DataFrame) -> list[str]:
    """Failing rows as "processid: value"; long values are cut because the list has the complete ones."""
    value = pl.col("value").fill_null("")
    cut = pl.when(value.str.len_chars() > _SHOWN).then(value.str.slice(0, _SHOWN) + "…").otherwise(value)
    who = pl.col("processid").fill_null("–")
    return failing.select(pl.when(value == "").then(who).otherwise(who + ": " + cut)).to_series().to_list()


def _columns(found: Sequence[str], table: Table) -> list[str]:
    """The columns that a file should have: those of the table, then the further ones that it may have."""
    further = [name for name in found[len(table.columns) :] if table.further and name.startswith(table.further)]
    return [*table.names(), *further]


def _column_result(rule: ExpectationRule, found: list[str], table: Table) -> ExpectationResult:
    expected = _columns(found, table)
    wrong = [
        f"column {place + 1}: {found[place] if place < len(found) else 'nothing'}, expected "
        f"{expected[place] if place < len(expected) else 'nothing'}"
        for place in range(max(len(found), len(expected)))
        if found[place : place + 1] != expected[place : place + 1]
    ]
    return ExpectationResult(
        table.name,
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


def _failing(rule: ExpectationRule) -> str:
    """The query that has a row per failing row, with `{batch}` for the table."""
    return rule.counted or f"SELECT 1 FROM {{batch}} WHERE {rule.condition}"  # noqa: S608 (constants)


def _counts(
    views: duckdb.DuckDBPyConnection, parquet: Place | Sequence[Place], table: Table, rules: Sequence[ExpectationRule]
) -> dict[str, int]:
    """Number of failing rows by rule id, counted by Great Expectations."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    from bioscan_etl.quality import counted, duckdb_dialect

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        ),
    )
    ordered: Any = vars(gx.expectations)["ExpectTableColumnsToMatchOrderedList"]
    no_row, no_rows = counted.no_row_expectation(), counted.no_rows_expectation()

    def expectation(rule: ExpectationRule) -> Any:
        common: dict[str, Any] = {
            "meta": {"id": rule.id, "statement": rule.statement},
            "severity": "critical" if rule.severity == "blocking" else "warning",
        }
        if rule.condition is None:
            return ordered(column_list=_columns(list(_schema(parquet)), table), **common)
        if rule.looks_elsewhere:
            return no_rows(unexpected_rows_query=_PARAMETER.sub(r"\\:", _failing(rule)), **common)
        return no_row(condition=rule.condition.format(), **common)

    suite = gx.ExpectationSuite(name=table.name, expectations=[expectation(rule) for rule in rules])
    sources: Any = context.data_sources  # the stub of `add_sql` leaves `kwargs` out
    source = sources.add_sql(
        "parquet",
        connection_string=f"{duckdb_dialect.ParquetViews.driver}://",
        kwargs={"connect_args": {"views": views}},
    )
    batch = source.add_table_asset(table.name, table_name=table.name).add_batch_definition_whole_table("all")
    validation = batch.get_batch().validate(
        suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
    )
    counted_rows = {rule.id for rule in rules if rule.condition is not None}
    counts: dict[str, int] = {}
    outcome: Any
    for outcome in validation.results:
        rule_id = outcome.expectation_config.meta["id"]
        for message in _raised(outcome.exception_info):
            raise BioscanError(f"expectation {rule_id} on {_shown(parquet)} could not be evaluated: {message}")
        if rule_id in counted_rows:
            counts[rule_id] = int(outcome.result["observed_value"])
    return counts


def _raised(information: Mapping[str, Any]) -> list[str]:
    """Messages of what an expectation raised; they come plain or by metric."""
    entries = [information, *(entry for entry in information.values() if isinstance(entry, Mapping))]
    return [
        " ".join(str(entry.get("exception_message")).split())[:300]
        for entry in entries
        if entry.get("raised_exception")
    ]
