"""Kinds of expectations, by the queries that they take."""

import datetime
import re

import duckdb
import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.quality import duckdb_dialect
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.validate import count_failing, validate


@pytest.fixture
def queries(monkeypatch):
    """The queries that Great Expectations sends."""
    sent = []

    class Cursor:
        def __init__(self, connection):
            self._cursor = connection.cursor()

        def __getattr__(self, name):
            return getattr(self._cursor, name)

        def execute(self, query, *arguments):
            sent.append(query)
            return self._cursor.execute(query, *arguments)

    class Connection:
        def __init__(self, connection: duckdb.DuckDBPyConnection):
            self._connection = connection

        def __getattr__(self, name):
            return getattr(self._connection, name)

        def cursor(self):
            return Cursor(self._connection)

    connect = duckdb_dialect.ParquetViews.connect
    monkeypatch.setattr(
        duckdb_dialect.ParquetViews, "connect", lambda *given, **named: Connection(connect(*given, **named))
    )
    return sent


def test_all_conditions_on_a_row_take_one_query(tmp_path, queries):
    path = tmp_path / "curated.parquet"
    schema.CURATED.empty().write_parquet(path)
    assert all(result.success for result in validate(path, schema.CURATED))
    rules = expectation_rules(schema.CURATED)
    of_rows = [rule for rule in rules if rule.condition and not rule.looks_elsewhere]
    alone = [rule for rule in rules if rule.looks_elsewhere]
    of_barcodes = {"INVARIANT_BARCODE_LABELS", "DNA_BARCODE_OUTSIDE_PATTERN"}
    assert {rule.id for rule in alone} == {"PROCESSID_NOT_UNIQUE", "INVARIANT_LINEAGE", *of_barcodes}
    assert [query.count("FILTER (WHERE") for query in queries if "FILTER" in query] == [len(of_rows)]
    counting = [re.sub(r"/\*.*?\*/", "", query, flags=re.DOTALL) for query in queries if "count(" in query.lower()]
    assert len([query for query in counting if "FROM curated" in query]) == 1 + len(alone) - len(of_barcodes)
    # Barcodes are read once, for the table of their keys.
    assert len([query for query in counting if "FROM barcode_keys" in query]) == len(of_barcodes)


def test_a_condition_that_is_null_counts_no_row(tmp_path):
    rows = [{"processid": f"P{n}", "coord-lat": value} for n, value in enumerate((None, None, 91.0))]
    path = tmp_path / "metadata.parquet"
    pl.DataFrame(rows, schema=schema.METADATA.schema()).write_parquet(path)
    results = {result.id: result.unexpected_count for result in validate(path, schema.METADATA)}
    assert results["COORD_LAT_OUT_OF_RANGE"] == 1
    without_columns = {name: count for name, count in results.items() if name != "COLUMNS_IN_ORDER"}
    assert count_failing(path, schema.METADATA) == without_columns


def test_several_files_are_one_table(tmp_path):
    row = dict.fromkeys(schema.SET_ASIDE.names())
    row |= {"batch": "b", "processid": "A", "record_id": "A.COI-5P", "source_file": "f", "reason": "superseded"}
    row |= {"snapshot_date": datetime.date(2024, 6, 28)}
    paths = [tmp_path / "one[1].parquet", tmp_path / "two*.parquet"]
    for path, reason in zip(paths, ("superseded", "forgotten"), strict=True):
        pl.DataFrame([row | {"reason": reason}], schema=schema.SET_ASIDE.schema()).write_parquet(path)
    [failed] = [result for result in validate(paths, schema.SET_ASIDE) if not result.success]
    assert (failed.id, failed.unexpected_count, failed.element_count) == ("REASON_OUTSIDE_VOCABULARY", 1, 2)
    assert failed.sample == ("A: forgotten",)
