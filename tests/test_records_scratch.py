import polars as pl
import pytest

from bioscan_etl.records import scratch
from bioscan_etl.records.scratch import Scratch


def rows(start, stop, **more):
    return pl.DataFrame({"line": range(start, stop)}).with_columns(
        pl.lit(value).alias(name) for name, value in more.items()
    )


def all_lines(kept, source):
    return [line for part in kept.parts(source) for line in part.collect()["line"].to_list()]


@pytest.mark.parametrize("held", [1, 1 << 9, 1 << 30])
def test_rows_come_back_by_source_in_order(tmp_path, monkeypatch, held):
    monkeypatch.setattr(scratch, "HELD_BYTES", held)
    with Scratch(tmp_path, "rows") as kept:
        for start in range(0, 1000, 50):
            kept.add(start // 50 % 2, rows(start, start + 50))
        even = [line for line in range(1000) if line // 50 % 2 == 0]
        assert all_lines(kept, 0) == even
        assert all_lines(kept, 1) == [line for line in range(1000) if line not in set(even)]
        assert all_lines(kept, 0) == even
        assert list(kept.parts(7)) == []
    assert bool(list(tmp_path.iterdir())) == (held < 1 << 30)


def test_columns_of_one_source_may_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "HELD_BYTES", 1 << 30)
    with Scratch(tmp_path, "rows") as kept:
        kept.add(0, rows(0, 1, a="x"))
        kept.add(0, rows(1, 2, b="y"))
        kept.add(0, rows(0, 0, c="z"))
        (part,) = kept.parts(0)
        assert part.collect().rows() == [(0, "x", None), (1, None, "y")]
        assert list(kept.columns) == ["line", "a", "b", "c"]


def test_a_disk_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "HELD_BYTES", 1)
    with Scratch(tmp_path / "absent", "rows") as kept:
        kept.add(0, rows(0, 10))
        with pytest.raises(FileNotFoundError):
            list(kept.parts(0))
