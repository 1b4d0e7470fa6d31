"""How the places of the partitions differ: against DuckDB on the rows as CSV, by hand, and for any counts."""

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_statistics_tables import release

from bioscan_etl.quality.spreadsheet import read_spreadsheet
from bioscan_etl.statistics.definitions import PARTITION_COUNTRIES_TABLE, PARTITION_SHIFT_TABLE
from bioscan_etl.statistics.files import write_tables
from bioscan_etl.statistics.shift import partition_countries, partition_shift
from bioscan_etl.vocabulary import SPLITS

PAIR = {"split": pl.String, "country": pl.String}


def shift(rows):
    """The table of the pairs (split, country), by partition."""
    countries = partition_countries(pl.DataFrame(rows, schema=PAIR, orient="row"))
    PARTITION_COUNTRIES_TABLE.check(countries)
    table = partition_shift(countries)
    PARTITION_SHIFT_TABLE.check(table)
    assert table["split"].to_list() == list(SPLITS)
    return table.rows_by_key("split", unique=True, named=True)


def test_worked_out_by_hand():
    rows = [("train", "Norway")] * 3 + [("train", "Kenya")] + [("test", "Norway"), ("test", "Peru"), ("test", None)]
    found = shift(rows)
    # train 3/4, 1/4, 0; test 1/2, 0, 1/2; the middle 5/8, 1/8, 1/4: a divergence of (0.3390 + 0.4473) / 2 bits.
    assert found["test"] == {
        **{"samples": 2, "countries": 2, "beyond": 1, "beyond_share": 0.5, "total_variation": 0.5},
        "jensen_shannon": pytest.approx(0.6270, abs=1e-4),
    }
    assert (found["train"]["total_variation"], found["train"]["jensen_shannon"], found["train"]["beyond"]) == (0, 0, 0)
    assert found["val"] == dict.fromkeys(found["val"]) | {"samples": 0, "countries": 0, "beyond": 0, "beyond_share": 0}


def test_no_country_in_common_is_1_and_without_train_there_is_no_distance():
    found = shift([("train", "Norway"), ("test", "Peru")])["test"]
    assert (found["total_variation"], found["jensen_shannon"], found["beyond_share"]) == (1, 1, 1)
    alone = shift([("test", "Peru"), ("elsewhere", "Peru"), (None, "Peru")])["test"]
    assert (alone["samples"], alone["total_variation"], alone["jensen_shannon"]) == (1, None, None)
    assert {row["samples"] for row in shift([]).values()} == {0}


@given(st.lists(st.tuples(st.sampled_from(SPLITS), st.sampled_from(["Chad", "Cuba", "Fiji", "Oman"])), max_size=40))
def test_rules_of_distances(rows):
    for row in shift(rows).values():
        variation, distance = row["total_variation"], row["jensen_shannon"]
        if variation is not None:
            # The square of the distance is a divergence, which lies between half the square of the variation and it.
            assert 0 <= row["beyond_share"] <= variation + 1e-12 <= 1 + 1e-9
            assert variation**2 / 2 - 1e-9 <= distance**2 <= variation + 1e-9


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """The released rows as `r`, and both tables as written, as `c` and `s`."""
    folder = tmp_path_factory.mktemp("shift")
    frame = release()
    countries = partition_countries(frame)
    write_tables({"c": countries, "s": partition_shift(countries)}, folder)
    frame.select("split", "country").write_csv(folder / "r.csv")
    connection = duckdb.connect()
    for name in ("r", "c", "s"):
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{folder / name}.csv', nullstr = '')")
    return connection


def test_each_country_of_a_partition_is_what_duckdb_counts(connection):
    differing = connection.sql("""
        WITH n AS (SELECT split, country, count(*) n FROM r WHERE country IS NOT NULL GROUP BY ALL),
        e AS (SELECT *, n / sum(n) OVER (PARTITION BY split) share FROM n)
        SELECT * FROM e FULL JOIN c USING (split, country)
        WHERE n IS DISTINCT FROM samples OR abs(share - samples_share) > 1e-12 OR share IS NULL
    """).fetchall()
    assert differing == []
    assert connection.sql("SELECT count(*) FROM c").fetchall() == [(21,)]


def test_each_shift_is_what_duckdb_counts(connection):
    expected = connection.sql("""
        WITH n AS (SELECT split, country, count(*) n FROM r WHERE country IS NOT NULL GROUP BY ALL),
        p AS (SELECT s.split, k.country, coalesce(n.n, 0) n, coalesce(t.n, 0) train,
                coalesce(n.n, 0) / sum(n.n) OVER (PARTITION BY s.split) p,
                coalesce(t.n, 0) / (SELECT sum(n) FROM n WHERE split = 'train') q
              FROM (SELECT DISTINCT split FROM r) s
              CROSS JOIN (SELECT DISTINCT country FROM r WHERE country IS NOT NULL) k
              LEFT JOIN n USING (split, country) LEFT JOIN n t ON t.split = 'train' AND t.country = k.country)
        SELECT split, sum(n)::BIGINT samples, count(*) FILTER (n > 0) countries,
          coalesce(sum(n) FILTER (train = 0), 0)::BIGINT beyond, beyond / samples beyond_share, sum(abs(p - q)) / 2 tv,
          sqrt(greatest(0, sum(coalesce(if(p > 0, p * log2(2 * p / (p + q)), 0), 0)
                           + coalesce(if(q > 0, q * log2(2 * q / (p + q)), 0), 0)) / 2)) js
        FROM p GROUP BY split
    """).pl().rows_by_key("split", unique=True)  # fmt: skip
    table = connection.sql("SELECT * FROM s").pl().rows_by_key("split", unique=True)
    assert len(expected) == 7
    for split, row in table.items():
        assert row == pytest.approx(expected.get(split, (0, 0, 0, 0.0, None, None)), abs=1e-7), split


def test_a_country_that_a_spreadsheet_would_run_is_escaped(tmp_path):
    table = partition_countries(pl.DataFrame([("train", "=1+1")], schema=PAIR, orient="row"))
    path, _ = write_tables({"partition_countries": table}, tmp_path)
    assert "'=1+1" in path.read_text()
    assert read_spreadsheet(path)["country"].to_list() == ["=1+1"]


def test_a_planted_shift_stands_out_from_partitions_of_one_draw():
    """Partitions drawn alike differ by chance alone; one that was collected elsewhere does not look like that."""
    rng = np.random.default_rng(3)
    countries = np.array(["Chad", "Cuba", "Fiji", "Oman"])
    rows = [(split, str(one)) for split in SPLITS for one in rng.choice(countries, 500, p=[0.5, 0.3, 0.15, 0.05])]
    alike = shift(rows)
    moved = shift([(split, "Oman" if split == "test" and one == "Chad" else one) for split, one in rows])
    assert max(row["total_variation"] for row in alike.values()) < 0.1
    assert max(row["jensen_shannon"] for row in alike.values()) < 0.1
    assert {split for split, row in moved.items() if row["total_variation"] > 0.4} == {"test"}
    assert moved["test"]["jensen_shannon"] > 0.4
