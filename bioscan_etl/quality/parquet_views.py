"""Parquet files as views of a database in memory: what expectations are evaluated on.

Belongs here: how DuckDB is opened, for Great Expectations and for the lists of failing rows alike.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping

import duckdb


def open_views(views: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that holds Parquet files as views.

    Args:
        views: path of each file by the view's name; a path is never read as a pattern.
    """
    connection = duckdb.connect(":memory:")
    # Parquet's minimum and maximum leave NaN out; relying on them, DuckDB takes "x <= 180" as true for a NaN, and skips
    # rows with a NaN if it looks for "x > 180".
    connection.execute("SET disabled_optimizers = 'statistics_propagation,filter_pushdown'")
    for name, path in views.items():
        connection.read_parquet(glob.escape(path), hive_partitioning=False).create_view(name)
    return connection
