"""The rows that fail expectations, all of them, listed by DuckDB.

Belongs here: finding, sorting and writing them, in pieces: of a table that is wrong throughout the list is longer than
the table. Does not belong here: counting them (`validate`), and what is expected (`expectations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl.io.tables import Place, scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.quality.expectations import BARCODE_KEYS, ExpectationRule, barcode_keys, sql_name
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.schema import Table

FAILING_ROWS = pl.Schema({"processid": pl.String(), "rule": pl.String(), "value": pl.String()})
"""Columns of the list. `processid` is null if the table has none; `value` is what the rule shows of the row."""

_ROWS = 100_000
"""Rows that are held at once, and rows of a row group: the bytes of a file do not depend on threads."""
_ARROW = pa.schema([(name, pa.large_string()) for name in ("table", *FAILING_ROWS)])


def failing_pieces(
    views: duckdb.DuckDBPyConnection, parquet: Place | Sequence[Place], table: Table, rules: Sequence[ExpectationRule]
) -> Iterator[pl.DataFrame]:
    """Every row that fails one of some expectations, once per expectation it fails, in pieces.

    Args:
        views: a database with the table, and with `tables` of these rules (see `parquet_views.open_views`).
        parquet: a Parquet file of `table`, with its dtypes, or its files in order.
        table: what the file should be.
        rules: expectations on rows whose columns the file has.

    Yields:
        `FAILING_ROWS` of one rule, at most 100,000 rows: in the order of `rules`, then by processid and value, null
        last.
    """
    if not rules:
        return
    name = sql_name(table.name)
    processid = "processid" if "processid" in scan_parquet(parquet).collect_schema() else "CAST(NULL AS VARCHAR)"
    # One rule after the other: sorting takes memory.
    for rule in rules:
        columns = f"{processid} AS processid, {rule.value} AS value"
        # What is formatted is made of column names of the schema and constants of the expectations.
        query = f"SELECT {columns} FROM {{batch}} WHERE {rule.condition} ORDER BY ALL NULLS LAST"  # noqa: S608
        with views.sql(query.format(batch=name)).to_arrow_reader(_ROWS) as found:
            for batch in found:
                rows = pl.DataFrame(batch).with_columns(rule=pl.lit(rule.id))
                yield rows.select(pl.col(column).cast(dtype) for column, dtype in FAILING_ROWS.items())


def tables(table: Table, rules: Iterable[ExpectationRule]) -> dict[str, str]:
    """The tables in memory that conditions look up, by name, with the queries that make them (see `open_views`)."""
    query = barcode_keys(rules)
    return {} if query is None else {BARCODE_KEYS: query.format(batch=sql_name(table.name))}


@contextmanager
def failing_file(path: Path) -> Iterator[Callable[[Table, pl.DataFrame], None]]:
    """Write a Parquet file of the failing rows of several tables: `table`, its name, then `FAILING_ROWS`.

    Args:
        path: the file; it appears whole, or not at all.

    Yields:
        a function that appends a piece of the list of a table.
    """
    with atomic_file(path) as stream, pq.ParquetWriter(stream, _ARROW, compression="zstd") as writer:
        held = pl.DataFrame(schema={"table": pl.String(), **FAILING_ROWS})

        def write(rows: pl.DataFrame) -> None:
            # Pages end where chunks do, and pieces end where DuckDB's threads let them.
            writer.write_table(rows.rechunk().to_arrow().cast(_ARROW))

        def add(table: Table, rows: pl.DataFrame) -> None:
            nonlocal held
            held = pl.concat([held, rows.select(pl.lit(table.name).alias("table"), pl.all())])
            while held.height >= _ROWS:
                write(held.head(_ROWS))
                held = held.slice(_ROWS)

        yield add
        write(held)


@contextmanager
def failing_spreadsheet(path: Path) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Write a CSV of `FAILING_ROWS` that is safe to open in a spreadsheet.

    Args:
        path: the file; it appears whole, or not at all.

    Yields:
        a function that appends a piece of the list.
    """
    with atomic_file(path) as stream:
        FAILING_ROWS.to_frame().write_csv(stream)
        yield lambda rows: escape_formulas(rows).write_csv(stream, include_header=False)
