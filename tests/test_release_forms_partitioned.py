"""The Hive form: read by every engine, the same bytes whatever pieces the rows come in."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from release_corpus import corpus

from bioscan_etl import schema
from bioscan_etl.release.forms import partitioned
from bioscan_etl.release.metadata import metadata
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("corpus"), order=["Dip/tera 100%", None])
    return metadata(made.curated, made.partitions)[0]


def test_every_engine_reads_the_hive_form_with_missing_and_odd_orders(rows, tmp_path):
    """As each is used by default: nothing tells them that an order may be missing."""
    partitioned.write_partitioned([rows], tmp_path / "partitioned", ReleaseSettings())
    root = tmp_path / "partitioned"
    assert (root / "split=pretrain/order=not_classified/part-00000.parquet").is_file()
    assert (root / "split=pretrain/order=Dip%2Ftera 100%25/part-00000.parquet").is_file()
    stored = pq.read_schema(root / "split=train/order=Diptera/part-00000.parquet").names
    assert stored == [name for name in schema.METADATA_EXTENDED.names() if name not in {"split", "order"}]
    expected = rows.select("processid", "split", pl.col("order").fill_null("not_classified"), "chunk", "flags")
    expected = expected.sort("processid")
    for frame in (
        pl.scan_parquet(root, hive_partitioning=True).collect(),
        duckdb.sql(f"SELECT * FROM read_parquet('{root}/**/*.parquet', hive_partitioning=true)").pl(),
        pl.from_arrow(ds.dataset(root, partitioning="hive").to_table()),
        pl.from_pandas(pd.read_parquet(root)),
    ):
        text = frame.select(expected.columns).with_columns(pl.col("split", "order").cast(pl.String))
        assert_frame_equal(text.sort("processid"), expected, check_dtypes=False)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_the_hive_form_is_the_same_whatever_pieces_the_rows_come_in(rows, tmp_path, piece):
    small = ReleaseSettings(rows_per_group=2, rows_per_shard=3)
    partitioned.write_partitioned([rows], tmp_path / "whole", small)
    partitioned.write_partitioned(rows.iter_slices(piece), tmp_path / "pieces", small)
    whole, pieces = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("whole", "pieces")
    )
    assert whole == pieces
    assert any(path.name == "part-00001.parquet" for path in whole)
    sizes = [pq.read_metadata(tmp_path / "whole" / path).num_rows for path in whole]
    assert max(sizes) == 3
    assert sum(sizes) == rows.height


def test_a_partition_that_breaks_off_leaves_no_file(rows, tmp_path):
    def pieces():
        yield rows.head(1)  # written, but its partition may go on
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        partitioned.write_partitioned(pieces(), tmp_path, ReleaseSettings(rows_per_group=1))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=20))
def test_hive_names_are_one_folder_and_can_be_undone(value):
    from urllib.parse import unquote

    name = partitioned.hive_name(value)
    assert "/" not in name
    assert unquote(name) == value
