"""The statistics against numbers worked out by hand, and every cell against DuckDB on the same rows as CSV."""

import math

import duckdb
import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.statistics import tables as counted
from bioscan_etl.statistics.definitions import ATTRIBUTES, LEVELS, SIZES, TABLES
from bioscan_etl.statistics.files import write_tables
from bioscan_etl.statistics.tables import missing, number_barcodes, statistics


def made(frame):
    """All tables of rows of METADATA_EXTENDED, without the frame."""
    return statistics(*number_barcodes(frame))


def attributes(frame):
    return made(frame)["attributes"]


def sizes(frame):
    return made(frame)["sizes"]


def partitions(frame):
    return made(frame)["partitions"]


def barcodes(frame):
    return made(frame)["barcodes"]


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
    named = ("samples", "samples_share", "barcodes", "barcodes_share", "species", "species_share", "bins")
    assert [rows["train"][name] for name in named] == [2, 0.5, 1, 0.5, 1, 0.5, 0]
    assert rows["test"]["species_share"] == 1
    assert rows["val"]["samples"] == 0


def test_barcodes_worked_out_by_hand():
    # order A: barcodes x 2, y 1, z 1, so 1.5 bits; order B: one barcode, 0 bits.
    frame = metadata(order=["A"] * 4 + ["B"] * 2, dna_barcode=["AC", "ACN", "AG", "AT", "CC", "NCC"])
    row = barcodes(frame).row(by_predicate=pl.col("level") == "order", named=True)
    assert row == {
        "level": "order", "groups": 2, "unique_barcodes": 4, "mean": 2, "median": 2, "standard_deviation": 1,
        "mean_sdi": 0.75, "sdi_minimum": 0, "sdi_lower_quartile": 0, "sdi_median": 0, "sdi_upper_quartile": 1.5,
        "sdi_maximum": 1.5,
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
    row = barcodes(frame).row(by_predicate=pl.col("level") == "order", named=True)
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
    tables = made(frame)
    assert list(tables) == [
        *("attributes", "sizes", "partitions", "partition_shift", "partition_countries", "orders", "species_kinds"),
        *("barcodes", "barcode_lengths"),
    ]
    assert tables["attributes"]["labelled"].sum() == 0
    assert tables["attributes"]["unlabelled_share"].to_list() == [1.0 if frame.height else 0.0] * len(ATTRIBUTES)
    assert tables["attributes"]["imbalance_ratio"].null_count() == len(ATTRIBUTES)
    assert tables["partitions"].height == len(vocabulary.SPLITS)
    assert tables["barcodes"]["mean_sdi"].null_count() == len(LEVELS)
    assert tables["orders"]["samples"].sum() == frame.height
    assert tables["barcode_lengths"].is_empty()
    assert missing(frame.lazy())["missing"].sum() >= 0


def release(count=400, seed=0):
    """Rows in which every table has something to count, and barcodes that are parts of others."""
    rng = np.random.default_rng(seed)
    whole = drawn(40)
    texts = [text[begin : 658 - end] for text in whole for begin, end in ((0, 0), (30, 0), (0, 60))]

    def some(values, missing_share=0.2):
        return [None if rng.random() < missing_share else values[rng.integers(len(values))] for _ in range(count)]

    orders = some(["Diptera", "Coleoptera", "Hemiptera, odd"])
    lat = some([1.5, 2.5, -60.25])
    return metadata(
        processid=[f"P-{number:04}" for number in range(count)],
        phylum=["Arthropoda"] * count,
        **{"class": ["Insecta" if order else None for order in orders]},
        order=orders,
        family=some([f"F{n}" for n in range(9)]),
        genus=some([f"G{n}" for n in range(20)]),
        species=some([f"G s{n}" for n in range(30)], 0.4),
        dna_bin=some([f"BOLD:AAA{n:04}" for n in range(25)]),
        dna_barcode=[texts[rng.integers(len(texts))] + "N" * int(rng.integers(0, 2)) for _ in range(count)],
        country=some(["Norway", "Namibia", "Costa Rica"]),
        province_state=some(["A", "B"]),
        coord__lat=lat,
        coord__lon=[None if value is None else -value for value in lat],
        image_measurement_value=some(list(range(50))),
        area_fraction=some([0.1, 0.25, 0.5]),
        scale_factor=some([0.5, 1.5]),
        split=[vocabulary.SPLITS[rng.integers(0, 7)] for _ in range(count)],
    )


@pytest.fixture(scope="module")
def frame():
    return release()


@pytest.fixture(scope="module")
def tables(frame):
    found, ids = numbered(frame.lazy().select("processid", "dna_barcode"), schema.PLACEMENTS.empty().lazy(), 300)
    rows = frame.select("processid", *counted.READ).join(ids, on="processid", how="left")
    return statistics(rows, found) | {"missing": missing(frame.lazy())}


@pytest.fixture(scope="module")
def csv(frame, tmp_path_factory):
    """A query of the rows as CSV; every column is read as text, and a missing value is null."""
    path = tmp_path_factory.mktemp("csv") / "release.csv"
    frame.select(name for name, dtype in frame.schema.items() if not isinstance(dtype, pl.List)).write_csv(path)
    connection = duckdb.connect()
    connection.execute(f"""
        CREATE TABLE r AS SELECT *, nullif(trim(dna_barcode, 'N'), '') AS barcode,
          CASE WHEN "coord-lat" IS NOT NULL AND "coord-lon" IS NOT NULL THEN "coord-lat" || ', ' || "coord-lon" END site
        FROM read_csv('{path}', all_varchar = true, nullstr = '')""")
    return lambda query: connection.sql(query).pl()


COLUMN = {"dna_barcode": "barcode", "bins": "dna_bin", "barcodes": "barcode", "countries": "country", "sites": "site"}


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_each_attribute_is_what_duckdb_counts(tables, csv, attribute):
    column = COLUMN.get(attribute, attribute)
    kind = "DOUBLE" if attribute in SIZES else "VARCHAR"
    expected = csv(f"""
        WITH g AS (SELECT CAST("{column}" AS {kind}) c, count(*) n FROM r WHERE "{column}" IS NOT NULL GROUP BY 1)
        SELECT count(*) categories, coalesce(sum(n), 0) labelled, labelled / 400 labelled_share,
          400 - labelled unlabelled, unlabelled / 400 unlabelled_share,
          max(n) most_populated_size, min(n) least_populated_size, avg(n) mean,
          median(n) median, stddev_pop(n) standard_deviation, max(n) / min(n) imbalance_ratio,
          (SELECT c FROM g ORDER BY n DESC, c LIMIT 1) most, (SELECT c FROM g ORDER BY n, c LIMIT 1) least FROM g
    """).row(0, named=True)
    row = tables["attributes"].row(by_predicate=pl.col("attribute") == attribute, named=True)
    most, least = expected.pop("most"), expected.pop("least")
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    if attribute in SIZES:
        assert (float(row["most_populated"]), float(row["least_populated"])) == (most, least)
    elif attribute == "site":  # by latitude as a number
        assert row["most_populated"] in {"1.5, -1.5", "2.5, -2.5", "-60.25, 60.25"}
    else:
        assert (row["most_populated"], row["least_populated"]) == (most, least)


def test_each_partition_is_what_duckdb_counts(tables, csv):
    parts = {"samples": "*", "species": "DISTINCT species", "bins": "DISTINCT dna_bin", "barcodes": "DISTINCT barcode"}
    parts |= {"countries": "DISTINCT country", "sites": "DISTINCT site"}
    columns = ", ".join(f"count({what}) {name}" for name, what in parts.items())
    whole = csv(f"SELECT {columns} FROM r").row(0, named=True)
    found = {row["split"]: row for row in csv(f"SELECT split, {columns} FROM r GROUP BY split").iter_rows(named=True)}
    for row in tables["partitions"].iter_rows(named=True):
        expected = found.get(row["split"], dict.fromkeys(parts, 0))
        assert {name: row[name] for name in parts} == {name: expected[name] for name in parts}
        assert {name: row[f"{name}_share"] for name in parts} == pytest.approx(
            {name: expected[name] / whole[name] for name in parts}
        )
    assert tables["partitions"].row(by_predicate=pl.col("split") == "other_heldout")[1] == 0


def test_each_order_is_what_duckdb_counts(tables, csv):
    expected = csv("""
        SELECT min(class) AS class, "order", count(*) samples, count(*) / 400 samples_share,
          count(area_fraction) with_image, count(species) with_species, count(DISTINCT family) families,
          count(DISTINCT genus) genera, count(DISTINCT species) species, count(DISTINCT dna_bin) bins,
          count(DISTINCT barcode) barcodes, count(DISTINCT country) countries, count(DISTINCT site) sites
        FROM r GROUP BY "order" ORDER BY "order" IS NULL, samples DESC, "order"
    """)
    assert tables["orders"].rows() == expected.rows()
    assert tables["orders"]["order"][-1] is None


@pytest.mark.parametrize("level", LEVELS)
def test_barcodes_of_a_level_are_what_duckdb_counts(tables, csv, level):
    expected = csv(f"""
        WITH b AS (SELECT "{level}" g, barcode, count(*) n FROM r WHERE "{level}" IS NOT NULL GROUP BY ALL),
        s AS (SELECT g, count(*) u, -sum(n / t * log2(n / t)) sdi
              FROM (SELECT *, sum(n) OVER (PARTITION BY g) t FROM b) GROUP BY g)
        SELECT count(*) groups, (SELECT count(DISTINCT barcode) FROM b) unique_barcodes, avg(u) mean, median(u) median,
          stddev_pop(u) standard_deviation, avg(sdi) mean_sdi, min(sdi) sdi_minimum, max(sdi) sdi_maximum FROM s
    """).row(0, named=True)
    row = tables["barcodes"].row(by_predicate=pl.col("level") == level, named=True)
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert (
        level == "subfamily"
        or row["sdi_minimum"] <= row["sdi_lower_quartile"] <= row["sdi_median"] <= row["sdi_upper_quartile"]
    )


def test_a_barcode_and_its_parts_count_once_over_shared_columns(tables):
    """40 barcodes were drawn, each with two that are parts of it."""
    row = tables["barcodes"].row(by_predicate=pl.col("level") == "phylum", named=True)
    assert (row["unique_over_shared_columns"], row["unique_barcodes"] > 100) == (40, True)


def test_lengths_are_what_duckdb_counts(tables, csv):
    query = "SELECT length(barcode) l, count(DISTINCT barcode) b, count(*) n FROM r GROUP BY l ORDER BY l"
    assert tables["barcode_lengths"].rows() == csv(query).rows()


def test_a_column_is_covered_by_the_barcodes_that_reach_it(tables, csv):
    cover = tables["barcode_cover"]
    assert cover["column"].to_list() == list(range(1, 659))
    ends = csv("SELECT sum((length(barcode) = 628)::INT) late, sum((length(barcode) = 598)::INT) soon FROM r").row(0)
    assert (cover["samples"][0], cover["samples"][300], cover["samples"][657]) == (400 - ends[0], 400, 400 - ends[1])


def test_species_are_described_novel_or_unlabelled():
    frame = metadata(
        genus=["Aus", "Aus", "Aus", "zygJanzen01", None],
        species=["Aus bus", "Aus bus", "Aus sp. 3", None, None],
        dna_barcode=["ACG", "ACGN", "ACT", "AAA", None],
    )
    found = made(frame)["species_kinds"].select("kind", "samples", "samples_share", "species", "barcodes").rows()
    assert found == [("described", 2, 0.4, 1, 1), ("novel", 2, 0.4, 1, 2), ("unlabelled", 1, 0.2, 0, 0)]


def test_missing_values_are_what_duckdb_counts(tables, csv, frame):
    table = tables["missing"].rows_by_key("field", unique=True, named=True)
    assert list(table) == frame.columns
    for field in ("species", "coord-lat", "area_fraction", "taxon", "split"):
        count = csv(f'SELECT count(*) - count("{field}") FROM r').item()
        assert table[field] == {"missing": count, "missing_share": count / 400}


def test_tables_are_as_they_are_defined(tables):
    for table in TABLES:
        if table.name in tables:
            found = tables[table.name]
            assert found.schema == table.schema(), table.name
            table.check(found)


def test_same_numbers_and_bytes_whatever_the_order_and_chunks(tmp_path):
    rows = release(120)
    shuffled = pl.concat([rows.tail(50), rows.head(70)], rechunk=False)
    first = write_tables(made(rows), tmp_path / "one")
    second = write_tables(made(shuffled), tmp_path / "two")
    assert [path.name for path in first][:3] == ["attributes.csv", "attributes.parquet", "sizes.csv"]
    names = [path.name for path in first if path.suffix == ".csv" and path.name != "sizes.csv"]
    assert [(tmp_path / "one" / name).read_bytes() for name in names] == [
        (tmp_path / "two" / name).read_bytes() for name in names
    ]
    chunked = pl.concat([rows.head(11), rows.tail(109)], rechunk=False)
    third = write_tables(made(chunked), tmp_path / "three")
    assert [path.read_bytes() for path in third] == [path.read_bytes() for path in first]
    assert pl.read_parquet(first[1]).equals(made(rows)["attributes"])
    assert len(second) == len(first)
