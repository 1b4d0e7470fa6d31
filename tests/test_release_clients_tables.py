"""Each engine of the specification opens each table form of a release as it is, and reads the same values."""

import subprocess

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from polars.testing import assert_frame_equal
from release_everything import everything

from bioscan_etl import schema
from bioscan_etl.release.forms.data_images import images_schema

pytestmark = pytest.mark.clients
CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
ENGINES = {
    "pandas": lambda place, hive: pl.from_pandas(pd.read_parquet(place)),
    "polars": lambda place, hive: pl.read_parquet(place, hive_partitioning=hive),
    "duckdb": lambda place, hive: duckdb.sql(
        f"SELECT * FROM read_parquet('{place}/**/*.parquet', hive_partitioning = {str(hive).lower()})"
    ).pl(),
    "pyarrow": lambda place, hive: pl.from_arrow(ds.dataset(place, partitioning="hive" if hive else None).to_table()),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def expected(release):
    rows = pl.read_csv(release / CSV, schema=schema.METADATA.schema())
    assert rows.height == 32
    assert rows["order"].null_count() == 4
    return rows.with_columns(pl.col("chunk").fill_null("")).sort("processid")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ["data", "data_images", "partitioned"])
def test_every_engine_reads_every_parquet_form_as_it_is(release, expected, engine, form):
    hive = form == "partitioned"
    rows = ENGINES[engine](release / form, hive).sort("processid")
    if hive:
        missing = pl.col("order") == schema.NOT_CLASSIFIED
        rows = rows.with_columns(pl.col("split", "order").cast(pl.String))
        rows = rows.with_columns(order=pl.when(~missing).then("order"))
    assert set(schema.METADATA_EXTENDED.names()) <= set(rows.columns)
    found = rows.select(schema.METADATA.names())
    nan = [name for name, dtype in found.schema.items() if dtype == pl.Float64]
    found = found.with_columns(pl.col(nan).fill_nan(None)).cast(dict(schema.METADATA.schema()))
    assert_frame_equal(found, expected)
    if form == "data_images":
        assert all(jpeg[:2] == b"\xff\xd8" for jpeg in rows["image"].struct.field("bytes"))


def test_pandas_reads_the_csv_without_a_thought(release, expected):
    rows = pd.read_csv(release / CSV, low_memory=False).sort_values("processid")
    assert rows["processid"].tolist() == expected["processid"].to_list()
    for name in expected.columns:
        nulls = expected[name].null_count() if name != "chunk" else (expected["chunk"] == "").sum()
        assert rows[name].isna().sum() == nulls, name


def test_one_client_splits_the_csv_on_bare_commas(release, expected):
    lines = (release / CSV).read_text().splitlines()
    assert {len(line.split(",")) for line in lines} == {23}
    assert len(lines) == expected.height + 1


def test_the_json_ld_is_an_array_of_rows_with_the_same_values(release, expected):
    rows = pl.read_json(release / CSV.replace("csv", "jsonld"), schema_overrides=dict(schema.METADATA.schema()))
    assert_frame_equal(rows.select(expected.columns).sort("processid"), expected)


def test_the_images_form_has_one_schema_and_says_that_it_holds_images(release):
    import pyarrow.parquet as pq

    files = sorted((release / "data_images").iterdir())
    assert len(files) == 2 + 2 + 6
    for file in files:
        written = pq.read_schema(file)
        assert written.equals(images_schema())
        assert written.metadata == images_schema().metadata
        assert written.field("species").metadata[b"meaning"] == b"species; missing is unlabelled"


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="needs .venv-clients: pyspark is not installed")
    if subprocess.run(["which", "java"], capture_output=True, check=False).returncode:
        pytest.skip("Java is not installed: apt-get install default-jre-headless")
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["data", "data_images", "partitioned"])
def test_spark_reads_every_parquet_form(spark, release, expected, form):
    rows = spark.read.parquet(str(release / form))
    assert set(schema.METADATA_EXTENDED.names()) <= set(rows.columns)
    names = ["processid", "split", "order", "species", "coord-lat", "chunk", "inferred_ranks"]
    found = {row["processid"]: tuple(row) for row in rows.select([f"`{name}`" for name in names]).collect()}
    if form == "partitioned":
        expected = expected.with_columns(pl.col("order").fill_null(schema.NOT_CLASSIFIED))
    assert found == {row[0]: row for row in expected.select(names).iter_rows()}


@pytest.mark.slow
def test_spark_reads_the_csv(spark, release, expected):
    rows = spark.read.csv(str(release / CSV), header=True)
    assert rows.columns == schema.METADATA.names()
    found = {row["processid"]: (row["species"], row["order"], row["split"]) for row in rows.collect()}
    assert found == {row[0]: row[1:] for row in expected.select("processid", "species", "order", "split").iter_rows()}
