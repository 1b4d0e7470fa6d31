"""The metadata and the logs as files: CSV and Parquet shards.

Belongs here: how a table is written so that every reader reads it (spec: the release). Does not belong here:
which values it holds (`release.metadata`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema
from bioscan_etl.io.write import atomic_file


def write_csv(frame: pl.DataFrame, path: Path, separator: str = ",") -> None:
    """Write UTF-8 without BOM, LF, minimal quoting; missing is the empty field.

    Args:
        frame: columns of numbers and texts. An empty text is written as missing: not every reader distinguishes
            quoted empty texts from missing values.
        path: the file, written whole or not at all.
        separator: one character.
    """
    with atomic_file(path) as stream:
        csv_lines(frame, stream, separator, include_header=True)


def csv_lines(frame: pl.DataFrame, stream: BinaryIO, separator: str = ",", *, include_header: bool = False) -> None:
    """Write rows to a CSV that is open, as `write_csv` does."""
    plain = frame.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)) for name, dtype in frame.schema.items() if dtype == pl.String
    )
    plain.write_csv(
        stream, separator=separator, line_terminator="\n", quote_style="necessary", include_header=include_header
    )


def write_parquet(
    frame: pl.DataFrame, path: Path, arrow: pa.Schema, rows_per_group: int, *, by_content: bool = False
) -> None:
    """Write one Parquet file: zstd, statistics and page index on.

    Args:
        frame: the columns of `arrow`, in order.
        path: the file, written whole or not at all.
        arrow: schema of the file, the same for all files of one form.
        rows_per_group: rows of a row group.
        by_content: cut pages by content (see `parquet_writer`).
    """
    with atomic_file(path) as stream, parquet_writer(stream, arrow, by_content=by_content) as writer:
        # One group at a time: arrow's copy of a whole shard of barcodes takes gigabytes. No rows make one group, too.
        for rows in frame.iter_slices(rows_per_group) if frame.height else [frame]:
            writer.write_table(rows.to_arrow().cast(arrow), row_group_size=rows_per_group)


def parquet_writer(stream: object, arrow: pa.Schema, *, by_content: bool = False) -> pq.ParquetWriter:
    """A writer of Parquet as all our tables are written: zstd, statistics, page index and checksums.

    Args:
        stream: the stream to write to.
        arrow: schema of the file.
        by_content: let the content decide where pages end, so that rows that come in change the pages near them only.
            The number of rows in a row group stays the same.
    """
    return pq.ParquetWriter(
        stream,
        arrow,
        compression="zstd",
        write_statistics=True,
        write_page_index=True,
        write_page_checksum=True,
        use_content_defined_chunking=by_content,
    )


def write_table(frame: pl.DataFrame, table: schema.Table, path: Path, rows_per_group: int) -> None:
    """Write a table of `bioscan_etl.schema`, in an order that depends on its rows only.

    Raises:
        SchemaError: the frame does not conform.
    """
    conforming = table.conform(frame)
    order = list(table.key) or [column.name for column in table.columns if column.dtype != pl.List(pl.String)]
    write_parquet(conforming.sort(order, nulls_last=True), path, table.arrow(), rows_per_group)


def shards(rows: int, rows_per_shard: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, first row, rows) of each shard; a table without rows has one empty shard."""
    for number, start in enumerate(range(0, max(rows, 1), rows_per_shard)):
        yield number, start, min(rows_per_shard, rows - start)
