"""Tables: dtypes, nullability, keys, data dictionary."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import SchemaError

GOOD = pl.DataFrame({"processid": ["A-1", "A-2"], "split": ["train", "test"]})


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_every_table_is_well_formed(table, tmp_path):
    assert len(set(table.names())) == len(table.columns)
    assert set(table.key) <= set(table.names())
    assert all(column.meaning for column in table.columns)
    table.check(table.empty())
    path = tmp_path / "table.parquet"
    pq.write_table(table.empty().to_arrow().cast(table.arrow()), path)
    assert pl.read_parquet(path).schema == table.schema()


def test_every_table_is_printed_in_the_order_of_the_module():
    """The pages of the documentation link to the tables of this list; one that it lacks is a dead link."""
    assert [table for table in vars(schema).values() if isinstance(table, schema.Table)] == list(schema.TABLES)


def test_the_released_columns_are_the_23_of_the_spec():
    listed = (
        "processid, sampleid, taxon, phylum, class, order, family, subfamily, genus, species, dna_bin, dna_barcode, "
        "country, province_state, coord-lat, coord-lon, image_measurement_value, area_fraction, scale_factor, "
        "inferred_ranks, split, index_bioscan_1M_insect, chunk"
    )
    assert ", ".join(schema.METADATA.names()) == listed
    assert schema.METADATA_EXTENDED.names()[:23] == schema.METADATA.names()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD.drop("split"), r"\['split'\] are missing"),
        (GOOD.with_columns(split=None), "2 rows have no split"),
        (pl.concat([GOOD, GOOD]), "more than one row"),
    ],
)
def test_breaches_are_named(frame, message):
    with pytest.raises(SchemaError, match=message):
        schema.PARTITIONS.conform(frame)


def test_check_is_strict_about_dtypes_and_order():
    with pytest.raises(SchemaError, match="split is Int"):
        schema.PARTITIONS.check(GOOD.with_columns(split=pl.lit(1)))
    with pytest.raises(SchemaError, match="order differs"):
        schema.PARTITIONS.check(GOOD.select("split", "processid"))


def test_conform_selects_orders_and_casts():
    frame = GOOD.with_columns(extra=pl.lit(1), split=pl.col("split").cast(pl.Categorical)).select(
        "extra", "split", "processid"
    )
    assert schema.PARTITIONS.conform(frame).equals(GOOD)


def test_the_data_dictionary_has_a_line_per_column():
    text = schema.data_dictionary(schema.METADATA)
    assert len(text.splitlines()) == 2 + 23
    assert "| `coord-lat` | Float64 | degree | yes | latitude, WGS 84 |" in text
