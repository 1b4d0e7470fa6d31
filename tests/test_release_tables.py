"""The forms of the metadata, read by the engines that users have."""

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

from bioscan_etl import schema, vocabulary
from bioscan_etl.release import tables
from bioscan_etl.release.metadata import metadata
from bioscan_etl.settings import ReleaseSettings


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


def test_shards_are_cut_numbered_and_of_one_schema(rows, tmp_path):
    settings = ReleaseSettings(rows_per_shard=3, rows_per_group=2)
    tables.write_shards(rows.filter(pl.col("split") != "val"), tmp_path, settings)
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
    tables.write_shards(rows, tmp_path / "data", ReleaseSettings())
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


def test_every_engine_reads_the_hive_form_with_missing_and_odd_orders(rows, tmp_path):
    """As each is used by default: nothing tells them that an order may be missing."""
    tables.write_partitioned([rows], tmp_path / "partitioned", ReleaseSettings())
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
    tables.write_partitioned([rows], tmp_path / "whole", small)
    tables.write_partitioned(rows.iter_slices(piece), tmp_path / "pieces", small)
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
        tables.write_partitioned(pieces(), tmp_path, ReleaseSettings(rows_per_group=1))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=20))
def test_hive_names_are_one_folder_and_can_be_undone(value):
    from urllib.parse import unquote

    name = tables.hive_name(value)
    assert "/" not in name
    assert unquote(name) == value


def test_splits_list_every_specimen_once(rows, tmp_path):
    tables.write_splits(rows, tmp_path)
    listed = {split: pl.read_csv(tmp_path / f"{split}.csv") for split in (*vocabulary.SPLITS, "all")}
    assert listed["all"].rows() == rows.select("processid", "split").rows()
    assert pl.concat(listed[split] for split in vocabulary.SPLITS).rows() == listed["all"].rows()


def test_bbox_has_commas_under_its_name_and_tabs_beside(tmp_path):
    boxes = corpus(tmp_path).curated.select(schema.BBOX.names())
    tables.write_bbox(boxes, tmp_path, "T")
    assert_frame_equal(pl.read_csv(tmp_path / "T_bbox.tsv", schema=schema.BBOX.schema()), boxes)
    assert_frame_equal(pl.read_csv(tmp_path / "T_bbox.tab.tsv", separator="\t", schema=schema.BBOX.schema()), boxes)
    first = (tmp_path / "T_bbox.tsv").read_text().splitlines()[0]
    assert first == "processid,width_original,height_original,x0,y0,x1,y1,scale_factor,area_fraction"


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
