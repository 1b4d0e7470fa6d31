"""Parquet files as views of a database in memory: what expectations are evaluated on.

Belongs here: how DuckDB is opened, for Great Expectations and for the lists of failing rows alike.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import duckdb

from bioscan_etl.io.tables import Place, pattern


def open_views(
    views: Mapping[str, Place | Sequence[Place]], tables: Mapping[str, str] = MappingProxyType({})
) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that holds Parquet files as views.

    Args:
        views: file of each table, or its files in order, by the view's name; a path is never read as a pattern.
        tables: tables to make in memory, by name: queries of the views.
    """
    connection = duckdb.connect(":memory:")
    # Parquet's minimum and maximum leave NaN out; relying on them, DuckDB takes "x <= 180" as true for a NaN, and skips
    # rows with a NaN if it looks for "x > 180".
    connection.execute("SET disabled_optimizers = 'statistics_propagation,filter_pushdown'")
    for name, paths in views.items():
        listed = [paths] if isinstance(paths, (str, os.PathLike)) else paths
        connection.read_parquet([pattern(path) for path in listed], hive_partitioning=False).create_view(name)
    for name, query in tables.items():
        connection.execute(f"CREATE TABLE {name} AS {query}")
    return connection
