"""The forms of the metadata, read by the engines that users have."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from release_corpus import corpus

from bioscan_etl import schema
from bioscan_etl.release import tables
from bioscan_etl.release.metadata import metadata


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("corpus"), order=["Dip/tera 100%", None])
    return metadata(made.curated, made.partitions)[0]


def test_csv_is_plain_text_that_reads_back(rows, tmp_path):
    path = tmp_path / "m.csv"
    expected = rows.select(schema.METADATA.names())
    tables.write_csv(expected, path)
    raw = path.read_bytes()
    assert raw.startswith(b"processid,sampleid,taxon,phylum,class,order,")
    assert b"\r" not in raw
    assert b'"' not in raw
    assert raw.endswith(b"\n")
    assert {line.count(",") for line in raw.decode().splitlines()} == {22}
    back = pl.read_csv(path, schema=schema.METADATA.schema()).with_columns(pl.col("chunk").fill_null(""))
    assert_frame_equal(back, expected)


def test_csv_in_pandas_keeps_texts_as_text(rows, tmp_path):
    tables.write_csv(rows.select(schema.METADATA.names()), tmp_path / "m.csv")
    texts = [c.name for c in schema.METADATA.columns if c.dtype == pl.String]
    frame = pd.read_csv(tmp_path / "m.csv", dtype=dict.fromkeys(texts, "str"))
    assert {str(frame[name].dtype) for name in texts} == {"str"}
    assert frame["order"].isna().sum() == rows["order"].null_count()
    assert frame["chunk"].fillna("").tolist() == rows["chunk"].to_list()


def test_csv_in_duckdb(rows, tmp_path):
    tables.write_csv(rows.select(schema.METADATA.names()), tmp_path / "m.csv")
    back = duckdb.sql(f"SELECT * FROM read_csv('{tmp_path / 'm.csv'}', types={{'chunk': 'VARCHAR'}})").pl()
    assert back["processid"].to_list() == rows["processid"].to_list()
    assert back["species"].null_count() == rows["species"].null_count()


@pytest.mark.parametrize("table", [schema.REJECTS, schema.CHANGES, schema.SET_ASIDE, schema.QUARANTINE])
def test_logs_are_written_in_an_order_of_their_rows_only(tmp_path, table):
    from release_corpus import filled

    column = "source_line" if "source_line" in table.names() else "step"
    frame = filled(
        table, [{column: n, **({"processid": f"P{n}"} if "processid" in table.key else {})} for n in range(9)]
    )
    tables.write_table(frame, table, tmp_path / "a.parquet", 4)
    tables.write_table(frame.sample(fraction=1, shuffle=True, seed=1), table, tmp_path / "b.parquet", 4)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "a.parquet").height == 9


def test_pages_by_content_hold_the_same_rows(tmp_path):
    numbers = [f"{number * 7919 % 1_000_003:07d}" * 20 for number in range(20_000)]
    frame = pl.DataFrame({"text": numbers})
    arrow = frame.to_arrow().schema
    tables.write_parquet(frame, tmp_path / "size.parquet", arrow, 20_000)
    tables.write_parquet(frame, tmp_path / "content.parquet", arrow, 20_000, by_content=True)
    assert (tmp_path / "size.parquet").read_bytes() != (tmp_path / "content.parquet").read_bytes()
    for name in ("size", "content"):
        assert_frame_equal(pl.read_parquet(tmp_path / f"{name}.parquet"), frame)
        assert pq.read_metadata(tmp_path / f"{name}.parquet").num_row_groups == 1
