"""Parquet files as views."""

import polars as pl
import pytest

from bioscan_etl.quality.parquet_views import open_views


def test_a_view_is_one_file_whatever_its_path_looks_like(tmp_path):
    folder = tmp_path / "split=train" / "a'b"
    folder.mkdir(parents=True)
    pl.DataFrame({"n": [1]}).write_parquet(folder / "m[1]*.parquet")
    pl.DataFrame({"n": [2]}).write_parquet(folder / "m1.parquet")
    with open_views({"one": str(folder / "m[1]*.parquet"), "two": str(folder / "m1.parquet")}) as connection:
        assert connection.sql("SELECT * FROM one").fetchall() == [(1,)]
        assert connection.sql("SELECT * FROM two").columns == ["n"]


@pytest.mark.parametrize("condition", ["x > 180", "NOT x <= 180"])
def test_nan_is_beyond_every_bound_though_statistics_of_parquet_leave_it_out(tmp_path, condition):
    pl.DataFrame({"x": [1.0, float("nan")]}).write_parquet(tmp_path / "x.parquet")
    with open_views({"t": str(tmp_path / "x.parquet")}) as connection:
        assert connection.sql(f"SELECT count(*) FROM t WHERE {condition}").fetchall() == [(1,)]
