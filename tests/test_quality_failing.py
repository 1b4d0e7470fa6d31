"""The lists of failing rows: complete, in order, in pieces, and the same bytes whatever the threads."""

import polars as pl
import pytest
from pyarrow import parquet as pq

from bioscan_etl import schema
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.failing import FAILING_ROWS, failing_file, failing_pieces, failing_spreadsheet, tables
from bioscan_etl.quality.parquet_views import open_views

ROWS = 250_000
RULES = [
    rule
    for rule in expectation_rules(schema.METADATA)
    if rule.id in ("DNA_BIN_OUTSIDE_PATTERN", "COORD_LAT_OUT_OF_RANGE", "BARCODE_IN_TWO_PARTITIONS")
]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A table of which most rows fail several expectations."""
    number = pl.int_range(pl.len())
    frame = schema.METADATA.empty().clear(ROWS)
    frame = frame.with_columns(
        processid=pl.format("P{}", (number * 7919) % ROWS),
        dna_bin=pl.when(number % 3 > 0).then(pl.lit("=BIN")).otherwise(pl.lit("BOLD:AAA1234")),
        dna_barcode=pl.concat_str(pl.format("{}", number // 2).str.replace_all(r"[0-4]", "A"), pl.lit("N"))
        .str.replace_all("[5-7]", "C")
        .str.replace_all("[89]", "G"),
        split=pl.when(number % 2 > 0).then(pl.lit("train")).otherwise(pl.lit("pretrain")),
        **{"coord-lat": pl.when(number % 5 == 0).then(float("nan")).otherwise(91.5)},
    )
    path = tmp_path_factory.mktemp("wrong") / "metadata.parquet"
    frame.write_parquet(path)
    return path


def opened(path):
    return open_views({schema.METADATA.name: path}, tables(schema.METADATA, RULES))


def test_the_list_is_complete_and_in_order(wrong):
    with opened(wrong) as views:
        pieces = list(failing_pieces(views, wrong, schema.METADATA, RULES))
    assert all(piece.schema == FAILING_ROWS and 0 < piece.height <= 100_000 for piece in pieces)
    listed = pl.concat(pieces)
    counts = dict(listed.group_by("rule", maintain_order=True).len().iter_rows())
    assert list(counts) == [rule.id for rule in RULES]
    assert counts == {
        "DNA_BIN_OUTSIDE_PATTERN": ROWS // 3 * 2,
        "COORD_LAT_OUT_OF_RANGE": ROWS,
        "BARCODE_IN_TWO_PARTITIONS": ROWS,
    }
    for _, rows in listed.group_by("rule"):
        assert rows.equals(rows.sort("processid", "value"))
    values = listed.filter(rule="COORD_LAT_OUT_OF_RANGE")["value"].value_counts()
    assert sorted(values.iter_rows()) == [("91.5", ROWS // 5 * 4), ("NaN", ROWS // 5)]
    [shown] = listed.filter(processid="P0", rule="BARCODE_IN_TWO_PARTITIONS")["value"]
    assert shown == "split=pretrain; barcode=A…"


def test_the_bytes_do_not_depend_on_threads(wrong, tmp_path):
    written = []
    for threads in (1, 2, 5):
        path = tmp_path / f"{threads}.parquet"
        with opened(wrong) as views, failing_file(path) as add:
            views.execute(f"SET threads = {threads}")
            for piece in failing_pieces(views, wrong, schema.METADATA, RULES):
                add(schema.METADATA, piece)
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert set(sizes[:-1]) == {100_000}
    assert sum(sizes) == ROWS // 3 * 2 + 2 * ROWS


def test_rows_of_several_tables_are_in_one_file_and_an_empty_list_is_a_table(tmp_path):
    rows = pl.DataFrame([("P1", "R", None)], schema=FAILING_ROWS, orient="row")
    with failing_file(tmp_path / "some.parquet") as add:
        add(schema.RECORDS, rows)
        add(schema.BOXES, rows.with_columns(processid=None))
    assert pl.read_parquet(tmp_path / "some.parquet").rows() == [
        ("records", "P1", "R", None),
        ("boxes", None, "R", None),
    ]
    with failing_file(tmp_path / "none.parquet"):
        pass
    assert pl.read_parquet(tmp_path / "none.parquet").schema == {"table": pl.String(), **FAILING_ROWS}


def test_an_error_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), failing_file(tmp_path / "list.parquet"):
        raise RuntimeError
    with pytest.raises(RuntimeError), failing_spreadsheet(tmp_path / "list.csv"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_spreadsheet_runs_nothing(tmp_path):
    rows = pl.DataFrame([("P1", "R", "=1+1"), ("-P", "R", None)], schema=FAILING_ROWS, orient="row")
    with failing_spreadsheet(tmp_path / "list.csv") as add:
        add(rows.head(1))
        add(rows.tail(1))
    assert (tmp_path / "list.csv").read_text() == "processid,rule,value\nP1,R,'=1+1\n'-P,R,\n"


def test_a_number_that_is_none_is_told_from_a_text(tmp_path):
    table = schema.Table(
        "odd",
        "a row",
        (),
        (
            schema.Column("text", pl.String(), "a text", allowed=("NaN",)),
            schema.Column("number", pl.Float32(), "a number", maximum=1.0),
        ),
    )
    pl.DataFrame([("nan", float("nan"))], schema=table.schema(), orient="row").write_parquet(tmp_path / "t.parquet")
    rules = [rule for rule in expectation_rules(table) if rule.condition]
    path = tmp_path / "t.parquet"
    with open_views({table.name: path}) as views:
        found = pl.concat(failing_pieces(views, path, table, rules))
    assert found.rows() == [(None, "TEXT_OUTSIDE_VOCABULARY", "nan"), (None, "NUMBER_OUT_OF_RANGE", "NaN")]
