"""DuckDB for Great Expectations: a read-only SQLAlchemy dialect.

Belongs here: what makes the SQL engine of Great Expectations run on DuckDB. Does not belong here: the kinds of
expectations (`bioscan_etl.quality.counted`), and what is expected of a table (`bioscan_etl.quality.expectations`).

Great Expectations closes its connection before it fetches, and DuckDB drops a result with its connection, so
the dialect fetches every result as soon as it is executed. The results are counts and samples; memory is no
concern. The dialect is based on SQLAlchemy's PostgreSQL one, whose SQL DuckDB understands: neither
duckdb-engine 0.17 (its reflection of columns needs a missing `pg_collation`) nor
duckdb-sqlalchemy 1.5.6.5 (requires duckdb < 2) works with DuckDB 2 and SQLAlchemy 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect, PGExecutionContext
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.pool import SingletonThreadPool

_TYPES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
    "VARCHAR": sa.String,
    "DOUBLE": sa.Double,
    "FLOAT": sa.Float,
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), sa.BigInteger
    ),
}


class _BufferedContext(PGExecutionContext):
    """Fetches all rows of a result right after it was executed."""

    def post_exec(self) -> None:
        super().post_exec()  # type: ignore[no-untyped-call]
        if self.cursor.description:
            rows = self.cursor.fetchall()
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(self.cursor, initial_buffer=rows)


class ParquetViews(PGDialect):
    """A database that `open_views` opened, given as `connect_args={"views": connection}`.

    Great Expectations connects several times, and each time would make the tables of the database again.
    """

    name = "duckdb"
    driver = "parquet_views"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_sane_rowcount = False
    server_version_info = (16, 0)  # of PostgreSQL, whose SQL this is
    _backslash_escapes = False  # a backslash in a text is a backslash
    execution_ctx_cls = _BufferedContext

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The module `duckdb`."""
        return duckdb

    @classmethod
    def get_pool_class(cls, url: sa.URL) -> type[sa.Pool]:
        """One connection per thread."""
        return SingletonThreadPool

    def create_connect_args(self, url: sa.URL) -> Any:
        """The URL is empty: all values are in `connect_args`."""
        return [], {}

    def connect(self, *arguments: Any, views: duckdb.DuckDBPyConnection, **named: Any) -> Any:
        """Another connection to the database; closing it leaves the database open."""
        return views.cursor()

    def initialize(self, connection: sa.Connection) -> None:
        """Query nothing: the queries for PostgreSQL mean nothing to DuckDB."""

    def on_connect(self) -> None:
        """Set nothing on a new connection."""

    def do_begin(self, dbapi_connection: Any) -> None:
        """Nothing is ever written, so there are no transactions."""

    do_commit = do_rollback = do_begin

    def get_columns(self, connection: sa.Connection, table_name: str, schema: str | None = None, **named: Any) -> Any:
        """Columns of a view; types that no expectation compares (lists, bytes) stay unknown."""
        rows = connection.execute(
            sa.text(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = :name ORDER BY column_index"
            ),
            {"name": table_name},
        )
        return [
            {"name": name, "type": _TYPES.get(dtype, sa.types.NullType)(), "nullable": True, "default": None}
            for name, dtype in rows
        ]


registry.register("parquet_views", __name__, "ParquetViews")
