"""The SQLAlchemy dialect on its own."""

import polars as pl
import pytest
import sqlalchemy as sa

from bioscan_etl.quality import duckdb_dialect
from bioscan_etl.quality.parquet_views import open_views


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "table.parquet"
    pl.DataFrame(
        {"order": ["Diptera", None], "coord-lat": [1.5, None], "flags": [["A"], []], "n": [1, 2]}
    ).write_parquet(path)
    with open_views({"corpus": str(path)}) as views:
        yield sa.create_engine(f"{duckdb_dialect.ParquetViews.driver}://", connect_args={"views": views})


def test_rows_outlive_their_connection(engine):
    with engine.connect() as connection:
        result = connection.execute(sa.text('SELECT "order", n FROM corpus WHERE n >= :least'), {"least": 1})
    assert result.fetchall() == [("Diptera", 1), (None, 2)]


def test_columns_come_in_the_order_of_the_file_with_their_types(engine):
    columns = sa.inspect(engine).get_columns("corpus")
    assert [column["name"] for column in columns] == ["order", "coord-lat", "flags", "n"]
    assert [type(column["type"]) for column in columns] == [sa.String, sa.Double, sa.types.NullType, sa.BigInteger]


def test_reserved_and_odd_column_names_are_quoted(engine):
    table = sa.table("corpus", sa.column("order"), sa.column("coord-lat"))
    with engine.connect() as connection:
        assert connection.execute(sa.select(table).where(table.c["coord-lat"] > 1)).all() == [("Diptera", 1.5)]


def test_a_backslash_is_a_backslash(engine):
    statement = sa.select(sa.func.regexp_matches(sa.literal("a.b"), r"^a\.b$"))
    with engine.connect() as connection:
        assert connection.execute(statement).scalar() is True
        literal = statement.compile(engine, compile_kwargs={"literal_binds": True})
        assert connection.execute(sa.text(str(literal))).scalar() is True
