"""Published numbers: as the specification states them, and beside what the release's CSV says."""

import re
from pathlib import Path

import drawn_release
import duckdb
import polars as pl
import pytest

from bioscan_etl.io.tables import read_csv
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.definitions import PUBLISHED_TABLE, TABLES
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.files import write_tables
from bioscan_etl.statistics.published import ROW_OF, published

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "specification"
STATED = read_csv(ROOT / "bioscan_etl" / "statistics" / "published.csv", infer_schema=False)
KNOWN = {table.name: table for table in TABLES}


@pytest.fixture(scope="module")
def tables():
    return describe(drawn_release.rows(), Settings()).tables


def test_every_number_is_of_a_column_that_is_counted():
    for table, column in STATED.select("table", "column").unique().iter_rows():
        assert KNOWN[table][column].dtype.is_numeric()
        assert ROW_OF[table] in KNOWN[table].names()
    assert STATED.select("table", "row", "column").is_unique().all()


def test_every_number_stands_in_the_specification():
    """A slip of the pen in the data would be a fact that nobody published."""
    pages = " ".join(
        (PAGES / name).read_text()
        for name in ("statistics.md", "splits.md", "taxonomy.md", "geography.md", "barcodes.md")
    )
    numbers = {number.replace(",", "") for number in re.findall(r"\d[\d,]*(?:\.\d+)?", pages)}
    assert set(STATED["published"]) - numbers == set()


def test_partitions_add_up_to_the_published_records():
    samples = STATED.filter(table="partitions", column="samples")["published"].cast(pl.Int64)
    assert samples.sum() == 5_150_850
    assert samples.len() == 8


def test_ours_is_what_duckdb_reads_in_the_csv(tables, tmp_path):
    write_tables(tables, tmp_path)
    table = PUBLISHED_TABLE.conform(tables["published"])
    assert table.height == STATED.height == 66
    connection = duckdb.connect()
    for row in table.iter_rows(named=True):
        name = row["table"]
        (ours,) = connection.execute(
            f"SELECT CAST(\"{row['column']}\" AS DOUBLE) FROM read_csv('{tmp_path / name}.csv') "
            f"WHERE {ROW_OF[name]} = ?", [row["row"]]
        ).fetchone()  # fmt: skip
        assert row["ours"] == pytest.approx(ours, abs=1e-12), row
    assert table.filter(row="species", column="labelled")["ours"].item() == 60


def test_distances_alone_are_not_comparable_and_say_why(tables):
    table = tables["published"]
    differing = table.filter(~pl.col("is_comparable"))
    assert set(differing["table"]) == {"distance_levels"}
    assert differing["reason"].str.contains("measures length").all()
    assert table.filter("is_comparable")["reason"].null_count() == table["is_comparable"].sum()


def test_a_table_that_is_missing_leaves_ours_blank():
    assert published({})["ours"].null_count() == STATED.height
