"""The metadata and the logs as files: CSV and Parquet shards.

Belongs here: how a table is written so that every reader reads it (spec: the release). Does not belong here:
which values it holds (`release.metadata`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.settings import ReleaseSettings

# Shards that are encoded at the same time; arrow encodes one on one core.
_THREADS = 2


def write_csv(frame: pl.DataFrame, path: Path, separator: str = ",") -> None:
    """Write UTF-8 without BOM, LF, minimal quoting; missing is the empty field.

    Args:
        frame: columns of numbers and texts. An empty text is written as missing: not every reader distinguishes
            quoted empty texts from missing values.
        path: the file, written whole or not at all.
        separator: one character.
    """
    plain = frame.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)) for name, dtype in frame.schema.items() if dtype == pl.String
    )
    with atomic_file(path) as stream:
        plain.write_csv(stream, separator=separator, line_terminator="\n", quote_style="necessary")


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


def write_shards(metadata: pl.DataFrame, folder: Path, settings: ReleaseSettings) -> None:
    """Write `<split>-NNNNN-of-NNNNN.parquet`, the split column kept in the file.

    A split without specimens has one file without rows, so that all eight can be opened.

    Args:
        metadata: `schema.METADATA_EXTENDED`, sorted.
        folder: where the files go.
        settings: rows of a shard and of a row group.
    """
    arrow = schema.METADATA_EXTENDED.arrow()
    with ThreadPoolExecutor(_THREADS) as pool:
        written = []
        for split in vocabulary.SPLITS:
            rows = metadata.filter(pl.col("split") == split)
            parts = list(shards(rows.height, settings.rows_per_shard))
            for number, start, length in parts:
                path = folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
                part = rows.slice(start, length)
                chunking = settings.content_defined_chunking
                written.append(
                    pool.submit(write_parquet, part, path, arrow, settings.rows_per_group, by_content=chunking)
                )
        for done in written:
            done.result()
