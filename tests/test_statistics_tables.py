"""The statistics against numbers worked out by hand."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema, vocabulary
from bioscan_etl.statistics.tables import (
    ATTRIBUTES,
    SIZES,
    attributes,
    barcodes,
    partitions,
    sizes,
    statistics,
    write_tables,
)


def metadata(**columns):
    """A frame of METADATA_EXTENDED in which the other columns are null."""
    height = len(next(iter(columns.values()))) if columns else 0
    frame = pl.DataFrame({name.replace("__", "-"): values for name, values in columns.items()})
    missing = [name for name in schema.METADATA_EXTENDED.names() if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in missing) if height else frame
    return schema.METADATA_EXTENDED.empty() if not height else frame.select(
        pl.col(c.name).cast(c.dtype) for c in schema.METADATA_EXTENDED.columns
    )  # fmt: skip


ORDERS = ["Diptera"] * 5 + ["Coleoptera"] * 2 + ["Zoraptera"] * 2 + ["Aphid"] * 2 + [None] * 1


def test_an_attribute_worked_out_by_hand():
    row = attributes(metadata(order=ORDERS)).row(by_predicate=pl.col("attribute") == "order", named=True)
    # sizes 5, 2, 2, 2
    assert row == {
        "attribute": "order", "categories": 4, "labelled": 11, "labelled_share": 11 / 12, "unlabelled": 1,
        "unlabelled_share": 1 / 12, "most_populated": "Diptera", "most_populated_size": 5,
        "least_populated": "Aphid", "least_populated_size": 2, "mean": 2.75, "median": 2.0,
        "standard_deviation": pytest.approx(math.sqrt(((5 - 2.75) ** 2 + 3 * 0.75**2) / 4)), "imbalance_ratio": 2.5,
    }  # fmt: skip


def test_a_site_is_a_pair_of_coordinates_and_a_barcode_has_no_ends_of_n():
    frame = metadata(
        coord__lat=[1.0, 1.0, 2.0, None], coord__lon=[3.0, 3.0, 3.0, 3.0], dna_barcode=["ACG", "NACGN", "ANG", "NN"]
    )
    table = attributes(frame)
    site = table.row(by_predicate=pl.col("attribute") == "site", named=True)
    assert (site["categories"], site["labelled"], site["most_populated"]) == (2, 3, "1.0, 3.0")
    barcode = table.row(by_predicate=pl.col("attribute") == "dna_barcode", named=True)
    assert (barcode["categories"], barcode["labelled"], barcode["most_populated"]) == (2, 3, "ACG")


def test_every_attribute_has_its_row():
    assert attributes(metadata(order=ORDERS))["attribute"].to_list() == list(ATTRIBUTES)
    assert set(SIZES) < set(ATTRIBUTES)


def test_sizes_are_described_by_their_values():
    frame = metadata(image_measurement_value=[10, 30, None], scale_factor=[0.5, 1.5, 1.0])
    table = sizes(frame).rows_by_key("attribute", unique=True, named=True)
    assert table["image_measurement_value"]["mean"] == 20
    assert table["image_measurement_value"]["standard_deviation"] == 10
    assert table["image_measurement_value"]["unit"] == "px"
    assert (table["scale_factor"]["minimum"], table["scale_factor"]["maximum"]) == (0.5, 1.5)
    assert table["area_fraction"]["median"] is None


def test_partitions_count_samples_barcodes_and_species():
    frame = metadata(
        split=["train", "train", "test", "test"],
        species=["a b", None, "a b", "c d"],
        dna_barcode=["ACG", "NACG", "TTT", "TTTN"],
    )
    table = partitions(frame)
    assert table["split"].to_list() == list(vocabulary.SPLITS)
    rows = table.rows_by_key("split", unique=True, named=True)
    assert rows["train"] == {
        "samples": 2, "samples_share": 0.5, "barcodes": 1, "barcodes_share": 0.5, "species": 1, "species_share": 0.5
    }  # fmt: skip
    assert rows["test"]["species_share"] == 1
    assert rows["val"]["samples"] == 0


def test_barcodes_worked_out_by_hand():
    # order A: barcodes x 2, y 1, z 1, so 1.5 bits; order B: one barcode, 0 bits.
    frame = metadata(order=["A"] * 4 + ["B"] * 2, dna_barcode=["AC", "ACN", "AG", "AT", "CC", "NCC"])
    row = barcodes(frame).row(by_predicate=pl.col("rank") == "order", named=True)
    assert row == {
        "rank": "order", "groups": 2, "unique_barcodes": 4, "mean": 2, "median": 2, "standard_deviation": 1,
        "mean_sdi": 0.75,
    }  # fmt: skip
    assert not math.copysign(1, row["mean_sdi"]) < 0


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sampled_from(["A", "C", "NA", "G"])), min_size=1))
def test_against_plain_counting(rows):
    frame = metadata(order=[order for order, _ in rows], dna_barcode=[barcode for _, barcode in rows])
    groups = {}
    for order, barcode in rows:
        if order is not None:
            counts = groups.setdefault(order, {})
            counts[barcode.strip("N")] = counts.get(barcode.strip("N"), 0) + 1
    row = barcodes(frame).row(by_predicate=pl.col("rank") == "order", named=True)
    assert row["groups"] == len(groups)
    if groups:
        indices = [
            -sum(n / sum(counts.values()) * math.log2(n / sum(counts.values())) for n in counts.values())
            for counts in groups.values()
        ]
        assert row["mean_sdi"] == pytest.approx(sum(indices) / len(indices), abs=1e-12)
        assert row["mean"] == pytest.approx(sum(map(len, groups.values())) / len(groups))
    attribute = attributes(frame).row(by_predicate=pl.col("attribute") == "order", named=True)
    assert attribute["labelled"] + attribute["unlabelled"] == len(rows)


@pytest.mark.parametrize("frame", [metadata(), metadata(processid=["A", "B"])], ids=["empty", "all null"])
def test_nothing_to_count(frame):
    tables = statistics(frame)
    assert list(tables) == ["attributes", "sizes", "partitions", "barcodes"]
    assert tables["attributes"]["labelled"].sum() == 0
    assert tables["attributes"]["unlabelled_share"].to_list() == [1.0 if frame.height else 0.0] * len(ATTRIBUTES)
    assert tables["attributes"]["imbalance_ratio"].null_count() == len(ATTRIBUTES)
    assert tables["partitions"].height == len(vocabulary.SPLITS)
    assert tables["barcodes"]["mean_sdi"].null_count() == len(vocabulary.RANKS)


def test_same_numbers_and_bytes_whatever_the_order_and_chunks(tmp_path):
    frame = metadata(
        order=ORDERS * 3,
        dna_barcode=["ACGT"[n % 4] * (1 + n % 3) for n in range(36)],
        scale_factor=[0.1 * (n % 7) for n in range(36)],
        split=["train", "test", "val"] * 12,
    )
    chunked = pl.concat([frame.head(11), frame.tail(25)], rechunk=False)
    first = write_tables(statistics(frame), tmp_path / "one")
    second = write_tables(statistics(chunked), tmp_path / "two")
    assert [path.name for path in first][:3] == ["attributes.csv", "attributes.parquet", "sizes.csv"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    integers = ["categories", "labelled", "most_populated", "least_populated", "imbalance_ratio"]
    assert attributes(frame.reverse()).select(integers).equals(attributes(frame).select(integers))
    assert pl.read_parquet(first[1]).equals(statistics(frame)["attributes"])
