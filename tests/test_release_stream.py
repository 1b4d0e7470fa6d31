"""Rows that are written in blocks are those that are written at once, in files that every engine reads."""

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
from bioscan_etl.release import stream, tables
from bioscan_etl.release.metadata import metadata
from bioscan_etl.release.stream import spill, spilled, write_rows
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("corpus"), order=["Dip/tera 100%", None])
    return metadata(made.curated, made.partitions)[0]


def write_shards(rows, folder, chosen, at_once=7):
    counts = dict(rows["split"].value_counts().iter_rows())
    write_rows(rows.iter_slices(at_once), counts, folder.parent / f"{folder.name}.csv", folder, chosen)


@settings(max_examples=25)
@given(st.permutations(range(9)), st.integers(1, 10), st.integers(1, 10))
def test_spilled_rows_come_back_in_the_other_order(tmp_path_factory, places, at_once, block):
    folder = tmp_path_factory.mktemp("spilled")
    frame = pl.DataFrame({"text": [None if at == 3 else "ACGT" * at for at in range(9)]})
    files = spill(frame.iter_slices(at_once), pl.Series(places, dtype=pl.UInt32), folder, block)
    assert len(files) == -(-9 // block)
    blocks = list(spilled(files))
    assert {one.height for one in blocks[:-1]} <= {block}
    assert_frame_equal(pl.concat(blocks), frame[pl.Series(places).arg_sort()])
    assert not list(folder.iterdir())


def test_nothing_is_spilled_of_nothing(tmp_path):
    assert spill([], pl.Series([], dtype=pl.UInt32), tmp_path) == []


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_files_do_not_depend_on_the_blocks(rows, tmp_path, at_once):
    chosen = ReleaseSettings(rows_per_shard=6, rows_per_group=4)
    write_shards(rows, tmp_path / "blocks", chosen, at_once)
    tables.write_csv(rows.select(schema.METADATA.names()), tmp_path / "whole.csv")
    assert (tmp_path / "blocks.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    train = rows.filter(pl.col("split") == "train").head(6)
    tables.write_parquet(train, tmp_path / "one.parquet", schema.METADATA_EXTENDED.arrow(), 4)
    (first, *_) = sorted((tmp_path / "blocks").glob("train-00000-*"))
    assert first.read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_release_without_rows_has_all_files(tmp_path):
    write_shards(schema.METADATA_EXTENDED.empty(), tmp_path / "data", ReleaseSettings())
    assert len(list((tmp_path / "data").iterdir())) == 8
    assert (tmp_path / "data.csv").read_text().count("\n") == 1


def test_more_rows_than_were_counted_are_an_error(rows, tmp_path):
    with pytest.raises(ValueError, match="more rows"):
        write_rows([rows, rows], dict(rows["split"].value_counts().iter_rows()), tmp_path / "m.csv", tmp_path / "data",
                   ReleaseSettings())  # fmt: skip
    assert not (tmp_path / "m.csv").exists()


def test_shards_are_cut_numbered_and_of_one_schema(rows, tmp_path):
    settings = ReleaseSettings(rows_per_shard=3, rows_per_group=2)
    write_shards(rows.filter(pl.col("split") != "val"), tmp_path, settings)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [n for n in names if n.startswith("train-")] == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    assert [n for n in names if n.startswith("val-")] == ["val-00000-of-00001.parquet"]
    assert len({pq.read_schema(tmp_path / n) for n in names}) == 1
    written = pq.read_schema(tmp_path / names[0])
    assert written.equals(schema.METADATA_EXTENDED.arrow())
    assert written.field("species").metadata[b"meaning"] == b"species; missing is unlabelled"
    file = pq.ParquetFile(tmp_path / "train-00000-of-00003.parquet").metadata
    assert [file.row_group(n).num_rows for n in range(file.num_row_groups)] == [2, 1]
    column = file.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.has_column_index
    assert column.has_offset_index
    assert column.statistics.has_min_max
    assert pl.read_parquet(tmp_path, hive_partitioning=False).height == rows.height - 2


def test_every_engine_reads_the_shards(rows, tmp_path):
    write_shards(rows, tmp_path / "data", ReleaseSettings())
    expected = rows.sort("processid")
    for frame in (
        pl.read_parquet(tmp_path / "data"),
        duckdb.sql(f"SELECT * FROM '{tmp_path}/data/*.parquet'").pl(),
        pl.from_arrow(ds.dataset(tmp_path / "data").to_table()),
    ):
        assert_frame_equal(frame.sort("processid"), expected)
    frame = pd.read_parquet(tmp_path / "data")
    assert len(frame) == rows.height
    assert str(frame["chunk"].dtype) == str(frame["species"].dtype) == "str"
    assert frame["order"].isna().sum() == rows["order"].null_count()
    assert frame["split"].value_counts().to_dict() == dict(rows.group_by("split").len().iter_rows())


def test_pages_are_cut_by_content_if_the_settings_say_so(rows, tmp_path, monkeypatch):
    asked = []
    real = stream.parquet_writer
    monkeypatch.setattr(stream, "parquet_writer", lambda *given, **named: asked.append(named) or real(*given, **named))
    write_shards(rows, tmp_path / "off", ReleaseSettings())
    assert {call["by_content"] for call in asked} == {False}
    asked.clear()
    write_shards(rows, tmp_path / "on", ReleaseSettings(content_defined_chunking=True))
    assert {call["by_content"] for call in asked} == {True}
    assert pl.read_parquet(tmp_path / "on").equals(pl.read_parquet(tmp_path / "off"))
