"""Wide tables in slices of process IDs."""

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import SchemaError
from bioscan_etl.specimens import slices

TABLE = schema.PARTITIONS


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(slices, "_ROWS", 3)
    return pl.DataFrame({"processid": [f"P{n:02d}" for n in range(8)], "split": ["train"] * 8})


def test_slices_make_the_whole_table_in_order(rows, tmp_path):
    asked = []

    def make(piece):
        part = piece.of(rows)
        assert part.equals(rows.filter(piece.condition))
        asked.append(part.height)
        return part

    lazy = slices.in_slices(TABLE, rows["processid"], make)
    assert lazy.collect().equals(rows)
    assert asked == [3, 3, 2]
    lazy.sink_parquet(tmp_path / "table.parquet", row_group_size=2)
    assert pl.read_parquet(tmp_path / "table.parquet").equals(rows)
    assert lazy.select("split").head(4).collect().height == 4
    assert lazy.filter(pl.col("processid") > "P05").collect()["processid"].to_list() == ["P06", "P07"]


def test_no_process_ids_no_rows(rows):
    found = slices.in_slices(TABLE, rows["processid"].clear(), lambda part: part.of(rows)).collect()
    assert found.equals(TABLE.empty())


def test_a_slice_that_is_not_the_table_is_refused(rows):
    lazy = slices.in_slices(TABLE, rows["processid"], lambda part: part.of(rows).drop("split"))
    with pytest.raises((SchemaError, pl.exceptions.ComputeError), match="split"):
        lazy.collect()


def test_columns_are_put_beside_by_process_id(rows):
    boxes = pl.DataFrame({"processid": ["P01", "P03"], "x0": [1, 3]})
    left = rows.filter(pl.col("processid") < "P04")
    assert slices.join_by_processid(left, boxes)["x0"].to_list() == [None, 1, None, 3]
    same = left.select("processid", n=pl.int_range(4))
    assert slices.join_by_processid(left, same).equals(left.with_columns(n=pl.int_range(4)))


def test_the_chunks_of_a_slice_leave_no_trace_in_the_file(rows, tmp_path):
    files = []
    for cut in (1, 2):
        parts = pl.concat([rows[:cut], rows[cut:]], rechunk=False)
        lazy = slices.in_slices(TABLE, rows["processid"], lambda part, parts=parts: parts.filter(part.condition))
        files.append(tmp_path / f"{cut}.parquet")
        lazy.sink_parquet(files[-1], row_group_size=3)
    assert files[0].read_bytes() == files[1].read_bytes()
