"""Reading tables from files whose paths are taken literally.

Belongs here: every read of a Parquet, CSV or text file by polars, pyarrow or DuckDB that is given a path. Does not
belong here: what the columns mean; tables that are read from bytes in memory; writing, which `lake.store`,
`release.tables` and the other writers do.

Each library reads more into a path than a name. polars expands `*`, `?` and `[1]`, and a leading `~` and `file:`; it
also makes columns of folders like `key=value`. pyarrow takes `s3:` for an address, DuckDB expands patterns. A test
checks that no other module gives them a path.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from bioscan_etl.errors import SourceError

Place = str | os.PathLike[str]


def literal(path: Place) -> str:
    """A path as the libraries take it literally, if globbing is off: absolute, in UTF-8.

    Raises:
        SourceError: the name is no UTF-8 text; no library here can open it.
    """
    # `absolute` and not `resolve`: `link/..` means what it means to the system.
    text = str(Path(path).absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(text).decode("utf-8", "backslashreplace")
        raise SourceError(f"{shown}: this name is not UTF-8 text; rename the file or folder") from None
    return text


def pattern(path: Place) -> str:
    """A path for DuckDB's readers, which always expand patterns: one that matches this path alone.

    Raises:
        SourceError: the name is not UTF-8, or no pattern can match it.
    """
    text = literal(path)
    escaped = glob.escape(text)
    # In a pattern DuckDB takes a backslash for a second kind of slash, in a plain path for itself.
    if escaped != text and "\\" in text:
        raise SourceError(f"{text}: a path with a backslash can have no *, ? or [ as well; rename the file or folder")
    return escaped


def scan_parquet(paths: Place | Iterable[Place], **options: Any) -> pl.LazyFrame:
    """A Parquet file, or several one after the other, as a lazy frame.

    Args:
        paths: one path or several.
        options: of `polars.scan_parquet`.
    """
    return pl.scan_parquet(_literals(paths), glob=False, hive_partitioning=False, **options)


def read_parquet(paths: Place | Iterable[Place], columns: Sequence[str] | None = None, **options: Any) -> pl.DataFrame:
    """A Parquet file, or several one after the other, in memory.

    Args:
        paths: one path or several.
        columns: those to read, in this order; None for all.
        options: of `polars.read_parquet`.
    """
    wanted = None if columns is None else list(columns)
    return pl.read_parquet(_literals(paths), columns=wanted, glob=False, hive_partitioning=False, **options)


def parquet_schema(path: Place) -> pl.Schema:
    """The columns of a Parquet file and their polars types."""
    return scan_parquet(path).collect_schema()  # polars' own read_parquet_schema always expands patterns


def scan_csv(path: Place, **options: Any) -> pl.LazyFrame:
    """A CSV file as a lazy frame; `options` are those of `polars.scan_csv`."""
    return pl.scan_csv(literal(path), glob=False, **options)


def read_csv(path: Place, **options: Any) -> pl.DataFrame:
    """A CSV file in memory; `options` are those of `polars.read_csv`."""
    return pl.read_csv(literal(path), glob=False, **options)


def scan_lines(path: Place, **options: Any) -> pl.LazyFrame:
    """The lines of a text file as a lazy frame of one column; `options` are those of `polars.scan_lines`."""
    return pl.scan_lines(literal(path), glob=False, **options)


def parquet_file(path: Place, **options: Any) -> pq.ParquetFile:
    """A Parquet file to read by row groups, as a context; `options` are those of `pyarrow.parquet.ParquetFile`."""
    return pq.ParquetFile(literal(path), **options)


def parquet_metadata(path: Place) -> pq.FileMetaData:
    """The footer of a Parquet file."""
    return pq.read_metadata(literal(path))


def _literals(paths: Place | Iterable[Place]) -> str | list[str]:
    if isinstance(paths, (str, os.PathLike)):
        return literal(paths)
    return [literal(path) for path in paths]
